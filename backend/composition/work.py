"""The runner, its sweeper, and the services over them."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import backend
from backend.api.base import Services
from backend.composition.stores import StartError, Stores
from backend.composition.tools import Tools
from backend.core.clock import Clock
from backend.core.passwords import Passwords
from backend.core.settings import LONGEST_LEASE_S, Settings, is_reachable
from backend.crawl.executor import CrawlExecutor
from backend.crawl.platform import CrawlTools
from backend.domain.execution import Executor
from backend.domain.task import TaskKind, TaskStatus
from backend.generate.executor import GenerateExecutor
from backend.generate.media import find_ffmpeg
from backend.generate.provider import GenerateTools
from backend.runner.bell import WakeBell
from backend.runner.edge import Edge
from backend.runner.runner import Runner, RunnerStores
from backend.runner.shared_slots import SharedSlots
from backend.runner.slots import Slots
from backend.runner.sweeper import Sweeper
from backend.services.account_service import AccountService
from backend.services.artifact_service import ArtifactService
from backend.services.batch_service import BatchService
from backend.services.challenge_service import ChallengeService
from backend.services.code_version import CodeVersion
from backend.services.drift_service import DriftService
from backend.services.event_hub import EventHub
from backend.services.exports.service import ExportService
from backend.services.item_service import ItemService
from backend.services.platform_service import PlatformService
from backend.services.retention_service import BY, RetentionService
from backend.services.set_service import SetService
from backend.services.system_service import BrowserState, Live, RunnerState, SystemParts, SystemService
from backend.services.task_access import TaskAccess
from backend.services.task_requests import Platform, TaskDefaults, TaskDrafter
from backend.services.task_service import TaskService
from backend.services.user_directory import UserDirectory
from backend.services.user_service import UserService
from backend.store.author_salt import AuthorSalt
from backend.store.item_reads import ItemReads
from backend.store.slots import SlotBoard
from backend.store.stray_tasks import StrayTasks
from backend.store.time_repair import TimeRepair

_OPEN_TO_OTHERS = (
    "其他机器可以访问本服务器，但没有设置 AUTH_TOKEN，也没有用户：请设置 AUTH_TOKEN，或运行 mediacrawer user add，"
    "或改为 HOST=127.0.0.1 / other machines can reach this server (HOST, PUBLIC_URL or TRUSTED_PROXIES),"
    " AUTH_TOKEN is not set and there is no user: set AUTH_TOKEN, or run mediacrawer user add, or HOST=127.0.0.1"
)


@dataclass(frozen=True, slots=True)
class Running:
    """What has to be told when the server leaves."""

    services: Services
    runner: Runner
    sweeper: Sweeper
    kill_stores: Callable[[], None] = lambda: None


def _executors(clock: Clock, stores: Stores, tools: Tools) -> dict[TaskKind, Executor]:
    crawl = CrawlTools(
        *(tools.gate, stores.items, stores.frontier, clock),
        browsers=tools.browsers,
        artifacts=stores.artifacts,
        author_salt=AuthorSalt(stores.database),
    )
    generate = GenerateTools(tools.gate, stores.artifacts, stores.items, tools.children, clock)
    return {
        TaskKind.CRAWL: CrawlExecutor(tools.platforms, crawl),
        TaskKind.GENERATE: GenerateExecutor(tools.providers, generate),
    }


async def open_runner(
    settings: Settings,
    clock: Clock,
    stores: Stores,
    tools: Tools,
    closing: AsyncExitStack,
    *,
    hub: EventHub,
    code: CodeVersion,
) -> Running:
    """Start the runner of this process start, and make what is served over it."""
    executors = _executors(clock, stores, tools)
    known = tools.known
    slots = Slots(
        [one.info for one in known.values()],
        total=settings.max_running_tasks,
        by_kind={TaskKind.CRAWL: settings.max_running_crawls},
    )
    worker_id = f"{instance_id(settings.data_dir)}-{secrets.token_hex(3)}"
    bell = await _open_bell(settings, stores, worker_id, closing) if _has_others(settings) else None
    runner = Runner(
        *(_runner_stores(stores), executors, slots),
        clock=clock,
        worker_id=worker_id,
        lease_s=settings.lease_s,
        use_threads=settings.execution_mode == "thread",
        shared=_shared_slots(settings, clock, stores, known) if bell is not None else None,
    )
    # A stop may come while its start waits for Redis.
    closing.push_async_callback(runner.stop)
    await runner.start()
    accounts = AccountService(
        *(stores.accounts, tools.logins, tools.browsers), clock=clock, box=stores.box, audit=stores.audit
    )
    await accounts.start()
    closing.push_async_callback(accounts.stop)
    users = await _open_users(settings, stores, closing)
    drafter = _drafter(settings, tools, accounts)
    tasks = _task_service(clock, stores, drafter, runner, hub)
    sets = SetService(stores.tasks, stores.sets, stores.queries, cache=stores.cache, clock=clock, runner=runner)
    drift = DriftService(stores.field_counts, stores.queries, platforms=list(tools.platforms), clock=clock)
    exports = _exports(clock, stores, tools, closing)
    retention = _retention(settings, clock, stores, exports)
    chores = (accounts.refresh, drift.sweep, retention.sweep)
    sweeper = _sweeper(clock, stores, runner, executors, tasks=tasks, chores=chores)
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
        challenges=ChallengeService(stores.challenges),
        accounts=accounts,
        platforms=PlatformService(known.values(), logins=accounts.auth_state),
        drift=drift,
        events=hub,
        exports=exports,
        retention=retention,
        users=users,
        access=TaskAccess(stores.tasks, visibility=settings.task_visibility),
        audit=stores.audit,
        system=_system(settings, clock, stores, tools, runner, code=code),
    )
    return Running(services, runner, sweeper)


def _runner_stores(stores: Stores) -> RunnerStores:
    return RunnerStores(stores.database, stores.cache, stores.tasks, stores.events, stores.challenges)


def _exports(clock: Clock, stores: Stores, tools: Tools, closing: AsyncExitStack) -> ExportService:
    made = ExportService(
        *(ItemReads(stores.database), stores.queries),
        work_folder=stores.artifacts.work_folder,
        children=tools.children,
        platforms={name: one.info for name, one in tools.known.items()},
        clock=clock,
        audit=stores.audit,
    )
    closing.push_async_callback(made.stop)
    return made


async def _open_users(settings: Settings, stores: Stores, closing: AsyncExitStack) -> UserService:
    """Read who there is. Raises StartError where others could reach a server that asks nobody who they are."""
    directory = UserDirectory(stores.users, stores.tokens, box=stores.box, forever=Edge().forever)
    closing.push_async_callback(directory.stop)
    await directory.start()
    if directory.is_empty and settings.auth_token is None and is_reachable(settings):
        raise StartError(_OPEN_TO_OTHERS)
    return UserService(stores.users, stores.tokens, stores.audit, directory, passwords=Passwords())


def _retention(settings: Settings, clock: Clock, stores: Stores, exports: ExportService) -> RetentionService:
    async def purge(task_id: str) -> bool:
        is_gone = await stores.tasks.hide(task_id)
        if is_gone:
            await stores.audit.add("task.purged", by=BY, subject=task_id)
        return is_gone

    return RetentionService(
        *(stores.retention, settings.retention_days),
        purge=purge,
        is_reading=lambda: exports.live > 0,
        data_dir=settings.data_dir,
        clock=clock,
    )


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
    clock: Clock,
    stores: Stores,
    runner: Runner,
    executors: dict[TaskKind, Executor],
    *,
    tasks: TaskService,
    chores: tuple[Callable[[], Awaitable[object]], ...],
) -> Sweeper:
    holders = (stores.items, stores.frontier, stores.artifacts, stores.events, stores.challenges, stores.field_counts)
    strays = StrayTasks(stores.database, clock=clock, announcer=stores.announcer)
    repair = TimeRepair(stores.database, clock=clock, lease_s=runner.keeper.lease_s, longest_lease_s=LONGEST_LEASE_S)
    return Sweeper(
        *(stores.tasks, runner, executors),
        clock=clock,
        start_task=tasks.schedule_found,
        removals=tuple(one.delete_of for one in holders),
        # Parts too: a server that was killed beside this one, on the same files, may never start again.
        chores=(
            *(
                repair.run,
                stores.artifacts.sweep_files,
                stores.artifacts.sweep_parts,
                stores.challenges.sweep,
                *chores,
            ),
            lambda: strays.tell(runner.slots.platforms),
        ),
    )


def _drafter(settings: Settings, tools: Tools, accounts: AccountService) -> TaskDrafter:
    defaults = TaskDefaults(
        max_attempts=settings.max_attempts,
        deadline_s={TaskKind.CRAWL: settings.crawl_deadline_s, TaskKind.GENERATE: settings.generate_deadline_s},
        is_held=settings.execution_mode == "held",
    )
    return TaskDrafter(tools.known, policy=tools.policy, defaults=defaults, login_notice=accounts.notice_of)


def _task_service(clock: Clock, stores: Stores, drafter: TaskDrafter, runner: Runner, hub: EventHub) -> TaskService:
    return TaskService(
        *(stores.tasks, stores.queries, stores.events),
        cache=stores.cache,
        clock=clock,
        drafter=drafter,
        runner=runner,
        hub=hub,
        challenges=stores.challenges,
        audit=stores.audit,
    )


def _system(
    settings: Settings, clock: Clock, stores: Stores, tools: Tools, runner: Runner, *, code: CodeVersion
) -> SystemService:
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

    def browser_state() -> BrowserState:
        open_now = tools.browsers.live()
        return BrowserState(tools.browsers.availability(), open_now.tabs, open_now.browsers)

    parts = SystemParts(
        database=stores.database,
        cache=stores.cache,
        runner=runner_state,
        live=live,
        find_ffmpeg=lambda: str(find_ffmpeg() or "") or None,
        browser=browser_state,
        data_dir=settings.data_dir,
        is_mongodb_embedded=settings.mongodb_url is None and settings.stores != "memory",
        is_redis_embedded=settings.redis_url is None and settings.stores != "memory",
        shutdown_grace_s=settings.shutdown_grace_s,
    )
    return SystemService(parts, code, clock=clock, version=backend.__version__)


def instance_id(data_dir: Path) -> str:
    """Return the id of this installation, made at its first start: never a host name."""
    path = data_dir / "instance_id"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        # Renamed when whole: an id cut short by a kill would stay so for good.
        made = path.with_name(f"instance_id.{secrets.token_hex(4)}.new")
        made.write_text(f"w_{secrets.token_hex(4)}", encoding="utf-8")
        made.replace(path)
    return path.read_text(encoding="utf-8").strip()
