"""A whole server but for its HTTP, in this process, with an eye on everything that one run leaves."""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil

from backend.core.cache import Cache
from backend.core.children import Children
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.http import HttpGate, NetworkPolicy
from backend.crawl.executor import CrawlExecutor
from backend.crawl.fetch import FetchLimits
from backend.crawl.platform import CrawlTools
from backend.crawl.platforms.web import WebPlatform
from backend.crawl.visit import Manners
from backend.domain.task import CancelRecord, NewTask, StopReason, Task, TaskKind
from backend.generate.executor import GenerateExecutor
from backend.generate.provider import GenerateTools
from backend.generate.providers import cogvideox, storyboard
from backend.runner.runner import Runner, RunnerStores
from backend.runner.slots import Slots
from backend.runner.sweeper import Sweeper
from backend.services.task_requests import Platform, TaskDefaults, TaskDrafter
from backend.services.task_service import TaskService
from backend.store.artifacts import ArtifactStore
from backend.store.challenges import ChallengeStore
from backend.store.events import EventStore
from backend.store.frontier import FrontierStore
from backend.store.items import ItemStore
from backend.store.task_queries import TaskQueries
from backend.store.tasks import TaskStore
from bench.harness.stepping import current_meter
from bench.harness.threads import POOLS, busy_threads
from tests.fixtures.cogvideox_server import CogVideoXServer
from tests.fixtures.hostile_server import NO_CA
from tests.fixtures.site import Site

if TYPE_CHECKING:
    from backend.domain.execution import Executor

T = TypeVar("T")

# The shortest that settings allow.
POLL_S = 0.05
LEASE_S = 30.0
_ENDING_S = 0.05
_LETTING_GO_S = 1.0
_MANNERS = Manners(
    limits=FetchLimits(total_s=5.0), back_off_s=0.01, longest_wait_s=2.0, report_every_s=0, note_every_s=0
)
_COLLECTIONS = ("tasks", "items", "frontier", "events", "artifacts")
_DRAIN_S = 6.0


class WatchedDatabase(Database):
    """Notes on the meter of whoever asks each operation that is begun, and those in flight."""

    async def do(self, operation: Awaitable[T], *, within_s: float | None = None) -> T:
        """Do it as ever."""
        meter = current_meter()
        if meter is None:
            return await super().do(operation, within_s=within_s)
        meter.operations_begun += 1
        future = asyncio.ensure_future(operation)
        meter.operations.add(future)
        future.add_done_callback(meter.operations.discard)
        return await super().do(future, within_s=within_s)


class ProbedTaskStore(TaskStore):
    """Calls `before_end` right before an end is written."""

    before_end: Callable[[], None] = staticmethod(lambda: None)

    async def finish(self, *given: Any, **named: Any) -> Task | None:
        """Look around, then write."""
        self.before_end()
        return await super().finish(*given, **named)


class NoticedRunner(Runner):
    """Tells when a cancel has reached the registry."""

    on_stop: Callable[[], None] = staticmethod(lambda: None)

    def stop_run(self, task_id: str, reason: StopReason, *, cancel: CancelRecord | None = None) -> bool:
        """Stop it as ever."""
        stopped = super().stop_run(task_id, reason, cancel=cancel)
        self.on_stop()
        return stopped


