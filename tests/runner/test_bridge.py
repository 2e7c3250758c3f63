"""Thread mode: an execution on a loop of its own reaches the server's loop over one bridge."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import tornado.ioloop

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.logs import captured_log
from backend.domain.errors import TaskFailedError
from backend.domain.execution import TaskContext
from backend.domain.task import Ending, StopReason, TaskStatus
from backend.domain.text import Text
from backend.runner.bridge import POOL_THREADS, ThreadContext, _cancel_in_thread
from tests.fixtures.scripted import DONE, Bench, Script


class Owned:
    """What a client of the server's loop looks like: it notes on which loop its parts ran, and how they ended."""

    def __init__(self) -> None:
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.said: list[str] = []
        self.begun = asyncio.Event()
        self.goal = 1
        self.is_far = asyncio.Event()
        self.name = "owned"

    def _note(self, word: str) -> None:
        self.loops.append(asyncio.get_running_loop())
        self.said.append(word)
        if len(self.said) >= self.goal:
            self.is_far.set()

    async def double(self, n: int) -> int:
        self._note("double")
        return 2 * n

    async def fail(self) -> None:
        raise TaskFailedError("BLOCKED", Text("被拒绝", "Refused"), where="fetch")

    async def wait(self) -> None:
        self._note("wait")
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            self._note("wait left")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Owned"]:
        self._note("enter")
        try:
            yield self
        finally:
            self._note("exit")

    async def rows(self) -> AsyncIterator[int]:
        try:
            for n in range(3):
                self._note(f"row {n}")
                yield n
        finally:
            self._note("rows closed")

    @property
    def is_clean(self) -> bool:
        """Every part ran on the one loop that is running now."""
        return set(self.loops) == {asyncio.get_running_loop()}


