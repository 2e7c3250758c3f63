"""The contract of a crawl platform: one file in crawl/platforms/, exporting `create(environ) -> CrawlPlatform`.

The parameter model of each type names, in the class variable `URL_FIELDS`, its fields that hold lists of URLs from
outside; the service checks those against the network policy before a task is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from backend.core.clock import Clock
from backend.core.http import HttpGate
from backend.crawl.browser import Browsers
from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability, PlatformInfo
from backend.store.artifacts import ArtifactStore
from backend.store.author_salt import AuthorSalt
from backend.store.frontier import FrontierStore
from backend.store.items import ItemStore


@dataclass(frozen=True, slots=True)
class CrawlTools:
    """The stores and clients a crawl may use; in an execution always through `context.reach`."""

    gate: HttpGate
    items: ItemStore
    frontier: FrontierStore
    clock: Clock
    # None only where a test or a measurement has no use for them.
    browsers: Browsers | None = None
    artifacts: ArtifactStore | None = None
    author_salt: AuthorSalt | None = None


class CrawlPlatform(Protocol):
    """One platform. Parameters are validated by its type's model before `begin`."""

    @property
    def info(self) -> PlatformInfo:
        """What the product says about the platform."""

    def availability(self) -> Availability:
        """Whether it can run now, and what to do when not. No I/O beyond looking at this machine."""

    def title_of(self, params: Mapping[str, Any]) -> str:
        """Return the title of a task that was given none, from its validated parameters."""

    def begin(self, context: TaskContext, tools: CrawlTools) -> Execution:
        """Return the execution of one attempt."""
