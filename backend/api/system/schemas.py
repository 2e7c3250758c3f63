"""The shapes of what the server says about itself."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from backend.api.language import Speech
from backend.api.wire import stamp_or_none
from backend.services.system_service import About, Component, Health, Live

_DETAILS_OF_ALL = frozenset({"state", "latency_ms", "since", "advice"})


class ComponentOut(TypedDict):
    """The state of one part."""

    state: Literal["ok", "degraded", "down", "off"]
    latency_ms: float | None
    since: str | None
    advice: str | None


class StoreOut(ComponentOut):
    """A store; embedded ones are children of this server."""

    is_embedded: bool


class RunnerOut(ComponentOut):
    """What runs tasks."""

    running: int | None
    pending: int | None
    slots: int | None
    loop_lag_ms: float


class DiskOut(ComponentOut):
    """The disk of DATA_DIR."""

    free_bytes: int


class BrowserOut(ComponentOut):
    """The browsers that read platforms which need one: what is open right now."""

    tabs: int
    browsers: int


class Components(TypedDict):
    """Every part of the server."""

    mongodb: StoreOut
    redis: StoreOut
    runner: RunnerOut
    disk: DiskOut
    ffmpeg: ComponentOut
    browser: BrowserOut


class StateOut(TypedDict):
    """All that is said without a token."""

    state: Literal["ok", "degraded", "down", "off"]


class HealthOut(TypedDict):
    """Health; without a token it has only `status` and the states of the components."""

    status: Literal["ok", "degraded", "down"]
    version: NotRequired[str]
    revision: NotRequired[str]
    stale: NotRequired[bool]
    uptime_s: NotRequired[float]
    pid: NotRequired[int]
    memory_mode: NotRequired[bool]
    components: Components | dict[str, StateOut]


class LiveOut(TypedDict):
    """The loop turns."""

    status: Literal["ok"]


class ReadyOut(TypedDict):
    """Whether requests are served."""

    status: Literal["ok", "degraded", "down", "starting", "draining"]


class SlotsOut(TypedDict):
    """How many tasks run here at once."""

    total: int | None
    used: int | None
    pending: int | None


class HeldOut(TypedDict):
    """What this process holds right now."""

    tasks: list[str]
    requests: int
    sockets: int
    children: int
    part_files: int


class SystemOut(TypedDict):
    """The server from inside."""

    version: str
    revision: str
    stale: bool
    uptime_s: float
    loop_lag_ms: float
    slots: SlotsOut
    stores: dict[Literal["mongodb", "redis"], StoreOut]
    disk: DiskOut
    browser: BrowserOut
    live: HeldOut


class ShutdownOut(TypedDict):
    """The server is leaving; after `grace_s` seconds at most its process has ended."""

    pid: int
    stopping: Literal[True]
    grace_s: float


def health_out(health: Health, about: About, speech: Speech, *, pid: int) -> Any:
    """Return the whole body of /health."""
    return {
        "status": health.status,
        "version": about.version,
        "revision": about.revision,
        "stale": about.is_stale,
        "uptime_s": about.uptime_s,
        "pid": pid,
        "memory_mode": about.is_memory,
        "components": {name: _component(one, speech) for name, one in health.components.items()},
    }


def reduced_health_out(health: Health) -> Any:
    """Return what anybody may know."""
    return {"status": health.status, "components": {n: {"state": one.state} for n, one in health.components.items()}}


def system_out(about: About, health: Health, live: Live, speech: Speech, *, lag_ms: float) -> Any:
    """Return the body of /system."""
    shown = {name: _component(one, speech) for name, one in health.components.items()}
    runner = shown["runner"]
    return {
        "version": about.version,
        "revision": about.revision,
        "stale": about.is_stale,
        "uptime_s": about.uptime_s,
        "loop_lag_ms": lag_ms,
        "slots": {"total": runner["slots"], "used": runner["running"], "pending": runner["pending"]},
        "stores": {name: shown[name] for name in ("mongodb", "redis")},
        "disk": shown["disk"],
        "browser": shown["browser"],
        "live": {
            "tasks": list(live.tasks),
            "requests": live.requests,
            "sockets": live.sockets,
            "children": live.children,
            "part_files": live.part_files,
        },
    }


def _component(one: Component, speech: Speech) -> dict[str, Any]:
    return {
        "state": one.state,
        "latency_ms": one.latency_ms,
        "since": stamp_or_none(one.since),
        "advice": speech.tell(one.advice),
        **one.details,
    }
