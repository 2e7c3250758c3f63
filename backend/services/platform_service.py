"""Which platforms and providers there are, and whether they can run now."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from backend.domain.account import AuthState
from backend.domain.platform import Availability, PlatformInfo, PlatformType


class Presented(Protocol):
    """A crawl platform or a generation provider, as far as it is shown."""

    @property
    def info(self) -> PlatformInfo:
        """What the product says about it."""

    def availability(self) -> Availability:
        """Whether it can run now."""


@dataclass(frozen=True, slots=True)
class TypeView:
    """A type with what a form needs: the JSON Schema of its parameters and their defaults."""

    type: PlatformType
    schema: Mapping[str, Any]
    defaults: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlatformView:
    """A platform as it stands now. `auth_state`: none | missing | ok | expired | unknown."""

    info: PlatformInfo
    types: Sequence[TypeView]
    availability: Availability
    auth_state: str


class PlatformService:
    """Shows the platforms in the order they were given; schemas are made once."""

    def __init__(
        self, platforms: Iterable[Presented], *, logins: Callable[[str], AuthState | None] = lambda _: None
    ) -> None:
        """`logins` tells how the login of a platform stands, None for one that has no login of ours."""
        self._logins = logins
        self._platforms = [(one, tuple(_type_view(each) for each in one.info.types)) for one in platforms]

    def list(self) -> list[PlatformView]:
        """Return every platform, the unavailable ones too, each saying why."""
        return [self._view(platform, types) for platform, types in self._platforms]

    def _view(self, platform: Presented, types: Sequence[TypeView]) -> PlatformView:
        availability, login = platform.availability(), self._logins(platform.info.id)
        state = _auth_state(platform.info, availability) if login is None else login.value
        return PlatformView(platform.info, types, availability, state)


def _auth_state(info: PlatformInfo, availability: Availability) -> str:
    if not info.needs_auth:
        return "none"
    if availability.reason in {"NO_KEY", "NO_ACCOUNT"}:
        return "missing"
    # A key that is set may have expired: only a call would tell.
    return "unknown"


def _type_view(each: PlatformType) -> TypeView:
    schema = each.model.model_json_schema()
    properties: Mapping[str, Any] = schema.get("properties", {})
    defaults = {name: one["default"] for name, one in properties.items() if one.get("default") is not None}
    return TypeView(each, schema, defaults)
