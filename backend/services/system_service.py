"""What the server says about itself: health of its parts, what it holds right now, which code it runs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from loguru import logger

from backend.core.clock import Clock
from backend.core.disk import disk_of
from backend.core.threads import in_thread
from backend.domain.errors import StoreUnavailableError
from backend.domain.platform import Availability
from backend.domain.text import Text
from backend.services.code_version import CodeVersion

State = Literal["ok", "degraded", "down", "off"]
Overall = Literal["ok", "degraded", "down"]
Phase = Literal["starting", "ready", "draining"]

LAG_EVERY_S = 0.5
_PING_S = 1.0
_LOW_DISK_BYTES = 1024**3
_CLOCK_OFFSET_S = 2.0
_VITAL = ("mongodb", "runner")

_MEMORY = Text("内存模式：退出后数据全部丢失", "Memory mode: everything is lost on exit")
_CLOCKS = Text("本机与 MongoDB 的时钟相差超过 2 秒", "The clocks of this machine and of MongoDB differ by over 2 s")
_NO_MONGO = Text("检查 MongoDB 是否在运行，以及 MONGODB_URL", "Check that MongoDB runs, and MONGODB_URL")
_NO_REDIS = Text("检查 Redis 是否在运行，以及 REDIS_URL；任务照常运行", "Check Redis and REDIS_URL; tasks go on")
_NO_RUNNER = Text("任务执行器已停止，请重启服务", "The runner has stopped; restart the server")
_LOW_DISK = Text("磁盘剩余不足 1 GB", "Less than 1 GB of disk is left")
_NO_FFMPEG = Text("安装 ffmpeg 后可生成视频", "Install ffmpeg to render videos")


@dataclass(frozen=True, slots=True)
class Component:
    """The state of one part. `details` are figures of its own (running, free_bytes...)."""

    state: State
    latency_ms: float | None = None
    since: datetime | None = None
    advice: Text | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """All components, and the word over them."""

    status: Overall
    phase: Phase
    components: Mapping[str, Component]


@dataclass(frozen=True, slots=True)
class Live:
    """What this process holds right now: after a cancel none of it belongs to the cancelled task (P1)."""

    tasks: Sequence[str] = ()
    requests: int = 0
    sockets: int = 0
    children: int = 0
    part_files: int = 0


@dataclass(frozen=True, slots=True)
class RunnerState:
    """The runner as it stands: its runs, what waits for a slot, the slots in all."""

    is_ok: bool
    running: int
    pending: int
    slots: int


@dataclass(frozen=True, slots=True)
class BrowserState:
    """Whether a browser can be come by, and what is open of it right now."""

    availability: Availability
    tabs: int = 0
    browsers: int = 0


@dataclass(frozen=True, slots=True)
class About:
    """Which code runs, since when, and whether the files on disk are newer."""

    version: str
    revision: str
    is_stale: bool
    uptime_s: float
    is_memory: bool


class Store(Protocol):
    """A store that can be asked whether it answers (core.database.Database, core.cache.Cache)."""

    is_memory: bool

    async def measure(self) -> float:
        """Return the latency of one round trip in ms. Raises StoreUnavailableError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemParts:
    """What the server is made of, as far as it is watched."""

    database: Store
    cache: Store
    runner: Callable[[], Awaitable[RunnerState]]
    live: Callable[[], Live]
    find_ffmpeg: Callable[[], str | None]
    browser: Callable[[], BrowserState]
    data_dir: Path
    is_mongodb_embedded: bool = False
    is_redis_embedded: bool = False
    shutdown_grace_s: float = 10.0


