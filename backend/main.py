"""The composition root: settings -> clients -> stores -> runner -> app. `cd backend && python main.py` starts it.

Clients are made on the running loop and closed in reverse, by one exit stack, after what uses them has ended.
"""

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

try:
    from loguru import logger
    from tornado.httpserver import HTTPServer

    import backend
    from backend.api.app import App, make_app, make_server
    from backend.api.base import Services
    from backend.core.cache import Cache
    from backend.core.children import Children
    from backend.core.clock import Clock
    from backend.core.crash_points import arm
    from backend.core.database import Database
    from backend.core.embedded import EmbeddedStoreError, EmbeddedStores, warn_of_memory_stores
    from backend.core.event_log import EventLog
    from backend.core.garbage import GarbageKeeper
    from backend.core.http import HttpGate, NetworkPolicy
    from backend.core.leaving import leave_within
    from backend.core.logs import configure_logs
    from backend.core.port import PortTakenError, bind
    from backend.core.settings import (
        LONGEST_LEASE_S,
        Settings,
        SettingsError,
        load_settings,
        secret_values,
        vendor_environ,
    )
    from backend.crawl.executor import CrawlExecutor
    from backend.crawl.platform import CrawlTools
    from backend.crawl.registry import PlatformRegistry, load_platforms
    from backend.domain.errors import StoreRefusedError, StoreUnavailableError
    from backend.domain.execution import Executor
    from backend.domain.task import TaskKind, TaskStatus
    from backend.generate.executor import GenerateExecutor
    from backend.generate.media import find_ffmpeg
    from backend.generate.provider import GenerateTools
    from backend.generate.registry import ProviderRegistry, load_providers
    from backend.runner.bell import WakeBell
    from backend.runner.edge import Edge
    from backend.runner.runner import Runner, RunnerStores
    from backend.runner.shared_slots import SharedSlots
    from backend.runner.slots import Slots
    from backend.runner.sweeper import Sweeper
    from backend.services.artifact_service import ArtifactService
    from backend.services.batch_service import BatchService
    from backend.services.code_version import CodeVersion
    from backend.services.event_hub import EventHub
    from backend.services.item_service import ItemService
    from backend.services.platform_service import PlatformService
    from backend.services.set_service import SetService
    from backend.services.system_service import Live, RunnerState, SystemParts, SystemService
    from backend.services.task_requests import Platform, TaskDefaults, TaskDrafter
    from backend.services.task_service import TaskService
    from backend.store.announcing import TaskAnnouncer
    from backend.store.artifacts import ArtifactStore
    from backend.store.events import EventStore
    from backend.store.frontier import FrontierStore
    from backend.store.items import ItemStore
    from backend.store.slots import SlotBoard
    from backend.store.stray_tasks import StrayTasks
    from backend.store.task_queries import TaskQueries
    from backend.store.task_sets import TaskSets
    from backend.store.tasks import TaskStore
    from backend.store.time_repair import TimeRepair
except ModuleNotFoundError as missing:
    sys.stderr.write(
        f"缺少依赖 / missing package: {missing.name}\n请运行 / run: ./scripts/run.sh   (Windows: scripts\\run.ps1)\n"
    )
    sys.exit(2)

