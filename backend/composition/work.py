"""The runner and its sweeper, with the services between them."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.api.base import Services
from backend.composition.foundation import Foundation
from backend.composition.served import open_services
from backend.core.settings import LONGEST_LEASE_S, Settings
from backend.crawl.executor import CrawlExecutor
from backend.crawl.platform import CrawlTools
from backend.domain.execution import Executor
from backend.domain.task import TaskKind
from backend.generate.executor import GenerateExecutor
from backend.generate.provider import GenerateTools
from backend.runner.bell import WakeBell
from backend.runner.runner import Runner, RunnerStores
from backend.runner.shared_slots import SharedSlots
from backend.runner.slots import Slots
from backend.runner.sweeper import Sweeper
from backend.services.code_version import CodeVersion
from backend.services.event_hub import EventHub
from backend.store.author_salt import AuthorSalt
from backend.store.slots import SlotBoard
from backend.store.stray_tasks import StrayTasks
from backend.store.time_repair import TimeRepair


@dataclass(frozen=True, slots=True)
class Running:
    """What has to be told when the server leaves."""

    services: Services
    runner: Runner
    sweeper: Sweeper
    kill_stores: Callable[[], None] = lambda: None


async def open_runner(base: Foundation, *, hub: EventHub, code: CodeVersion) -> Running:
    """Start the runner of this process start, and make what is served over it. Raises StartError."""
    executors = _executors(base)
    worker_id = f"{instance_id(base.settings.data_dir)}-{secrets.token_hex(3)}"
    bell = await _open_bell(base, worker_id) if _has_others(base.settings) else None
    runner = _make_runner(base, executors, worker_id, is_shared=bell is not None)
    # A stop may come while its start waits for Redis.
    base.closing.push_async_callback(runner.stop)
    await runner.start()
    services = await open_services(base, runner, hub=hub, code=code)
    sweeper = _sweeper(base, runner, executors, services)
    services.tasks.recount_with(sweeper)
    services.sets.recount_with(sweeper)
    if bell is not None:
        runner.when_put_off(bell.ring)
        bell.when_rung(sweeper.heed_others)
    return Running(services, runner, sweeper)


def _make_runner(base: Foundation, executors: dict[TaskKind, Executor], worker_id: str, *, is_shared: bool) -> Runner:
    settings, stores = base.settings, base.stores
    slots = Slots(
        [one.info for one in base.tools.known.values()],
        total=settings.max_running_tasks,
        by_kind={TaskKind.CRAWL: settings.max_running_crawls},
    )
    return Runner(
        RunnerStores(stores.database, stores.cache, stores.tasks, stores.events, stores.challenges),
        *(executors, slots),
        clock=base.clock,
        worker_id=worker_id,
        lease_s=settings.lease_s,
        use_threads=settings.execution_mode == "thread",
        shared=_shared_slots(base) if is_shared else None,
    )


def _executors(base: Foundation) -> dict[TaskKind, Executor]:
    clock, stores, tools = base.clock, base.stores, base.tools
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


def _has_others(settings: Settings) -> bool:
    """Whether other servers may share our stores; with embedded ones we are alone, and pay for no company."""
    return settings.mongodb_url is not None and settings.redis_url is not None


def _shared_slots(base: Foundation) -> SharedSlots:
    settings = base.settings
    board = SlotBoard(base.stores.cache, database=settings.mongodb_database, lease_s=settings.lease_s)
    infos = [one.info for one in base.tools.known.values()]
    caps = {one.id: one.max_running for one in infos if one.max_running is not None and not one.is_cap_per_server}
    return SharedSlots(board, caps, clock=base.clock, lease_s=settings.lease_s)


async def _open_bell(base: Foundation, worker_id: str) -> WakeBell:
    bell = WakeBell(base.stores.cache, database=base.settings.mongodb_database, worker_id=worker_id)
    await bell.start()
    # Closed after the runner: the last slot that it gives back is still rung for.
    base.closing.push_async_callback(bell.stop)
    return bell


def _sweeper(base: Foundation, runner: Runner, executors: dict[TaskKind, Executor], services: Services) -> Sweeper:
    clock, stores = base.clock, base.stores
    holders = (stores.items, stores.frontier, stores.artifacts, stores.events, stores.challenges, stores.field_counts)
    strays = StrayTasks(stores.database, clock=clock, announcer=stores.announcer)
    repair = TimeRepair(stores.database, clock=clock, lease_s=runner.keeper.lease_s, longest_lease_s=LONGEST_LEASE_S)
    return Sweeper(
        *(stores.tasks, runner, executors),
        clock=clock,
        start_task=services.tasks.schedule_found,
        removals=tuple(one.delete_of for one in holders),
        # Parts too: a server that was killed beside this one, on the same files, may never start again.
        chores=(
            *(
                repair.run,
                stores.artifacts.sweep_files,
                stores.artifacts.sweep_parts,
                stores.challenges.sweep,
                services.accounts.refresh,
                services.drift.sweep,
                services.retention.sweep,
            ),
            lambda: strays.tell(runner.slots.platforms),
        ),
    )


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