class Opened:
    """Something that has to be closed, and whose opening shuts its eyes to a cancel, as the last step of any does."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def open(self, *, cancel: Callable[[], object]) -> "Opened":
        self.begun.set()
        await self.go_on.wait()
        self.said.append("opened")
        cancel()
        return self

    async def __aenter__(self) -> "Opened":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.said.append("closed")


@pytest.fixture
def threaded(database: Database, cache: Cache, clock: Clock, io_loop: tornado.ioloop.IOLoop) -> Iterator[Bench]:
    async def make() -> Bench:
        made = Bench(database, cache, clock, use_threads=True)
        await made.runner.start()
        return made

    made = io_loop.run_sync(make)
    yield made
    io_loop.run_sync(made.runner.stop)


async def run(bench: Bench, script: Script) -> None:
    bench.executor.script = script
    await bench.run(await bench.create())


async def cancel(bench: Bench, task_id: str = "t_1") -> None:
    await bench.tasks.cancel(task_id, by="local", requested_at=bench.clock.now())
    bench.runner.stop_run(task_id, StopReason.USER)


async def test_body_runs_in_a_pool_thread_on_a_loop_of_its_own(threaded: Bench) -> None:
    seen: list[object] = []

    async def look(context: TaskContext) -> Ending:
        seen.extend([threading.current_thread().name, asyncio.get_running_loop()])
        return DONE

    await run(threaded, look)

    assert str(seen[0]).startswith("execution")
    assert seen[1] is not asyncio.get_running_loop()
    assert (await threaded.read()).status is TaskStatus.SUCCEEDED


async def test_methods_contexts_and_iterators_run_on_the_servers_loop(threaded: Bench) -> None:
    owned = Owned()

    async def use(context: TaskContext) -> Ending:
        there = context.reach(owned)
        async with there.opened() as inner:
            rows = [row async for row in inner.rows()]
            assert (await inner.double(4), rows, inner.name) == (8, [0, 1, 2], "owned")
        return DONE

    await run(threaded, use)

    assert (await threaded.read()).status is TaskStatus.SUCCEEDED
    assert owned.said == ["enter", "row 0", "row 1", "row 2", "rows closed", "double", "exit"]
    assert owned.is_clean


async def test_thing_opened_there_is_closed_when_the_cancel_meets_it_on_the_way_back(threaded: Bench) -> None:
    opened = Opened()

    async def use(context: TaskContext) -> Ending:
        await context.reach(opened).open(cancel=lambda: threaded.runner.stop_run("t_1", StopReason.USER))
        return DONE

    running = asyncio.create_task(run(threaded, use))
    await opened.begun.wait()
    await threaded.tasks.cancel("t_1", by="local", requested_at=threaded.clock.now())
    opened.go_on.set()
    await running

    assert opened.said == ["opened", "closed"]
    assert (await threaded.read()).status is TaskStatus.CANCELLED


async def test_iterator_left_early_is_closed_on_the_servers_loop_before_the_end(threaded: Bench) -> None:
    owned = Owned()

    async def leave(context: TaskContext) -> Ending:
        async for _ in context.reach(owned).rows():
            break
        return DONE

    await run(threaded, leave)

    assert owned.said == ["row 0", "rows closed"]
    assert owned.is_clean


async def test_error_of_a_reached_call_is_raised_in_the_thread_as_it_is(threaded: Bench) -> None:
    owned = Owned()

    async def use(context: TaskContext) -> Ending:
        await context.reach(owned).fail()
        return DONE

    await run(threaded, use)

    task = await threaded.read()
    assert task.error is not None
    assert (task.status, task.error.name) == (TaskStatus.FAILED, "BLOCKED")


async def test_cancel_ends_a_reached_call_before_what_surrounds_it_is_left(threaded: Bench) -> None:
    owned = Owned()

    async def use(context: TaskContext) -> Ending:
        async with context.reach(owned).opened() as inner:
            await inner.wait()
        return DONE

    running = asyncio.create_task(run(threaded, use))
    await owned.begun.wait()
    await cancel(threaded)
    await running

    assert owned.said == ["enter", "wait", "wait left", "exit"]
    assert owned.is_clean
    assert (await threaded.read()).status is TaskStatus.CANCELLED


async def test_cancelled_is_written_only_when_the_thread_has_returned(threaded: Bench) -> None:
    owned, may_return = Owned(), threading.Event()

    async def linger(context: TaskContext) -> Ending:
        try:
            await context.reach(owned).wait()
        finally:
            may_return.wait(10)
        return DONE

    running = asyncio.create_task(run(threaded, linger))
    await owned.begun.wait()
    await cancel(threaded)
    status_meanwhile = (await threaded.read()).status
    may_return.set()
    await running

    assert status_meanwhile is TaskStatus.CANCELLING
    assert (await threaded.read()).status is TaskStatus.CANCELLED


async def test_body_that_never_awaits_stops_at_its_next_check(threaded: Bench) -> None:
    owned = Owned()

    async def spin(context: TaskContext) -> Ending:
        await context.reach(owned).double(1)
        context.progress(done=1)
        while True:
            context.check()
            time.sleep(0.001)  # noqa: ASYNC251 - the blocking engine this is about

    running = asyncio.create_task(run(threaded, spin))
    await owned.is_far.wait()
    await cancel(threaded)
    await running

    assert (await threaded.read()).status is TaskStatus.CANCELLED


async def test_run_that_no_thread_has_taken_is_cancelled_at_once(threaded: Bench) -> None:
    owned, begun, may_return = Owned(), threading.Semaphore(0), threading.Event()

    async def block(context: TaskContext) -> Ending:
        begun.release()
        may_return.wait(10)
        return DONE

    threaded.executor.script = block
    full = [asyncio.create_task(threaded.run(await threaded.create(f"t_{n}"))) for n in range(POOL_THREADS)]
    for _ in full:
        await asyncio.to_thread(begun.acquire, timeout=10)
    queued = asyncio.create_task(threaded.run(await threaded.create("t_queued")))
    while (await threaded.read("t_queued")).status is TaskStatus.PENDING:
        pass

    await cancel(threaded, "t_queued")
    await asyncio.wait_for(queued, 5)

    assert (await threaded.read("t_queued")).status is TaskStatus.CANCELLED
    assert owned.said == []
    may_return.set()
    await asyncio.gather(*full)


async def test_tasks_the_body_left_are_ended_with_their_calls_before_the_end(threaded: Bench) -> None:
    owned = Owned()

    async def leave_one(context: TaskContext) -> Ending:
        left = asyncio.create_task(context.reach(owned).wait())
        await context.reach(owned).begun.wait()
        del left
        return DONE

    await run(threaded, leave_one)

    assert owned.said == ["wait", "wait left"]
    assert (await threaded.read()).status is TaskStatus.SUCCEEDED


async def test_words_of_the_context_reach_the_record(threaded: Bench) -> None:
    async def speak(context: TaskContext) -> Ending:
        context.log("info", "第一行")
        await context.checkpoint({"n": 1}, "one")
        await context.confirm_lease()
        await context.sleep(0)
        return DONE

    await run(threaded, speak)

    task = await threaded.read()
    assert task.checkpoint is not None
    assert (task.status, task.checkpoint.state) == (TaskStatus.SUCCEEDED, {"n": 1})
    assert [line.message for line in (await threaded.events.page(task, limit=5)).lines] == ["第一行"]


async def test_shutdown_gives_a_threads_task_back(threaded: Bench) -> None:
    owned = Owned()

    async def wait(context: TaskContext) -> Ending:
        await context.reach(owned).wait()
        return DONE

    running = asyncio.create_task(run(threaded, wait))
    await owned.begun.wait()

    assert await threaded.runner.drain(grace_s=5) == 0
    await running

    task = await threaded.read()
    assert (task.status, task.history[-1].reason) == (TaskStatus.PENDING, "drain")


@pytest.mark.parametrize("n", range(1, 21))
async def test_cancel_at_any_moment_leaves_no_word_of_a_loop_in_the_log(threaded: Bench, n: int) -> None:
    owned = Owned()
    owned.goal = n

    async def work(context: TaskContext) -> Ending:
        there = context.reach(owned)
        while True:
            async with there.opened() as inner:
                await inner.double(1)

    with captured_log() as lines:
        running = asyncio.create_task(run(threaded, work))
        await owned.is_far.wait()
        await cancel(threaded)
        await running

    assert (await threaded.read()).status is TaskStatus.CANCELLED
    assert owned.said.count("enter") == owned.said.count("exit")
    assert not [line for line in lines if "loop" in line or "ERROR" in line]


def test_cancel_of_a_thread_that_is_closing_its_loop_is_no_error() -> None:
    class Closing:
        def is_closed(self) -> bool:
            # As seen just before its thread closes it.
            return False

        def call_soon_threadsafe(self, _: object) -> None:
            raise RuntimeError("Event loop is closed")

    class Body:
        def get_loop(self) -> Closing:
            return Closing()

        def cancel(self) -> None: ...

    context = ThreadContext.__new__(ThreadContext)
    context.body = Body()  # type: ignore[assignment]

    _cancel_in_thread(context)