@dataclass(frozen=True, slots=True)
class StandIns:
    """What tasks talk to; one set for a whole sweep."""

    site: Site
    vendor: CogVideoXServer

    @property
    def requests(self) -> int:
        """Everything that has come."""
        return self.site.hits.total() + len(self.vendor.requests)

    def forget(self) -> None:
        """Begin anew."""
        self.site.hits.clear()
        self.vendor.reset()

    async def idle(self) -> None:
        """Wait until the provider's stand-in has noticed that everybody left."""
        # It lives in a server, which has no event for it.
        while self.vendor.open_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a house keeps its documents; None: in memory, made anew for each house."""

    database: Database | None = None
    cache: Cache | None = None


class House:
    """One server. Use it in `async with`; `restart` drains it and goes on with another start of the same."""

    def __init__(
        self,
        stand_ins: StandIns,
        folder: Path,
        stores: Stores,
        *,
        use_threads: bool = False,
        has_key: bool = True,
        lookup_s: float = 0.0,
    ) -> None:
        self.stand_ins = stand_ins
        self.clock = Clock()
        self._folder = folder
        self._stores = stores
        self._use_threads = use_threads
        self._lookup_s = lookup_s
        environ = {"COGVIDEOX_BASE_URL": stand_ins.vendor.base_url, "COGVIDEOX_POLL_INTERVAL_S": str(POLL_S)}
        if has_key:
            environ["COGVIDEOX_API_KEY"] = "stand-in-key.stand-in-secret"
        self._video = cogvideox.create(environ)
        self._film = storyboard.create({})
        self._web = WebPlatform(manners=_MANNERS, chance=random.Random(1))
        self._starts = 0
        self.on_stop: Callable[[], None] = lambda: None

    async def __aenter__(self) -> "House":
        self.database = self._stores.database or WatchedDatabase("", "sweep", clock=self.clock, is_memory=True)
        self.cache = self._stores.cache or Cache("", clock=self.clock, is_memory=True)
        if self._stores.database is None:
            await self.database.connect()
            await self.cache.connect()
        self.tasks = ProbedTaskStore(self.database, clock=self.clock)
        self.events = EventStore(self.database)
        self.challenges = ChallengeStore(self.database, clock=self.clock)
        self.items = ItemStore(self.database)
        self.frontier = FrontierStore(self.database, clock=self.clock)
        self.artifacts = ArtifactStore(self.database, self._folder, self.clock)
        for store in (self.tasks, self.events, self.items, self.frontier, self.artifacts):
            await store.ensure_indexes()
        self.children = Children()
        await self.children.start()
        trusted = frozenset(self._video.info.trusted_origins)
        policy = NetworkPolicy(allow_private=("127.0.0.0/8",), trusted_origins=trusted)
        self.gate = HttpGate(policy=policy, user_agent="MediaCrawerPro/sweep", verify=NO_CA, lookup=self._lookup)
        await self.gate.start()
        await self._start_runner()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.runner.drain(grace_s=_DRAIN_S)
        await self.runner.stop()
        await self.gate.stop()
        await self.children.stop()
        await self.artifacts.close()
        if self._stores.database is None:
            await self.cache.close()
            await self.database.close()

    async def restart(self) -> None:
        """Drain, and go on as another start would."""
        await self.runner.drain(grace_s=_DRAIN_S)
        await self.runner.stop()
        await self._start_runner()

    async def step(self) -> None:
        """Let others go on for a moment."""
        await asyncio.sleep(0.002)

    async def create(self, platform: str, type_id: str, params: dict[str, Any]) -> Task:
        """Store a pending task; nothing runs yet."""
        kind = TaskKind.CRAWL if platform == "web" else TaskKind.GENERATE
        new = NewTask(kind, platform, type_id, params, "swept")
        return (await self.tasks.create(f"t_{random.getrandbits(80):020x}", new))[0]

    async def make_due(self, task_id: str) -> Task | None:
        """Let a task that waits for another attempt be due now; return it while it is pending."""
        change = {"$set": {"run_at": self.clock.now()}}
        await self.database.do(
            self.database.collection("tasks").update_one({"_id": task_id, "status": "pending"}, change)
        )
        task = await self.tasks.get(task_id)
        return task if task is not None and task.status.value == "pending" else None

    async def documents(self, task_id: str) -> dict[str, list[Any]]:
        """Return every document of the task, as it is now."""
        found = {}
        for name in _COLLECTIONS:
            query = {"_id": task_id} if name == "tasks" else {"task_id": task_id}
            rows = await self.database.do(self.database.collection(name).find(query).to_list(None))
            found[name] = sorted(rows, key=lambda row: str(row["_id"]))
        return found

    def entries(self, task_id: str) -> Iterator[str]:
        """Yield what the registry, the slots and the flags still hold."""
        runner = self.runner
        if runner.live():
            yield f"registry: {[run.task_id for run in runner.live()]}"
        if runner.slots.used:
            yield f"slots: {runner.slots.used}"
        if runner.flags.is_set(task_id):
            yield "a flag in the mirror"
        if runner.keeper._runs:
            yield "a lease that is kept alive"
        if runner._abandons:
            yield "an abandon"

    def outside(self) -> Iterator[str]:
        """Yield what of the work holds the network, the disk, processes or threads."""
        if requests := self.gate.live().requests:
            yield f"requests: {requests}"
        if live := self.children.live():
            yield f"children: {live}"
        if strangers := psutil.Process().children(recursive=True):
            own = [one for one in strangers if "mongod" not in _name(one) and "valkey" not in _name(one)]
            if own:
                yield f"processes: {[_name(one) for one in own]}"
        if parts := self.artifacts.part_files():
            yield f"part files: {parts}"
        for one in threading.enumerate():
            if "waitpid" in one.name:
                # It has told of its child's end, and has a line or two left to run.
                one.join(_ENDING_S)
        # The system's resolver cannot be told to stop: what it was asked it answers, to nobody. Another that has
        # answered may have a line or two left to run, too.
        busy = busy_threads(pools=tuple(pool for pool in POOLS if pool != "dns"), for_s=_LETTING_GO_S)
        yield from (f"a busy thread: {name}" for name in busy)

    def _hear_stop(self) -> None:
        self.on_stop()

    def _lookup(self, host: str, port: int, family: int) -> list[str]:
        """Resolve every name to loopback, as slowly as the path wants; no cancel reaches a system's resolver."""
        del host, port, family
        time.sleep(self._lookup_s)
        return ["127.0.0.1"]

    async def _start_runner(self) -> None:
        self._starts += 1
        crawl = CrawlTools(self.gate, self.items, self.frontier, self.clock)
        generate = GenerateTools(self.gate, self.artifacts, self.items, self.children, self.clock)
        executors: dict[TaskKind, Executor] = {
            TaskKind.CRAWL: CrawlExecutor({"web": self._web}, crawl),
            TaskKind.GENERATE: GenerateExecutor({"cogvideox": self._video, "storyboard": self._film}, generate),
        }
        known: dict[str, Platform] = {"web": self._web, "cogvideox": self._video, "storyboard": self._film}
        self.runner = NoticedRunner(
            RunnerStores(self.database, self.cache, self.tasks, self.events, self.challenges),
            executors,
            Slots([one.info for one in known.values()], total=10),
            clock=self.clock,
            worker_id=f"w_sweep-{self._starts}",
            lease_s=LEASE_S,
            use_threads=self._use_threads,
        )
        self.runner.on_stop = self._hear_stop
        await self.runner.start()
        self.service = TaskService(
            *(self.tasks, TaskQueries(self.database), self.events),
            cache=self.cache,
            clock=self.clock,
            drafter=TaskDrafter(known, policy=NetworkPolicy(), defaults=TaskDefaults()),
            runner=self.runner,
        )
        self.sweeper = Sweeper(
            self.tasks, self.runner, executors, clock=self.clock, start_task=self.service.schedule_found
        )
        self.service.recount_with(self.sweeper)


@contextlib.asynccontextmanager
async def stand_ins() -> AsyncIterator[StandIns]:
    """Run the stand-ins for the length of an `async with`."""
    site, vendor = Site(), CogVideoXServer()
    await site.start()
    await vendor.start()
    try:
        yield StandIns(site, vendor)
    finally:
        await vendor.stop()
        await site.stop()


def open_fds() -> dict[str, str]:
    """Return our open files by number; unix sockets (the stores' own) are left out. Empty where there is no /proc."""
    unix = _unix_sockets()
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                what = str(link.readlink())
                if what not in unix and not what.startswith("/proc/"):
                    found[link.name] = what
    return found


def _unix_sockets() -> frozenset[str]:
    with contextlib.suppress(OSError):
        lines = Path("/proc/net/unix").read_text("utf-8").splitlines()[1:]
        return frozenset(f"socket:[{line.split()[6]}]" for line in lines)
    return frozenset()


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""
