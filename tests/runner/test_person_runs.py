"""A task that waits for a person with its page open: what is stored, whose slot it is, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import tornado.ioloop

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.challenge import Challenge, ChallengeKind
from backend.domain.errors import NeedsPersonError, StoreUnavailableError
from backend.domain.execution import TaskContext
from backend.domain.task import Books, Ending, Notice, Stage, StopReason, Task, TaskStatus
from backend.domain.text import Text
from backend.runner import person, supervisor
from tests.fixtures.pictures import JPEG, png
from tests.fixtures.scripted import DONE, Bench

SCAN = Challenge(ChallengeKind.QR, screenshot=JPEG, qr=png(), page_url="https://www.example.org/login")
LOGIN = Challenge(ChallengeKind.LOGIN)

Answer = Callable[[], Awaitable[Any]]


@dataclass
class Person:
    """Solves it when told; `asked` is set when the page has been looked at."""

    is_done: bool = False
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    async def is_solved(self) -> bool:
        self.loop.call_soon_threadsafe(self.asked.set)
        return self.is_done

    async def need(self, context: TaskContext) -> Ending:
        context.progress(stage=Stage.FETCH)
        await context.wait_for_person(SCAN, self.is_solved)
        return DONE


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person, "_ASK_EVERY_S", 0.005)


@pytest.fixture(params=["loop", "thread"])
def either(
    request: pytest.FixtureRequest, database: Database, cache: Cache, clock: Clock, io_loop: tornado.ioloop.IOLoop
) -> Iterator[Bench]:
    """One server with one slot, in either mode."""

    async def make() -> Bench:
        made = Bench(database, cache, clock, use_threads=request.param == "thread", slots=1)
        await made.tasks.ensure_indexes()
        await made.runner.start()
        return made

    made = io_loop.run_sync(make)
    yield made
    io_loop.run_sync(made.runner.stop)


async def asked(bench: Bench, who: Person, task_id: str = "t_1") -> "asyncio.Task[bool]":
    """Bring a task to where it waits for this person."""
    bench.executor.script = who.need
    running = asyncio.create_task(bench.run(await bench.create(task_id)))
    await asyncio.wait_for(who.asked.wait(), 10)
    return running


async def stored(bench: Bench) -> int:
    database = bench.tasks._db
    return int(await database.do(database.collection("challenges").count_documents({})))


async def test_task_runs_on_without_a_slot_and_says_what_is_needed(either: Bench) -> None:
    who = Person()
    running = await asked(either, who)

    task = await either.read()
    assert (task.status, task.progress.stage, task.worker_id) == (TaskStatus.RUNNING, Stage.NEEDS_PERSON, "w-1")
    assert task.notice is not None
    assert task.notice.code == "NEEDS_LOGIN"
    assert await either.challenges.of(task) is not None
    assert either.slots.used == 0
    assert either.runner.is_live("t_1")
    who.is_done = True
    await running


async def test_solved_task_takes_its_slot_goes_on_and_leaves_nothing(either: Bench) -> None:
    who = Person()
    running = await asked(either, who)
    held: list[int] = []

    async def count_held(context: TaskContext, reason: StopReason | None) -> Books:
        held.append(either.slots.used)
        return Books()

    either.executor.conclude = count_held
    who.is_done = True
    await running

    task = await either.read()
    assert (task.status, task.notice, held) == (TaskStatus.SUCCEEDED, None, [1])
    assert (either.slots.used, await stored(either)) == (0, 0)


async def test_cancel_ends_it_at_once_and_leaves_nothing(either: Bench) -> None:
    running = await asked(either, Person())

    await either.tasks.cancel("t_1", by="li", requested_at=either.clock.now())
    either.runner.stop_run("t_1", StopReason.USER)
    await running

    task = await either.read()
    assert (task.status, task.notice) == (TaskStatus.CANCELLED, None)
    assert (either.slots.used, await stored(either)) == (0, 0)


async def test_unsolved_task_waits_with_its_challenge_and_no_attempt_is_used(either: Bench) -> None:
    async def need(context: TaskContext) -> Ending:
        await context.wait_for_person(SCAN, Person().is_solved, within_s=0.02)
        return DONE

    either.executor.script = need
    await either.run(await either.create())

    task = await either.read()
    found = await either.challenges.of(task)
    assert (task.status, task.attempt, task.worker_id) == (TaskStatus.WAITING, 0, None)
    assert task.notice is not None
    assert task.notice.action is not None
    assert found is not None
    assert await either.challenges.picture(task, "qr") == SCAN.qr
    assert either.slots.used == 0


async def test_resumed_task_shows_nothing_of_before(either: Bench) -> None:
    async def need(context: TaskContext) -> Ending:
        raise NeedsPersonError("NEEDS_LOGIN", Text("需要登录", "Log in"), challenge=LOGIN)

    either.executor.script = need
    await either.run(await either.create())
    assert await either.challenges.of(await either.read()) is not None
    resumed = await either.tasks.resume_waiting("t_1", by="li")
    assert resumed is not None
    who = Person(is_done=True)
    either.executor.script = who.need

    await either.run(resumed)

    assert (await either.read()).status is TaskStatus.SUCCEEDED
    assert await stored(either) == 0


async def test_drain_gives_it_back_with_nothing_shown(either: Bench) -> None:
    running = await asked(either, Person())

    assert await either.runner.drain(grace_s=5) == 0
    await running

    task = await either.read()
    assert (task.status, task.progress.stage, task.notice, task.attempt) == (TaskStatus.PENDING, Stage.QUEUED, None, 0)
    assert (either.slots.used, await stored(either)) == (0, 0)


async def test_deadline_ends_it(either: Bench) -> None:
    running = await asked(either, Person())

    either.runner.stop_run("t_1", StopReason.DEADLINE)
    await running

    task = await either.read()
    assert (task.status, task.notice) == (TaskStatus.TIMED_OUT, None)
    assert (either.slots.used, await stored(either)) == (0, 0)


async def test_two_waits_of_one_run_come_one_after_the_other(either: Bench) -> None:
    open_at_once: list[int] = []

    async def is_solved() -> bool:
        open_at_once.append(len(either.runner._supervisor._desk._open))
        return len(open_at_once) > 2

    async def need_twice(context: TaskContext) -> Ending:
        await asyncio.gather(context.wait_for_person(SCAN, is_solved), context.wait_for_person(LOGIN, is_solved))
        return DONE

    either.executor.script = need_twice
    await either.run(await either.create())

    assert (await either.read()).status is TaskStatus.SUCCEEDED
    assert set(open_at_once) == {1}
    assert either.slots.used == 0


async def test_slot_lent_runs_another_and_the_lender_waits_for_its_turn(either: Bench) -> None:
    who = Person()
    first = await asked(either, who)
    ended, other_begun = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def work(context: TaskContext) -> Ending:
        loop.call_soon_threadsafe(other_begun.set)
        await context.reach(Waiter(ended)).wait()
        return DONE

    either.executor.script = work
    second = asyncio.create_task(either.run(await either.create("t_2")))
    await other_begun.wait()
    who.is_done = True
    await until(lambda: bool(either.slots._queue))

    third = await either.create("t_3")
    assert await either.run(third) is False
    await until_stage(either, Stage.QUEUED)
    assert (await either.read()).notice is None
    ended.set()
    await asyncio.gather(first, second)

    assert (await either.read()).status is TaskStatus.SUCCEEDED
    assert (either.slots.used, either.slots._queue, await stored(either)) == (0, [], 0)


async def test_cancel_while_it_waits_for_a_slot_leaves_the_queue(either: Bench) -> None:
    who = Person()
    first = await asked(either, who)
    ended, other_begun = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def work(context: TaskContext) -> Ending:
        loop.call_soon_threadsafe(other_begun.set)
        await context.reach(Waiter(ended)).wait()
        return DONE

    either.executor.script = work
    second = asyncio.create_task(either.run(await either.create("t_2")))
    await other_begun.wait()
    who.is_done = True
    await until(lambda: bool(either.slots._queue))

    await either.tasks.cancel("t_1", by="li", requested_at=either.clock.now())
    either.runner.stop_run("t_1", StopReason.USER)
    await first

    assert (await either.read()).status is TaskStatus.CANCELLED
    assert (either.slots.used, either.slots._queue) == (1, [])
    ended.set()
    await second
    assert either.slots.used == 0


class Waiter:
    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    async def wait(self) -> None:
        await self._event.wait()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - the queue tells nobody
            await asyncio.sleep(0.005)


async def until_stage(bench: Bench, stage: Stage) -> None:
    async with asyncio.timeout(10):
        while (await bench.read()).progress.stage is not stage:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)


async def test_crash_is_taken_over_and_the_old_challenge_ends_with_the_claim(
    bench: Bench, database: Database, cache: Cache, clock: Clock
) -> None:
    running = await asked(bench, Person())
    other = Bench(database, cache, clock, worker_id="w-2")
    await other.runner.start()
    seen: list[object] = []

    async def look(context: TaskContext) -> Ending:
        seen.append(await other.challenges.of(await other.read()))
        return DONE

    other.executor.script = look
    # As if its process had gone: nothing of it is told any more.
    reaped = await other.tasks.reap(await bench.read(), even_if_alive=True)
    assert reaped is not None
    await other.run(reaped)

    bench.runner.stop_run("t_1", StopReason.LEASE_LOST)
    await running
    assert seen == [None]
    assert (await other.read()).status is TaskStatus.SUCCEEDED
    assert (bench.slots.used, await other.challenges.sweep(), await stored(bench)) == (0, 1, 0)
    await other.runner.stop()


async def test_too_many_open_pages_make_a_task_wait_without_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person, "MOST_AT_ONCE", 1)
    who = Person()
    running = await asked(bench, who)

    await bench.run(await bench.create("t_2"))

    task = await bench.read("t_2")
    assert task.status is TaskStatus.WAITING
    assert await bench.challenges.of(task) is not None
    who.is_done = True
    await running
    assert bench.runner._supervisor._desk._open == set()


async def test_store_that_is_away_for_a_moment_costs_no_page(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person, "_REPEAT_S", 0.01)
    show, tries = bench.challenges.show, 0

    async def sometimes(*given: Any, **named: Any) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise StoreUnavailableError("away")
        await show(*given, **named)

    monkeypatch.setattr(bench.challenges, "show", sometimes)
    running = await asked(bench, who := Person())
    who.is_done = True
    await running

    assert (tries, (await bench.read()).status) == (3, TaskStatus.SUCCEEDED)


async def test_task_that_went_to_wait_shows_its_challenge_though_the_answer_was_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_REPEAT_S", 0.01)
    wait, tries = bench.tasks.wait, 0

    async def lose_the_first_answer(*given: Any, **named: Any) -> bool:
        nonlocal tries
        tries += 1
        is_waiting = await wait(*given, **named)
        if tries == 1:
            raise StoreUnavailableError("the answer is lost")
        return is_waiting

    async def need(context: TaskContext) -> Ending:
        raise NeedsPersonError("NEEDS_LOGIN", Text("需要登录", "Log in"), challenge=LOGIN)

    monkeypatch.setattr(bench.tasks, "wait", lose_the_first_answer)
    bench.executor.script = need
    await bench.run(await bench.create())

    task = await bench.read()
    assert (tries, task.status) == (2, TaskStatus.WAITING)
    assert await bench.challenges.of(task) is not None


async def test_cancelled_task_runs_on_for_no_challenge_that_cannot_be_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def fail(*_: object, **__: object) -> None:
        nonlocal tries
        tries += 1
        raise StoreUnavailableError("away")

    running = await asked(bench, Person())
    monkeypatch.setattr(bench.challenges, "drop", fail)
    await bench.tasks.cancel("t_1", by="li", requested_at=bench.clock.now())
    bench.runner.stop_run("t_1", StopReason.USER)
    await running

    assert ((await bench.read()).status, tries) == (TaskStatus.CANCELLED, 1)
    monkeypatch.undo()
    assert (await bench.challenges.sweep(), await stored(bench)) == (1, 0)


async def test_need_without_a_challenge_leaves_no_old_one(bench: Bench) -> None:
    async def need(context: TaskContext) -> Ending:
        try:
            await context.wait_for_person(SCAN, Person().is_solved, within_s=0.02)
        except NeedsPersonError:
            raise NeedsPersonError("NO_BROWSER", Text("没有浏览器", "No browser")) from None
        return DONE

    bench.executor.script = need
    await bench.run(await bench.create())

    task = await bench.read()
    assert task.notice == Notice("NO_BROWSER", Text("没有浏览器", "No browser"))
    assert (await bench.challenges.of(task), await stored(bench)) == (None, 0)


async def test_log_says_what_is_needed_and_when_it_was_done(bench: Bench) -> None:
    who = Person()
    bad = replace(SCAN, qr=b"no picture")

    async def need(context: TaskContext) -> Ending:
        await context.wait_for_person(bad, who.is_solved)
        return DONE

    who.is_done = True
    bench.executor.script = need
    task: Task = await bench.create()
    await bench.run(task)

    page = await bench.events.page(await bench.read(), limit=10)
    said = [(line.level, line.message) for line in page.lines]
    assert said == [
        ("warning", "需要扫码登录，等待人工处理"),
        ("warning", "人工处理的内容不合格，没有显示"),
        ("info", "人工处理已完成，继续执行"),
    ]
