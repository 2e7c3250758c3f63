"""What the stores change, told in order, once, and by who won: on Valkey and mongod, and in memory mode."""

import asyncio
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.event_log import Addition, EventLog
from backend.domain.errors import CacheUnavailableError, LeaseLostError, StoreUnavailableError
from backend.domain.event import LinesAdded, TaskChanged, TaskEvent
from backend.domain.log import LogLine
from backend.domain.task import Books, Progress, Task, TaskStatus, Upstream
from backend.store import announcing
from backend.store.announcing import TaskAnnouncer
from backend.store.event_payloads import event_of
from backend.store.events import EventStore
from backend.store.task_documents import Document
from backend.store.tasks import TaskStore
from tests.fixtures.task_desk import DONE, LEASE_S, NOTICE, Desk, lease_of

LIMIT = 1_000


class Told(Desk):
    """A desk whose changes are announced."""

    def __init__(self, store: TaskStore, clock: object, announcer: TaskAnnouncer, log: EventLog) -> None:
        super().__init__(store, clock)  # type: ignore[arg-type]
        self.announcer = announcer
        self.log = log

    async def events(self) -> list[TaskEvent]:
        await self.announcer.idle()
        return [event_of(one.subject, one.payload) for one in (await self.log.tail(limit=LIMIT)).changes]

    async def changes(self) -> list[tuple[str, int, bool]]:
        found = [one for one in await self.events() if isinstance(one, TaskChanged)]
        return [(one.task.status.value, one.task.version, one.is_final) for one in found]

    async def ends(self) -> list[str]:
        """Return the ids of tasks in the order of their final events."""
        return [one.task.task_id for one in await self.events() if isinstance(one, TaskChanged) and one.is_final]


@pytest.fixture
def log(desk: Desk, request: pytest.FixtureRequest, io_loop: tornado.ioloop.IOLoop) -> Iterator[EventLog]:
    is_memory = desk.store._db.is_memory
    url = "" if is_memory else request.getfixturevalue("redis_url")
    made = EventLog(url, name=uuid.uuid4().hex, clock=Clock(), is_memory=is_memory)
    made.open()
    yield made
    io_loop.run_sync(made.close)


@pytest.fixture
def told(desk: Desk, log: EventLog, io_loop: tornado.ioloop.IOLoop) -> Iterator[Told]:
    database: Database = desk.store._db
    announcer = TaskAnnouncer(database, log, clock=Clock())
    io_loop.run_sync(announcer.start)
    yield Told(TaskStore(database, clock=desk.clock, announcer=announcer), desk.clock, announcer, log)
    io_loop.run_sync(announcer.stop)


async def finished(told: Told) -> None:
    task = await told.claimed()
    await told.store.finish(task, lease_of(task), DONE, books=Books())


async def cancelled_while_pending(told: Told) -> None:
    await told.made()
    await told.cancel()


async def cancelled_between_two_runs(told: Told) -> None:
    await told.waiting()
    await told.cancel()
    await told.store.save_final_books("t_1", Books(requested=1, aborted=1))


async def reaped_while_cancelling(told: Told) -> None:
    await told.claimed()
    await told.cancel()
    told.clock.advance(LEASE_S + 1)
    await told.store.reap(await told.read())
    await told.store.save_final_books("t_1", Books())


async def reaped_to_dead(told: Told) -> None:
    task = await told.made()
    while task.status is not TaskStatus.FAILED:
        claimed = await told.claimed(task, claim_id=f"c{task.fence}")
        told.clock.advance(LEASE_S + 1)
        reaped = await told.store.reap(claimed)
        assert reaped is not None
        task = reaped
    await told.store.save_final_books("t_1", Books())


async def abandoned(told: Told) -> None:
    await told.with_open_job()
    await told.cancel()
    told.clock.advance(LEASE_S + 1)
    taken = await told.store.take_for_abandon(await told.read(), worker_id="w-2", lease_s=LEASE_S)
    assert taken is not None
    await told.store.finish(taken, lease_of(taken), DONE, books=Books())


async def changed_by_a_bulk_update(told: Told) -> None:
    await told.made()
    silent = TaskStore(told.store._db, clock=told.clock)
    await silent.cancel("t_1", by="li", requested_at=told.clock.now())
    told.store._changed_unseen(["t_1"])


