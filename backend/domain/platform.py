"""How a platform (crawl) or a provider (generate) presents itself; one shape for both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from backend.domain.task import TaskKind
from backend.domain.text import Text


@dataclass(frozen=True, slots=True)
class Example:
    """Parameters that run as they are."""

    title: Text
    params: Mapping[str, Any]


@runtime_checkable
class DropsParams(Protocol):
    """A parameter model some of whose values the chosen variant does not take (a model without `quality`)."""

    def ignored(self) -> tuple[str, ...]:
        """Return the names that were given and will not be used; stored on the task when it is created."""


@dataclass(frozen=True, slots=True)
class PlatformType:
    """One thing a platform can do; `model` is a pydantic model whose JSON Schema draws the form."""

    id: str
    title: Text
    model: type[Any]
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether the platform can run now. `reason`: NO_KEY | NO_BROWSER | NOT_BUILT | NO_FFMPEG ..."""

    available: bool
    reason: str | None = None
    message: Text | None = None
    advice: Text | None = None


@dataclass(frozen=True, slots=True)
class PlatformInfo:
    """What the product says about a platform: ids, titles, parameter models, limits. No behaviour.

    `max_running` holds over all servers together, because it spares the other side; with `is_cap_per_server` each
    server has as many, because it spares the machine.
    """

    id: str
    kind: TaskKind
    title: Text
    icon: str
    default_type: str
    types: tuple[PlatformType, ...]
    capabilities: tuple[str, ...] = ()
    max_running: int | None = None
    is_cap_per_server: bool = False
    min_interval_s: float | None = None
    needs_auth: bool = False
    # Reads through a browser: without one it cannot run.
    needs_browser: bool = False
    secret_names: tuple[str, ...] = field(default=())
    # Base URLs that settings name: the network gate lets exactly these be private.
    trusted_origins: tuple[str, ...] = field(default=())
    # When somebody last sent a report of scripts/live_check.py with which this version's reading held on the live
    # site; None until then. Written here by hand, with the change that the report is about.
    live_checked_at: datetime | None = None

    def type(self, type_id: str) -> PlatformType | None:
        """Return the type of this id, or None."""
        return next((one for one in self.types if one.id == type_id), None)
