"""The shape of a platform."""

from typing import Any, Literal

from typing_extensions import TypedDict

from backend.api.language import Speech
from backend.api.shapes import both
from backend.api.wire import stamp_or_none
from backend.domain.drift import GroupDrift, Window
from backend.services.drift_service import PlatformDrift
from backend.services.platform_service import PlatformView, TypeView


class TitleOut(TypedDict):
    """Words in both languages: the reader chooses."""

    zh: str
    en: str


class ExampleOut(TypedDict):
    """Parameters that run as they are."""

    title: TitleOut
    params: dict[str, Any]


class TypeOut(TypedDict):
    """One thing a platform can do; `schema` is the JSON Schema of its params."""

    id: str
    title: TitleOut
    schema: dict[str, Any]
    defaults: dict[str, Any]
    examples: list[ExampleOut]


class LimitsOut(TypedDict):
    """How many of its tasks run at once, and the pause between requests."""

    max_running: int | None
    min_interval_s: float | None


class AuthOut(TypedDict):
    """Whether a key or a login is needed, and how it stands."""

    needed: bool
    state: Literal["none", "missing", "ok", "expired", "unknown"]


class AvailabilityOut(TypedDict):
    """Whether the platform can run now."""

    available: bool
    reason: str | None
    advice: str | None


class PlatformOut(TypedDict):
    """A crawl platform or a generation provider."""

    id: str
    kind: Literal["crawl", "generate"]
    title: TitleOut
    icon: str
    default_type: str
    types: list[TypeOut]
    capabilities: list[str]
    limits: LimitsOut
    auth: AuthOut
    availability: AvailabilityOut
    live_checked_at: str | None


class PlatformList(TypedDict):
    """Every platform there is."""

    items: list[PlatformOut]
    next_cursor: str | None


class DriftWindowOut(TypedDict):
    """The items that are compared, of tasks that ended between these moments."""

    items: int
    since: str | None
    until: str | None


class FieldDriftOut(TypedDict):
    """One field: the shares (0 to 1) of items that have it; `since` when it has dried up."""

    field: str
    recent: float | None
    before: float | None
    state: Literal["ok", "falling", "dry", "few"]
    since: str | None


class DriftGroupOut(TypedDict):
    """Items of one kind from one source: the newest, and those before them."""

    kind: Literal["page", "post", "comment", "creator", "media"]
    source: str
    recent: DriftWindowOut
    before: DriftWindowOut
    fields: list[FieldDriftOut]


class DriftOut(TypedDict):
    """How often a platform's fields come filled; `dry` counts those that used to be and are not any more."""

    platform: str
    tasks: int
    counted_to: str | None
    dry: int
    groups: list[DriftGroupOut]


def drift_out(drift: PlatformDrift) -> Any:
    """Return what is known of a platform's fields as it is shown."""
    return {
        "platform": drift.platform,
        "tasks": drift.tasks,
        "counted_to": stamp_or_none(drift.counted_to),
        "dry": drift.dry,
        "groups": [_group(one) for one in drift.groups],
    }


def platforms_out(views: list[PlatformView], speech: Speech) -> PlatformList:
    """Return the list of platforms."""
    return {"items": [_platform(view, speech) for view in views], "next_cursor": None}


def _platform(view: PlatformView, speech: Speech) -> Any:
    info, availability = view.info, view.availability
    return {
        "id": info.id,
        "kind": info.kind.value,
        "title": both(info.title),
        "icon": info.icon,
        "default_type": info.default_type,
        "types": [_type(one) for one in view.types],
        "capabilities": list(info.capabilities),
        "limits": {"max_running": info.max_running, "min_interval_s": info.min_interval_s},
        "auth": {"needed": info.needs_auth, "state": view.auth_state},
        "availability": {
            "available": availability.available,
            "reason": availability.reason,
            "advice": speech.tell(availability.advice or availability.message),
        },
        "live_checked_at": stamp_or_none(info.live_checked_at),
    }


def _type(view: TypeView) -> Any:
    return {
        "id": view.type.id,
        "title": both(view.type.title),
        "schema": view.schema,
        "defaults": view.defaults,
        "examples": [{"title": both(one.title), "params": one.params} for one in view.type.examples],
    }


def _group(one: GroupDrift) -> Any:
    fields = [
        {
            "field": each.field,
            "recent": _share(each.recent),
            "before": _share(each.before),
            "state": each.state.value,
            "since": stamp_or_none(each.since),
        }
        for each in one.fields
    ]
    windows = {"recent": _window(one.recent), "before": _window(one.before)}
    return {"kind": one.key.kind, "source": one.key.source, **windows, "fields": fields}


def _window(window: Window) -> Any:
    return {"items": window.items, "since": stamp_or_none(window.first), "until": stamp_or_none(window.last)}


def _share(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