CANNOT_START = 2
USER_AGENT = f"MediaCrawerPro/{backend.__version__} (self-hosted; contact: the operator of this address)"
# There is no Valkey for Windows: the bell is kept in the process there, and rings for this process only.
NO_VALKEY = sys.platform == "win32"
# Of the grace: for the last answers and for operations that a store does not answer any more.
_CLOSING_S = 4.0
_ANSWERING_S = 1.0
_LEAST_GRACE_S = 3.0
_EXIT_S = 0.5
# Pages are parsed in threads: with Python's 5 ms each of them keeps the loop, and so a cancel, waiting (measured: a
# cancel's write took up to 197 ms beside two parsers, 34 ms beside one with this).
_SWITCH_S = 0.0005
# Below the 3 s of the design: the API says 503 within 3.5 s of the loss on a busy machine too.
_MAX_STORE_TIMEOUT_S = 2.75


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that reads and writes our data."""

    database: Database
    cache: Cache
    log: EventLog
    announcer: TaskAnnouncer
    tasks: TaskStore
    sets: TaskSets
    queries: TaskQueries
    events: EventStore
    items: ItemStore
    frontier: FrontierStore
    artifacts: ArtifactStore

    async def ensure_indexes(self) -> None:
        """Make every index that is missing."""
        for store in (self.tasks, self.events, self.items, self.frontier, self.artifacts):
            await store.ensure_indexes()


@dataclass(frozen=True, slots=True)
class Running:
    """What has to be told when the server leaves."""

    services: Services
    runner: Runner
    sweeper: Sweeper
    kill_stores: Callable[[], None] = lambda: None


class StartError(Exception):
    """The server cannot start; the message says what to do."""


async def startup(settings: Settings, clock: Clock, closing: AsyncExitStack) -> Running:
    """Open everything, in order; `closing` closes it in reverse. Raises StartError."""
    logger.info("🚀 MediaCrawer Pro 正在启动...")
    logger.info("📦 正在连接数据库...")
    try:
        embedded = await _start_embedded(settings, closing)
        database = await _open_database(settings, clock, embedded, closing)
        logger.info("🗄️  正在连接 Redis...")
        cache = await _open_cache(settings, clock, embedded, closing)
    except EmbeddedStoreError as error:
        raise StartError(error.message.both()) from error
    log = _open_log(settings, clock, embedded, closing)
    stores = _stores(settings, clock, database, cache, log)
    await _ensure_indexes(stores)
    # Stopped after the runner and before the stores: what the last runs changed is announced yet.
    await stores.announcer.start()
    closing.push_async_callback(stores.announcer.stop)
    hub = EventHub(log, clock=clock, forever=Edge().forever)
    await hub.start()
    closing.push_async_callback(hub.stop)
    closing.push_async_callback(stores.artifacts.close)
    await stores.artifacts.sweep_parts()
    tools = await _open_tools(settings, closing)
    running = await _open_runner(settings, clock, stores, tools, closing, hub=hub)
    await running.services.system.start()
    closing.push_async_callback(running.services.system.stop)
    if embedded.mongo is not None:
        # The lock on DATA_DIR says that we are alone: what earlier starts held is nobody's.
        taken_back = await running.sweeper.reap_own_past(_instance_id(settings.data_dir))
        if taken_back:
            logger.info("taken back from an earlier start: {} tasks", taken_back)
    await running.sweeper.start()
    closing.push_async_callback(running.sweeper.stop)
    logger.info("✅ 所有服务初始化完成！")
    return replace(running, kill_stores=embedded.kill)


async def _ensure_indexes(stores: Stores) -> None:
    try:
        with stores.database.building_indexes():
            await stores.ensure_indexes()
    except StoreRefusedError as error:
        raise StartError(
            f"MongoDB 拒绝建立索引，请删除冲突的索引后重试 ({error.detail}) / MongoDB refused an index:"
            f" drop the one that is in its way, then start again ({error.detail})"
        ) from error


async def _start_embedded(settings: Settings, closing: AsyncExitStack) -> EmbeddedStores:
    is_memory = settings.stores == "memory"
    if is_memory:
        warn_of_memory_stores()
    with_mongo = settings.mongodb_url is None and not is_memory
    with_valkey = settings.redis_url is None and not is_memory and not NO_VALKEY
    embedded = EmbeddedStores(settings.data_dir, with_mongo=with_mongo, with_valkey=with_valkey)
    if not (with_mongo or with_valkey):
        return embedded
    await embedded.start()
    closing.push_async_callback(embedded.stop)
    keeper = asyncio.create_task(Edge().forever("embedded-stores", embedded.supervise), name="embedded-stores")
    closing.push_async_callback(_end, keeper)
    return embedded


async def _open_database(
    settings: Settings, clock: Clock, embedded: EmbeddedStores, closing: AsyncExitStack
) -> Database:
    is_memory = settings.stores == "memory"
    url = settings.mongodb_url or (embedded.mongo.uri if embedded.mongo else "") or ""
    timeout_s = min(_MAX_STORE_TIMEOUT_S, settings.lease_s / 5)
    database = Database(url, settings.mongodb_database, clock=clock, timeout_s=timeout_s, is_memory=is_memory)
    try:
        await database.connect()
    except StoreUnavailableError as error:
        raise StartError(
            f"MONGODB_URL 无法连接 ({error.detail})，请检查地址与服务 / MONGODB_URL does not answer ({error.detail}):"
            " check the address and that MongoDB runs"
        ) from error
    closing.push_async_callback(database.close)
    return database


async def _open_cache(settings: Settings, clock: Clock, embedded: EmbeddedStores, closing: AsyncExitStack) -> Cache:
    url = settings.redis_url or (embedded.valkey.uri if embedded.valkey else "") or ""
    cache = Cache(url, clock=clock, is_memory=_is_bell_in_memory(settings))
    try:
        await cache.connect()
    except StoreUnavailableError as error:
        raise StartError(
            f"REDIS_URL 无法连接 ({error.detail})，请检查地址与服务 / REDIS_URL does not answer ({error.detail}):"
            " check the address and that Redis runs"
        ) from error
    closing.push_async_callback(cache.close)
    return cache


def _open_log(settings: Settings, clock: Clock, embedded: EmbeddedStores, closing: AsyncExitStack) -> EventLog:
    url = settings.redis_url or (embedded.valkey.uri if embedded.valkey else "") or ""
    log = EventLog(url, name=settings.mongodb_database, clock=clock, is_memory=_is_bell_in_memory(settings))
    log.open()
    closing.push_async_callback(log.close)
    return log


def _is_bell_in_memory(settings: Settings) -> bool:
    return settings.stores == "memory" or (NO_VALKEY and settings.redis_url is None)


def _stores(settings: Settings, clock: Clock, database: Database, cache: Cache, log: EventLog) -> Stores:
    announcer = TaskAnnouncer(database, log, clock=clock, forever=Edge().forever)
    return Stores(
        database=database,
        cache=cache,
        log=log,
        announcer=announcer,
        tasks=TaskStore(database, clock=clock, announcer=announcer),
        sets=TaskSets(database, clock=clock, announcer=announcer),
        queries=TaskQueries(database),
        events=EventStore(database, announcer=announcer),
        items=ItemStore(database),
        frontier=FrontierStore(database, clock=clock),
        artifacts=ArtifactStore(database, settings.data_dir / "artifacts", clock),
    )


@dataclass(frozen=True, slots=True)
class Tools:
    """What reaches the outside: the network gate, child processes, and the platforms that use them."""

    gate: HttpGate
    children: Children
    policy: NetworkPolicy
    platforms: PlatformRegistry
    providers: ProviderRegistry

    @property
    def known(self) -> dict[str, Platform]:
        """Everything a task can name as its platform."""
        return {**self.platforms, **self.providers}


async def _open_tools(settings: Settings, closing: AsyncExitStack) -> Tools:
    environ = vendor_environ(settings)
    try:
        platforms, providers = load_platforms(environ), load_providers(environ)
    except ValueError as error:
        raise StartError(str(error)) from error
    policy = NetworkPolicy(
        allow_private=tuple(str(network) for network in settings.allow_private_networks),
        trusted_origins=providers.trusted_origins,
        denied=frozenset({("*", settings.port), *_store_addresses(settings)}),
    )
    gate = HttpGate(policy=policy, user_agent=USER_AGENT, trusted_limit=max(200, settings.max_running_tasks))
    await gate.start()
    closing.push_async_callback(gate.stop)
    children = Children()
    await children.start()
    closing.push_async_callback(children.stop)
    return Tools(gate, children, policy, platforms, providers)


def _executors(clock: Clock, stores: Stores, tools: Tools) -> dict[TaskKind, Executor]:
    crawl = CrawlTools(tools.gate, stores.items, stores.frontier, clock)
    generate = GenerateTools(tools.gate, stores.artifacts, stores.items, tools.children, clock)
    return {
        TaskKind.CRAWL: CrawlExecutor(tools.platforms, crawl),
        TaskKind.GENERATE: GenerateExecutor(tools.providers, generate),
    }


async def _open_runner(
    settings: Settings, clock: Clock, stores: Stores, tools: Tools, closing: AsyncExitStack, *, hub: EventHub
) -> Running:
    executors = _executors(clock, stores, tools)
    known = tools.known
    slots = Slots(
        [one.info for one in known.values()],
        total=settings.max_running_tasks,
        by_kind={TaskKind.CRAWL: settings.max_running_crawls},
    )
    worker_id = f"{_instance_id(settings.data_dir)}-{secrets.token_hex(3)}"
    bell = await _open_bell(settings, stores, worker_id, closing) if _has_others(settings) else None
    runner = Runner(
        *(RunnerStores(stores.database, stores.cache, stores.tasks, stores.events), executors, slots),
        clock=clock,
        worker_id=worker_id,
        lease_s=settings.lease_s,
        use_threads=settings.execution_mode == "thread",
        shared=_shared_slots(settings, clock, stores, known) if bell is not None else None,
    )
    await runner.start()
    closing.push_async_callback(runner.stop)
    drafter = _drafter(settings, tools)
    tasks = _task_service(clock, stores, drafter, runner, hub)
    sets = SetService(stores.tasks, stores.sets, stores.queries, cache=stores.cache, clock=clock, runner=runner)
    sweeper = _sweeper(clock, stores, runner, executors, tasks)
    tasks.recount_with(sweeper)
    sets.recount_with(sweeper)
    if bell is not None:
        runner.when_put_off(bell.ring)
        bell.when_rung(sweeper.heed_others)
    services = Services(
        tasks=tasks,
        batches=BatchService(tasks, store=stores.tasks, sets=stores.sets, clock=clock, drafter=drafter),
        sets=sets,
        items=ItemService(stores.items, stores.frontier),
        artifacts=ArtifactService(stores.artifacts),
        platforms=PlatformService(known.values()),
        events=hub,
        system=_system(settings, clock, stores, tools, runner),
    )
    return Running(services, runner, sweeper)


def _has_others(settings: Settings) -> bool:
    """Whether other servers may share our stores; with embedded ones we are alone, and pay for no company."""
    return settings.mongodb_url is not None and settings.redis_url is not None


def _shared_slots(settings: Settings, clock: Clock, stores: Stores, known: dict[str, Platform]) -> SharedSlots:
    board = SlotBoard(stores.cache, database=settings.mongodb_database, lease_s=settings.lease_s)
    infos = [one.info for one in known.values()]
    caps = {one.id: one.max_running for one in infos if one.max_running is not None and not one.is_cap_per_server}
    return SharedSlots(board, caps, clock=clock, lease_s=settings.lease_s)


async def _open_bell(settings: Settings, stores: Stores, worker_id: str, closing: AsyncExitStack) -> WakeBell:
    bell = WakeBell(stores.cache, database=settings.mongodb_database, worker_id=worker_id)
    await bell.start()
    # Closed after the runner: the last slot that it gives back is still rung for.
    closing.push_async_callback(bell.stop)
    return bell


def _sweeper(
    clock: Clock, stores: Stores, runner: Runner, executors: dict[TaskKind, Executor], tasks: TaskService
) -> Sweeper:
    removals = (stores.items.delete_of, stores.frontier.delete_of, stores.artifacts.delete_of, stores.events.delete_of)
    strays = StrayTasks(stores.database, clock=clock, announcer=stores.announcer)
    repair = TimeRepair(stores.database, clock=clock, lease_s=runner.keeper.lease_s, longest_lease_s=LONGEST_LEASE_S)
    return Sweeper(
        *(stores.tasks, runner, executors),
        clock=clock,
        start_task=tasks.schedule_found,
        removals=removals,
        # Parts too: a server that was killed beside this one, on the same files, may never start again.
        chores=(
            *(repair.run, stores.artifacts.sweep_files, stores.artifacts.sweep_parts),
            lambda: strays.tell(runner.slots.platforms),
        ),
    )


def _drafter(settings: Settings, tools: Tools) -> TaskDrafter:
    defaults = TaskDefaults(
        max_attempts=settings.max_attempts,
        deadline_s={TaskKind.CRAWL: settings.crawl_deadline_s, TaskKind.GENERATE: settings.generate_deadline_s},
        is_held=settings.execution_mode == "held",
    )
    return TaskDrafter(tools.known, policy=tools.policy, defaults=defaults)


def _task_service(clock: Clock, stores: Stores, drafter: TaskDrafter, runner: Runner, hub: EventHub) -> TaskService:
    return TaskService(
        *(stores.tasks, stores.queries, stores.events),
        cache=stores.cache,
        clock=clock,
        drafter=drafter,
        runner=runner,
        hub=hub,
    )


def _system(settings: Settings, clock: Clock, stores: Stores, tools: Tools, runner: Runner) -> SystemService:
    async def runner_state() -> RunnerState:
        pending = await stores.tasks.count_by_status([TaskStatus.PENDING])
        live = runner.live()
        return RunnerState(runner.is_beating, len(live), pending[TaskStatus.PENDING], runner.slots.total)

    def live() -> Live:
        connections = tools.gate.live()
        return Live(
            tasks=[run.task_id for run in runner.live()],
            requests=connections.requests,
            sockets=connections.sockets,
            children=tools.children.live(),
            part_files=stores.artifacts.part_files(),
        )

    parts = SystemParts(
        database=stores.database,
        cache=stores.cache,
        runner=runner_state,
        live=live,
        find_ffmpeg=lambda: str(find_ffmpeg() or "") or None,
        data_dir=settings.data_dir,
        is_mongodb_embedded=settings.mongodb_url is None and settings.stores != "memory",
        is_redis_embedded=settings.redis_url is None and settings.stores != "memory",
    )
    return SystemService(parts, CodeVersion(Path(backend.__file__).parent), clock=clock, version=backend.__version__)


def _instance_id(data_dir: Path) -> str:
    """Return the id of this installation, made at its first start: never a host name."""
    path = data_dir / "instance_id"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        path.write_text(f"w_{secrets.token_hex(4)}", encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()


def _store_addresses(settings: Settings) -> Iterator[tuple[str, int]]:
    """Yield what the gate must never reach: the stores' own ports, wherever a name leads."""
    for url, default_port in ((settings.mongodb_url, 27_017), (settings.redis_url, 6_379)):
        if url is not None and not url.startswith("unix:"):
            hosts = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
            for host in hosts.split(","):
                port = host.rpartition(":")[2]
                yield "*", int(port) if port.isdigit() else default_port


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


