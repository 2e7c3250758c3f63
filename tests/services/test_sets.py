"""Cancels of many tasks on real stores and in memory mode: the order, the follow-ups, the line, what is left alone."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
import tornado.ioloop

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.http import NetworkPolicy
from backend.core.logs import captured_log
from backend.domain.errors import CacheUnavailableError, StoreUnavailableError
from backend.domain.execution import TaskContext
from backend.domain.platform import Availability
from backend.domain.task import Books, Ending, Lease, SubmitIntent, Task, TaskKind, TaskStatus, Upstream
from backend.runner.run import Run
from backend.runner.sweeper import Sweeper
from backend.services.batch_service import BatchService
from backend.services.set_service import SetService
from backend.services.task_requests import TaskDefaults, TaskDrafter, TaskRequest
from backend.services.task_service import TaskService
from backend.store.task_queries import TaskQueries, TaskQuery
from backend.store.task_sets import TaskSets
from tests.fixtures.api_server import StandInPlatform, stand_in_platforms
from tests.fixtures.scripted import Bench, hang

ALL = TaskQuery()


class Office:
    """The services of sets with everything below them."""

    def __init__(self, database: Database, cache: Cache, clock: Clock) -> None:
        self.bench = bench = Bench(database, cache, clock)
        self.cache = cache
        self.sets = TaskSets(database, clock=clock)
        self.queries = TaskQueries(database)
        platforms = {"web": StandInPlatform(stand_in_platforms()["web"].info, Availability(available=True))}
        drafter = TaskDrafter(platforms, policy=NetworkPolicy(), defaults=TaskDefaults(max_attempts=1))
        self.tasks = TaskService(
            *(bench.tasks, self.queries, bench.events), cache=cache, clock=clock, drafter=drafter, runner=bench.runner
        )
        self.batches = BatchService(self.tasks, store=bench.tasks, sets=self.sets, clock=clock, drafter=drafter)
        self.service = SetService(
            *(bench.tasks, self.sets, self.queries), cache=cache, clock=clock, runner=bench.runner
        )
        self.sweeper = Sweeper(
            *(bench.tasks, bench.runner, {TaskKind.CRAWL: bench.executor}),
            clock=clock,
            start_task=self.tasks.schedule_found,
        )
        self.service.recount_with(self.sweeper)

    async def start(self) -> None:
        await self.bench.tasks.ensure_indexes()
        await self.bench.runner.start()

    async def stop(self) -> None:
        await self.bench.runner.drain(grace_s=5)
        await self.bench.runner.stop()

    async def made(self, count: int, *, start: str = "manual") -> list[str]:
        def read(number: int) -> TaskRequest:
            params = {"start_urls": ["https://docs.example.org/"]}
            return TaskRequest("web", params, title=f"{number}", start=start)

        batch = await self.batches.create(range(count), read)
        return [item.task_id or "" for item in batch.items]

    async def given_back(self, task_id: str, *, with_job: bool = False) -> None:
        """A pending task that an earlier start has run; with a job that its provider still has open."""
        tasks = self.bench.tasks
        taken = await tasks.claim(await self.bench.create(task_id), worker_id="w_gone", claim_id="c", lease_s=30)
        assert taken is not None
        if with_job:
            lease = Lease(task_id, "w_gone", taken.fence)
            await tasks.save_intent(lease, SubmitIntent("k", 1, self.bench.clock.now()), Upstream(submits=1))
        await tasks.reap(await self.bench.read(task_id), even_if_alive=True)

    async def statuses(self) -> dict[str, int]:
        return dict((await self.queries.facets(ALL))["status"])


class Bodies:
    """A script whose bodies never end; `all_run` is set when every slot has one."""

    def __init__(self, office: Office) -> None:
        self.all_run = asyncio.Event()
        self._office = office
        self._left = office.bench.slots.total
        office.bench.executor.script = self

    async def __call__(self, context: TaskContext) -> Ending:
        self._left -= 1
        if not self._left:
            self.all_run.set()
        return await hang(context)

    async def reached(self) -> Sequence[Run]:
        await self.all_run.wait()
        return self._office.bench.runner.live()


@pytest.fixture(params=["real stores", "memory mode"])
def office(request: pytest.FixtureRequest, clock: Clock, io_loop: tornado.ioloop.IOLoop) -> Iterator[Office]:
    is_memory = request.param == "memory mode"
    if is_memory:
        database = Database("", "test", clock=clock, is_memory=True)
        cache = Cache("", clock=clock, is_memory=True)
        io_loop.run_sync(database.connect)
        io_loop.run_sync(cache.connect)
    else:
        database, cache = request.getfixturevalue("database"), request.getfixturevalue("cache")
    made = Office(database, cache, clock)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)
    if is_memory:
        io_loop.run_sync(cache.close)
        io_loop.run_sync(database.close)


async def test_set_larger_than_a_batch_is_cancelled_whole_and_said_once(office: Office) -> None:
    await office.made(450)

    with captured_log() as lines:
        done = await office.service.cancel(ALL, by="li")

    assert (done.matched, done.cancelled, done.cancelling) == (450, 450, 0)
    assert await office.statuses() == {"cancelled": 450}
    assert [line.split(" | ")[1].strip() for line in lines if line.endswith("所有任务已取消: 450")] == ["INFO"]


async def test_running_tasks_are_stopped_here_and_end(office: Office) -> None:
    bodies = Bodies(office)
    await office.made(14, start="now")
    runs = await bodies.reached()

    done = await office.service.cancel(ALL, by="li")
    await asyncio.gather(*(run.ended.wait() for run in runs))

    assert (done.matched, done.cancelled, done.cancelling) == (14, 4, 10)
    assert await office.statuses() == {"cancelled": 14}


async def test_earlier_attempts_of_a_cancelled_set_are_counted_with_it(office: Office) -> None:
    office.bench.executor.books = Books(requested=3, ok=2, aborted=1, stored=2)
    for number in range(3):
        await office.given_back(f"t_{number}")

    await office.service.cancel(ALL, by="li")

    tasks = [await office.bench.read(f"t_{number}") for number in range(3)]
    assert [(task.books.ok, task.books.balanced, "books" in task.after) for task in tasks] == [(2, True, False)] * 3


async def test_failing_recount_of_a_set_is_left_to_the_sweeper(office: Office) -> None:
    async def fail(tasks: Sequence[Task]) -> dict[str, Books]:
        raise StoreUnavailableError("ExecutionTimeout")

    await office.given_back("t_1")
    office.bench.executor.recount_many = fail  # type: ignore[method-assign]

    done = await office.service.cancel(ALL, by="li")
    await office.sweeper.sweep()

    assert done.cancelled == 1
    assert "books" not in (await office.bench.read("t_1")).after


async def test_tasks_without_a_job_at_their_provider_come_first(office: Office) -> None:
    order: list[str] = []
    cancel = office.sets.cancel

    async def noted(task_ids: Sequence[str], **more: object) -> Sequence[Task]:
        order.extend(task_ids)
        return await cancel(task_ids, **more)  # type: ignore[arg-type]

    office.sets.cancel = noted  # type: ignore[method-assign]
    await office.given_back("t_with_job", with_job=True)
    await office.given_back("t_without")

    await office.service.cancel(ALL, by="li")
    ended = await office.tasks.wait("t_with_job", until="final", timeout_s=10)

    assert ended.status is TaskStatus.CANCELLED
    assert order == ["t_without", "t_with_job"]
    assert office.bench.executor.abandoned == ["t_with_job"]


async def test_task_that_began_meanwhile_is_no_match_of_a_cancel_of_pending_ones(office: Office) -> None:
    await office.bench.create("t_waits")
    seen = await office.bench.create("t_begins")
    cancel, tasks = office.sets.cancel, office.bench.tasks

    async def late(task_ids: Sequence[str], **more: object) -> Sequence[Task]:
        if "t_begins" in task_ids:
            await tasks.claim(seen, worker_id="w_other", claim_id="c", lease_s=30)
        return await cancel(task_ids, **more)  # type: ignore[arg-type]

    office.sets.cancel = late  # type: ignore[method-assign]
    done = await office.service.cancel(TaskQuery(statuses=(TaskStatus.PENDING,)), by="li")

    assert (done.matched, done.cancelled) == (1, 1)
    assert await office.statuses() == {"cancelled": 1, "running": 1}


async def test_task_that_is_being_cancelled_already_is_told_again(office: Office) -> None:
    await office.given_back("t_open", with_job=True)
    await office.bench.tasks.cancel("t_open", by="li", requested_at=office.bench.clock.now())
    keep, kept = office.bench.tasks.keep, []

    async def noted(task_id: str) -> None:
        kept.append(task_id)
        await keep(task_id)

    office.bench.tasks.keep = noted  # type: ignore[method-assign]
    done = await office.service.cancel(ALL, by="wang")
    task = await office.tasks.wait("t_open", until="final", timeout_s=10)

    assert kept == ["t_open"]
    assert (done.matched, done.cancelled, done.cancelling) == (1, 0, 1)
    assert task.cancel is not None
    assert task.cancel.requested_by == "li"


async def test_set_cancel_works_while_redis_is_away(office: Office) -> None:
    asked = []

    async def away(*task_ids: str) -> None:
        asked.append(task_ids)
        raise CacheUnavailableError("ConnectionError")

    office.cache.flag_cancel = away  # type: ignore[method-assign]
    bodies = Bodies(office)
    await office.made(10, start="now")
    runs = await bodies.reached()

    done = await office.service.cancel(ALL, by="li")
    await asyncio.gather(*(run.ended.wait() for run in runs))

    assert done.cancelling == 10
    assert len(asked) == 1


async def test_set_cancel_cut_by_the_store_says_so_and_goes_on_when_repeated(office: Office) -> None:
    await office.made(450)
    cancel, calls = office.sets.cancel, iter([True, False])

    async def once(*args: object, **more: object) -> Sequence[Task]:
        if not next(calls):
            raise StoreUnavailableError("AutoReconnect")
        return await cancel(*args, **more)  # type: ignore[arg-type]

    office.sets.cancel = once  # type: ignore[method-assign]
    with captured_log() as lines, pytest.raises(StoreUnavailableError):
        await office.service.cancel(ALL, by="li")
    office.sets.cancel = cancel  # type: ignore[method-assign]

    again = await office.service.cancel(ALL, by="li")

    assert again.matched == 350
    assert [line for line in lines if "WARNING" in line and "已取消 100 个" in line]
    assert await office.statuses() == {"cancelled": 450}


async def test_two_cancels_of_one_set_share_it_between_them(office: Office) -> None:
    await office.made(450)

    both = await asyncio.gather(*(office.service.cancel(ALL, by=name) for name in ("li", "wang")))

    assert sum(done.matched for done in both) == 450
    assert await office.statuses() == {"cancelled": 450}


async def test_burst_of_single_creates_spawns_no_more_than_there_are_slots(office: Office) -> None:
    bodies = Bodies(office)
    spawned: list[str] = []
    schedule = office.tasks.schedule

    def counted(task: Task) -> None:
        spawned.append(task.task_id)
        schedule(task)

    office.tasks.schedule = counted  # type: ignore[method-assign]
    request = TaskRequest("web", {"start_urls": ["https://docs.example.org/"]})

    await asyncio.gather(*(office.tasks.create_task(request) for _ in range(60)))
    await bodies.reached()

    assert len(spawned) == office.bench.slots.total