class SystemService:
    """Watches the parts. main.py calls `start`, `mark_ready`, `mark_draining` and `stop`."""

    def __init__(self, parts: SystemParts, code: CodeVersion, *, clock: Clock, version: str) -> None:
        self._parts = parts
        self._code = code
        self._clock = clock
        self._version = version
        self._phase: Phase = "starting"
        self._started_at = clock.elapsed()
        self._seen: dict[str, Component] = {}
        self._lag_ms = 0.0
        self._watch: asyncio.Task[None] | None = None
        self._leave: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Start measuring how late the loop is."""
        self._watch = asyncio.create_task(self._measure_lag(), name="loop-lag")

    async def stop(self) -> None:
        """Stop measuring. Safe to call twice."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})

    def mark_ready(self) -> None:
        """Say that requests are served."""
        self._phase = "ready"

    def mark_draining(self) -> None:
        """Say that the server is leaving: from now on it takes nothing new."""
        self._phase = "draining"

    def when_told_to_leave(self, leave: Callable[[], None]) -> None:
        """Let `leave` be called when a person asks the process to end."""
        self._leave = leave

    def leave(self, *, asked_by: str, address: str) -> None:
        """Begin the same orderly stop as a SIGTERM, and write down who asked. Returns at once."""
        logger.info("收到停止请求 / asked to stop: {} ({})", asked_by, address)
        self._leave()

    @property
    def shutdown_grace_s(self) -> float:
        """How long a stop may take, in seconds."""
        return self._parts.shutdown_grace_s

    @property
    def is_draining(self) -> bool:
        """Whether the server is leaving."""
        return self._phase == "draining"

    @property
    def version(self) -> str:
        """The version of the product."""
        return self._version

    @property
    def lag_ms(self) -> float:
        """How late the loop was when it was last looked at, in ms."""
        return self._lag_ms

    async def about(self) -> About:
        """Return which code runs."""
        return About(
            version=self._version,
            revision=self._code.revision,
            is_stale=await in_thread(self._code.is_stale),
            uptime_s=round(self._clock.elapsed() - self._started_at, 1),
            is_memory=self._parts.database.is_memory,
        )

    async def health(self) -> Health:
        """Ask every part, each for at most a second."""
        mongodb, redis, runner, disk = await asyncio.gather(
            self._store(self._parts.database, is_embedded=self._parts.is_mongodb_embedded, advice=_NO_MONGO),
            self._store(self._parts.cache, is_embedded=self._parts.is_redis_embedded, advice=_NO_REDIS),
            self._runner(),
            self._disk(),
        )
        found = {"mongodb": self._with_clock(mongodb), "redis": redis, "runner": runner, "disk": disk}
        found["ffmpeg"] = Component("ok") if self._parts.find_ffmpeg() else Component("off", advice=_NO_FFMPEG)
        found["browser"] = _browser(self._parts.browser())
        components = {name: self._since(name, one) for name, one in found.items()}
        return Health(_overall(components), self._phase, components)

    def live(self) -> Live:
        """Return what this process holds right now."""
        return self._parts.live()

    async def _measure_lag(self) -> None:
        while True:
            before = self._clock.elapsed()
            await asyncio.sleep(LAG_EVERY_S)
            self._lag_ms = max(0.0, round((self._clock.elapsed() - before - LAG_EVERY_S) * 1000, 1))

    async def _store(self, store: Store, *, is_embedded: bool, advice: Text) -> Component:
        details = {"is_embedded": is_embedded}
        try:
            async with asyncio.timeout(_PING_S):
                latency_ms = round(await store.measure(), 1)
        except (StoreUnavailableError, TimeoutError):
            return Component("down", advice=advice, details=details)
        if store.is_memory:
            return Component("degraded", latency_ms, advice=_MEMORY, details=details)
        return Component("ok", latency_ms, details=details)

    def _with_clock(self, mongodb: Component) -> Component:
        if mongodb.state == "ok" and abs(self._clock.offset_s) > _CLOCK_OFFSET_S:
            return replace(mongodb, state="degraded", advice=_CLOCKS)
        return mongodb

    async def _runner(self) -> Component:
        details: dict[str, Any] = {"running": None, "pending": None, "slots": None, "loop_lag_ms": self._lag_ms}
        try:
            async with asyncio.timeout(_PING_S):
                state = await self._parts.runner()
        except (StoreUnavailableError, TimeoutError):
            # It is the count of what is pending that cannot be read: MongoDB's trouble, not the runner's.
            return Component("ok", details=details)
        details |= {"running": state.running, "pending": state.pending, "slots": state.slots}
        return (
            Component("ok", details=details) if state.is_ok else Component("down", advice=_NO_RUNNER, details=details)
        )

    async def _disk(self) -> Component:
        free_bytes = await in_thread(lambda: disk_of(self._parts.data_dir).free_bytes)
        details = {"free_bytes": free_bytes}
        if free_bytes < _LOW_DISK_BYTES:
            return Component("degraded", advice=_LOW_DISK, details=details)
        return Component("ok", details=details)

    def _since(self, name: str, now: Component) -> Component:
        before = self._seen.get(name)
        since = before.since if before is not None and before.state == now.state else self._clock.now()
        self._seen[name] = replace(now, since=since)
        return self._seen[name]


def _browser(state: BrowserState) -> Component:
    now = state.availability
    details = {"tabs": state.tabs, "browsers": state.browsers}
    return Component("ok" if now.available else "off", advice=now.advice, details=details)


def _overall(components: Mapping[str, Component]) -> Overall:
    if any(components[name].state == "down" for name in _VITAL):
        return "down"
    return "degraded" if any(one.state in {"degraded", "down"} for one in components.values()) else "ok"