# -- the life of the process -------------------------------------------------------------------------------------


async def main(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""
    try:
        sockets = bind(settings.host, settings.port)
    except PortTakenError as error:
        logger.log("INFO" if error.is_ours else "ERROR", "{}", error)
        return 0 if error.is_ours else CANNOT_START
    stop = _stop_on_signals()
    clock = Clock()
    async with AsyncExitStack() as closing:
        running = await _unless_stopped(startup(settings, clock, closing), stop)
        if running is None:
            logger.info("👋 MediaCrawer Pro 正在关闭...")
            return 0
        garbage = GarbageKeeper(clock=clock)
        garbage.start()
        closing.callback(garbage.stop)
        app = make_app(running.services, settings, clock=clock)
        server = make_server(app, settings)
        server.add_sockets(sockets)
        running.services.system.mark_ready()
        await _announce(settings, sockets, running)
        await stop.wait()
        logger.info("👋 MediaCrawer Pro 正在关闭...")
        leave_within(max(_LEAST_GRACE_S, settings.shutdown_grace_s) - _EXIT_S, kill_children=running.kill_stores)
        left = await _leave(server, app, running, grace_s=settings.shutdown_grace_s)
    if left:
        # A body that would not end keeps its lease; its thread or child must not keep the process.
        os._exit(0)
    return 0


async def _unless_stopped(starting: Coroutine[None, None, Running], stop: asyncio.Event) -> Running | None:
    """Return what was started; None when a signal came first, and what it had opened is to be closed.

    Raises StartError.
    """
    begun = asyncio.create_task(starting, name="startup")
    told = asyncio.create_task(stop.wait(), name="stop-while-starting")
    await asyncio.wait({begun, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if begun.done():
        return begun.result()
    # mongod may take a minute to recover its journal; nobody waits for it in vain.
    begun.cancel()
    await asyncio.wait({begun})
    if not begun.cancelled() and (error := begun.exception()) is not None:
        logger.warning("startup was cut: {}", error)
    return None


async def _announce(settings: Settings, sockets: list[socket.socket], running: Running) -> None:
    about = await running.services.system.about()
    port = sockets[0].getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    logger.opt(depth=1).success(
        "🌐 服务器启动成功！监听端口: {}  http://{}:{}/  (v{} {})", port, host, port, about.version, about.revision
    )


async def _leave(server: HTTPServer, app: App, running: Running, *, grace_s: float) -> int:
    """Stop accepting and claiming, give back what runs, answer what is being answered; return runs left."""
    server.stop()
    running.services.system.mark_draining()
    # Streams are no answers in progress: their readers go to the next server, and go on where they were.
    await app.streams.close()
    await running.sweeper.stop()
    left = await running.runner.drain(grace_s=max(1.0, grace_s - min(_CLOSING_S, 0.4 * grace_s)))
    running.services.events.ring_all()
    try:
        async with asyncio.timeout(_ANSWERING_S):
            await app.answering.over()
            await server.close_all_connections()
    except TimeoutError:
        logger.warning("connections are still open; they are dropped")
    return left


def _stop_on_signals() -> asyncio.Event:
    """Return an event set by the first SIGINT or SIGTERM; a second one leaves at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, on_signal, number)
        except NotImplementedError:
            # Windows: no handlers on the loop.
            signal.signal(number, lambda got, _frame: loop.call_soon_threadsafe(on_signal, got))
    return stop


def run() -> int:
    """Read the settings, then serve; every refusal to start is one line that says what to do."""
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_START
    configure_logs(settings.log_level, settings.log_file, secret_values(settings))
    sys.setswitchinterval(_SWITCH_S)
    arm(settings.crash_point)
    try:
        return asyncio.run(main(settings))
    except StartError as error:
        logger.error("启动失败 / cannot start: {}", error)
        return CANNOT_START
    except StoreUnavailableError as error:
        logger.error("启动失败，存储中途停止响应 / cannot start, the store stopped answering: {}", error.detail)
        return CANNOT_START


if __name__ == "__main__":
    sys.exit(run())