ENDS: dict[str, Callable[[Told], object]] = {
    one.__name__: one
    for one in (
        finished,
        cancelled_while_pending,
        cancelled_between_two_runs,
        reaped_while_cancelling,
        reaped_to_dead,
        abandoned,
        changed_by_a_bulk_update,
    )
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
async def test_every_kind_of_end_has_one_final_event_and_it_is_the_last(told: Told, end: Callable[..., object]) -> None:
    await end(told)  # type: ignore[misc]
    await told.store.announce_ends(limit=10)

    changes = await told.changes()
    assert [is_final for _, _, is_final in changes].count(True) == 1
    assert changes[-1][2]
    assert (await told.read()).after == ()


async def test_versions_rise_with_every_event_of_a_task(told: Told) -> None:
    await told.with_open_job()
    await told.cancel()

    versions = [version for _, version, _ in await told.changes()]

    assert versions == [1, 2, 3, 4]


async def test_first_event_says_that_the_task_is_new(told: Told) -> None:
    await told.claimed()

    events = [one for one in await told.events() if isinstance(one, TaskChanged)]

    assert [one.is_new for one in events] == [True, False]


async def test_event_shows_the_task_as_the_update_left_it(told: Told) -> None:
    await told.waiting()

    last = (await told.events())[-1]

    assert isinstance(last, TaskChanged)
    assert (last.task.status, last.task.notice, last.task.title) == (TaskStatus.WAITING, NOTICE, "x")
    assert last.task.updated_at == told.clock.now()


async def test_end_that_waits_for_its_books_is_told_at_once_and_is_not_final(told: Told) -> None:
    await told.waiting()
    await told.cancel()

    assert (await told.changes())[-1] == ("cancelled", 4, False)
    assert (await told.read()).after == ("books", "event")


async def test_repeat_of_an_end_whose_answer_was_lost_is_one_event(told: Told) -> None:
    task = await told.claimed()

    for _ in range(2):
        assert await told.store.finish(task, lease_of(task), DONE, books=Books())

    assert await told.ends() == ["t_1"]


async def test_two_processes_never_tell_an_older_version_after_a_newer_one(told: Told) -> None:
    database = told.store._db
    silent = TaskStore(database, clock=told.clock)
    task = await told.claimed()
    await told.announcer.idle()
    rows = []
    for submits in (1, 2):
        await silent.save_upstream(lease_of(task), Upstream(submits=submits), is_open=True, drop_intent=False)
        rows.append(await database.do(told.store._tasks.find_one({"_id": "t_1"})))
    for row in reversed(rows):
        other = TaskAnnouncer(database, told.log, clock=Clock())
        await other.start()
        other.changed(row)
        await other.stop()

    assert [version for _, version, _ in await told.changes()] == [1, 2, 4]


async def test_write_of_a_run_whose_lease_is_lost_tells_nothing(told: Told) -> None:
    task = await told.claimed()
    told.clock.advance(LEASE_S + 1)
    await told.store.reap(task)
    before = await told.changes()

    with pytest.raises(LeaseLostError):
        await told.store.save_upstream(lease_of(task), Upstream(), is_open=False, drop_intent=False)
    assert not await told.store.finish(task, lease_of(task), DONE, books=Books())

    assert await told.changes() == before


async def test_line_of_a_run_whose_lease_is_lost_is_not_shown(told: Told) -> None:
    lines = EventStore(told.store._db, announcer=told.announcer)
    await lines.ensure_indexes()
    zombie = await told.claimed()
    told.clock.advance(LEASE_S + 1)
    reaped = await told.store.reap(zombie)
    owner = await told.claimed(reaped, worker_id="w-2", claim_id="c2")
    await told.announcer.idle()

    async with told.log.subscription() as heard:
        await lines.add_lines([(lease_of(zombie), LogLine(7, told.clock.now(), "info", "late"))])
        await lines.add_lines([(lease_of(owner), LogLine(1, told.clock.now(), "info", "mine"))])
        (told_of,) = await heard.next(timeout_s=5)

    event = event_of("t_1", told_of.payload)
    assert isinstance(event, LinesAdded)
    assert [line.message for line in event.lines] == ["mine"]


async def test_lines_of_a_repeated_batch_are_told_once(told: Told) -> None:
    lines = EventStore(told.store._db, announcer=told.announcer)
    task = await told.claimed()
    batch = [(lease_of(task), LogLine(seq, told.clock.now(), "info", str(seq))) for seq in (1, 2)]
    await told.announcer.idle()

    async with told.log.subscription() as heard:
        await lines.add_lines(batch)
        (first,) = await heard.next(timeout_s=5)
        await told.announcer.idle()
        second = await heard.next(timeout_s=0.05)

    assert [line.seq for line in event_of("t_1", first.payload).lines] == [1, 2]  # type: ignore[union-attr]
    assert second == ()


async def test_progress_is_told_in_passing_and_only_when_somebody_follows(told: Told) -> None:
    task = await told.claimed()
    await told.announcer.idle()
    await told.log.watch()

    async with told.log.subscription() as heard:
        await told.store.save_progress([(lease_of(task), Progress(done=3), None)])
        (told_of,) = await heard.next(timeout_s=5)

    assert told_of.position is None
    event = event_of("t_1", told_of.payload)
    assert isinstance(event, TaskChanged)
    assert (event.task.progress.done, event.task.version, event.is_final) == (3, task.version + 1, False)


async def test_progress_of_a_task_is_told_at_most_four_times_a_second(told: Told) -> None:
    task = await told.claimed()
    await told.announcer.idle()
    await told.log.watch()
    heard_frames = 0

    async with told.log.subscription() as heard:
        for done in range(30):
            await told.store.save_progress([(lease_of(task), Progress(done=done), None)])
        started = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - started < 0.6:
            heard_frames += len(await heard.next(timeout_s=0.05))

    # One at once, one a quarter of a second later with the newest, and one that the writing itself may have taken.
    assert 1 <= heard_frames <= 4


class BrokenLog(EventLog):
    """Fails as often as it is told to."""

    breaks = 0

    async def _run(self, script: object, arguments: object) -> object:
        if self.breaks:
            self.breaks -= 1
            raise CacheUnavailableError("broken")
        return await super()._run(script, arguments)  # type: ignore[arg-type]


async def test_what_redis_could_not_take_makes_a_new_epoch(database: Database, redis_url: str) -> None:
    log = BrokenLog(redis_url, name=uuid.uuid4().hex, clock=Clock())
    log.open()
    announcer = TaskAnnouncer(database, log, clock=Clock())
    store = TaskStore(database, clock=Clock(), announcer=announcer)
    await announcer.start()
    before = await log.look()
    log.breaks = 3
    await Desk(store, Clock()).made()  # type: ignore[arg-type]
    await announcer.idle()

    after = await log.look()

    assert after.epoch != before.epoch
    await announcer.stop()
    await log.close()


class Watched(EventLog):
    """A log that cannot say whether it is watched, and that notes what is asked of it."""

    def __init__(self, url: str) -> None:
        super().__init__(url, name=uuid.uuid4().hex, clock=Clock())
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def is_watched(self) -> bool:
        self.was_asked.set()
        raise CacheUnavailableError("no answer in time")

    async def add(self, additions: Sequence[Addition]) -> list[bool]:
        self.asked.append("add")
        self.was_asked.set()
        await self.may_go_on.wait()
        return await super().add(additions)

    async def renew(self) -> None:
        self.asked.append("renew")
        await super().renew()


@pytest.fixture
def watched(database: Database, redis_url: str, io_loop: tornado.ioloop.IOLoop) -> Iterator[tuple[Told, Watched]]:
    log = Watched(redis_url)
    log.open()
    announcer = TaskAnnouncer(database, log, clock=Clock())
    io_loop.run_sync(announcer.start)
    yield Told(TaskStore(database, clock=Clock(), announcer=announcer), Clock(), announcer, log), log
    io_loop.run_sync(announcer.stop)
    io_loop.run_sync(log.close)


async def test_progress_that_redis_could_not_take_voids_no_cursor(watched: tuple[Told, Watched]) -> None:
    told, log = watched
    task = await told.claimed()
    await told.announcer.idle()
    log.was_asked.clear()

    await told.store.save_progress([(lease_of(task), Progress(done=3), None)])
    await log.was_asked.wait()
    await told.store.finish(task, lease_of(task), DONE, books=Books())

    assert await told.ends() == ["t_1"]
    assert "renew" not in log.asked


async def test_loss_is_said_before_what_came_after_it(
    watched: tuple[Told, Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, log = watched
    monkeypatch.setattr(announcing, "MAX_WAITING", 2)
    log.may_go_on.clear()
    await told.made("t_0")
    await log.was_asked.wait()

    for number in range(1, 4):
        await told.made(f"t_{number}")
    log.may_go_on.set()
    await told.announcer.idle()

    assert log.asked == ["add", "renew", "add"]
    assert [one.task.task_id for one in await told.events() if isinstance(one, TaskChanged)] == ["t_3"]


async def test_change_that_a_killed_process_told_nobody_is_told_by_the_next_start(
    database: Database, redis_url: str
) -> None:
    log = EventLog(redis_url, name=database.name, clock=Clock())
    log.open()
    await log.add([Addition("t_0", 1, 0, b"")])
    epoch = (await log.look()).epoch
    silent = TaskStore(database, clock=Clock())
    await Desk(silent, Clock()).made(is_held=True)  # type: ignore[arg-type]
    announcer = TaskAnnouncer(database, log, clock=Clock())

    for _ in range(2):
        await announcer.start()
        await announcer.idle()
        await announcer.stop()

    tail = await log.tail(limit=LIMIT)
    assert [one.subject for one in tail.changes] == ["t_0", "t_1"]
    assert tail.epoch == epoch
    await log.close()


class Forgetful(Database):
    """Breaks down at the first chance, and has forgotten then what was not in the journal yet."""

    lost: Document | None = None

    async def keep(self, name: str, identity: str) -> None:
        if self.lost is not None:
            before, self.lost = self.lost, None
            await self.do(self.collection(name).replace_one({"_id": identity}, before))
            raise StoreUnavailableError("AutoReconnect")
        await super().keep(name, identity)


async def test_end_that_mongodb_forgot_is_not_told(
    mongo_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "_AGAIN_S", 0.01)
    database = Forgetful(mongo_url, f"t_{uuid.uuid4().hex}", clock=Clock())
    await database.connect()
    log = EventLog(redis_url, name=database.name, clock=Clock())
    log.open()
    announcer = TaskAnnouncer(database, log, clock=Clock())
    await announcer.start()
    told = Told(TaskStore(database, clock=Clock(), announcer=announcer), Clock(), announcer, log)
    await told.made()
    database.lost = await database.do(told.store._tasks.find_one({"_id": "t_1"}))

    await told.store.cancel("t_1", by="li", requested_at=Clock().now())

    assert await told.changes() == [("pending", 1, False)]
    await announcer.stop()
    await log.close()
    await database.do(database._database().client.drop_database(database.name))
    await database.close()


async def test_end_that_was_lost_is_told_by_the_sweep(told: Told) -> None:
    silent = TaskStore(told.store._db, clock=told.clock)
    task = await told.claimed()
    await silent.finish(task, lease_of(task), DONE, books=Books())
    await told.announcer.idle()

    assert await told.store.announce_ends(limit=10) == 1

    assert await told.ends() == ["t_1"]
    assert await told.store.announce_ends(limit=10) == 0


async def test_change_waits_for_nothing(told: Told) -> None:
    task = await told.claimed()
    row = await told.store._db.do(told.store._tasks.find_one({"_id": task.task_id}))
    started = Clock().elapsed()

    for _ in range(1_000):
        told.announcer.changed(row)

    assert Clock().elapsed() - started < 1
    assert timedelta(0) <= told.clock.now() - task.updated_at


async def test_event_of_a_cancel_carries_its_task(told: Told) -> None:
    await cancelled_while_pending(told)

    last: Task = (await told.events())[-1].task  # type: ignore[union-attr]

    assert (last.status, last.cancel_latency_ms) == (TaskStatus.CANCELLED, 40.0)
