"""Thread mode: an execution on a loop of its own in a pool thread, and the one bridge to the server's loop.

The thread's loop owns no client: what an execution reaches (stores, httpx clients, child processes) does its work on
the server's loop. A cancel comes by call_soon_threadsafe; `cancelled` is written only when the thread has returned.
"""

import asyncio
import contextlib
import contextvars
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from backend.domain.challenge import Challenge
from backend.domain.execution import LONGEST_WAIT_S, Execution, TaskContext
from backend.domain.task import Books, Ending, Lease, Stage, SubmitIntent, Task, Upstream
from backend.runner.context import RunContext
from backend.runner.person import Refresh, wait_for_person
from backend.runner.run import Run

T = TypeVar("T")

POOL_THREADS = 5


class Bridge:
    """Carries calls of one run from its thread's loop to the server's loop; the only thing that knows both."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._server = asyncio.get_running_loop()

    async def call(self, make: Callable[[], Awaitable[T]]) -> T:
        """Await `make()` on the server's loop. A cancel is handed on, and this ends only when the call has ended."""
        outcome: Future[T] = Future()
        made: list[asyncio.Task[T]] = []

        def begin() -> None:
            task = asyncio.ensure_future(_awaited(make))
            made.append(task)
            self._run.bridged.add(task)
            task.add_done_callback(self._run.bridged.discard)
            task.add_done_callback(lambda _: _hand_over(task, outcome))

        def cancel() -> None:
            # One step later: a call always begins, as one awaited directly would, or `__aexit__` would leave nothing.
            self._server.call_soon(made[0].cancel)

        self.post(begin)
        answer = asyncio.wrap_future(outcome)
        is_cancelled = False
        while not answer.done():
            try:
                await asyncio.wait({answer})
            except asyncio.CancelledError:
                # Else `async with` would leave on the server's loop what is still being read there.
                is_cancelled = True
                self.post(cancel)
        if is_cancelled:
            _take_error(answer)
            raise asyncio.CancelledError
        return answer.result()

    def post(self, act: Callable[..., Any], *arguments: Any) -> None:
        """Have `act` called on the server's loop soon."""
        self._server.call_soon_threadsafe(act, *arguments)


class Reached:
    """Stands in for an object of the server's loop: coroutines, async contexts and iterators go over the bridge."""

    def __init__(self, thing: Any, bridge: Bridge) -> None:
        self._thing = thing
        self._bridge = bridge

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._thing, name)
        return self._carried(value) if callable(value) else reached(value, self._bridge)

    async def __aenter__(self) -> Any:
        entered: list[Any] = []

        async def enter() -> None:
            entered.append(await self._thing.__aenter__())

        try:
            await self._bridge.call(enter)
        except asyncio.CancelledError as error:
            # Entered there, and the cancel met us on the way back: nobody else would leave it.
            if entered:
                await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return reached(entered[0], self._bridge)

    async def __aexit__(self, *error: Any) -> Any:
        return await self._bridge.call(lambda: self._thing.__aexit__(*error))

    async def __aiter__(self) -> AsyncIterator[Any]:
        iterator = aiter(self._thing)
        try:
            while True:
                try:
                    step = await self._bridge.call(lambda: _next_or_end(iterator))
                except _EndError:
                    return
                yield reached(step, self._bridge)
        finally:
            if hasattr(iterator, "aclose"):
                await self._bridge.call(iterator.aclose)

    def _carried(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if inspect.iscoroutinefunction(method):
                return self._awaited(method, arguments, named)
            made = method(*arguments, **named)
            return self._bridge.call(lambda: made) if inspect.iscoroutine(made) else reached(made, self._bridge)

        return call

    async def _awaited(self, method: Callable[..., Any], arguments: Any, named: Any) -> Any:
        made: list[Any] = []

        async def make() -> None:
            made.append(await method(*arguments, **named))

        try:
            await self._bridge.call(make)
        except asyncio.CancelledError as error:
            # Opened there (a browser's tab), and the cancel met us on the way back: nobody else would close it.
            if made and hasattr(made[0], "__aexit__"):
                await reached(made[0], self._bridge).__aexit__(type(error), error, error.__traceback__)
            raise
        return reached(made[0], self._bridge)


def reached(thing: Any, bridge: Bridge) -> Any:
    """Return plain values as they are, and a stand-in for whatever has async parts."""
    # mypy holds that a class is not hashable when its metaclass is unknown.
    return Reached(thing, bridge) if _has_async_parts(type(thing)) else thing  # type: ignore[arg-type]


@functools.cache
def _has_async_parts(kind: type) -> bool:
    for name in dir(kind):
        part = inspect.unwrap(inspect.getattr_static(kind, name, None))
        if name in {"__aenter__", "__aiter__"} or inspect.iscoroutinefunction(part) or inspect.isasyncgenfunction(part):
            return True
    return False


class _EndError(Exception):
    """StopAsyncIteration cannot cross a future."""


async def _awaited(make: Callable[[], Awaitable[T]]) -> T:
    return await make()


def _hand_over(task: "asyncio.Task[T]", outcome: Future[T]) -> None:
    if task.cancelled():
        outcome.cancel()
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


def _take_error(answer: asyncio.Future[Any]) -> None:
    # Nobody else reads it, and an unread error is logged.
    if not answer.cancelled():
        answer.exception()


async def _next_or_end(iterator: AsyncIterator[T]) -> T:
    try:
        return await anext(iterator)
    except StopAsyncIteration:
        raise _EndError from None


class ThreadContext:
    """The TaskContext of an execution that runs in a thread: the same words, carried over the bridge."""

    def __init__(self, direct: RunContext, run: Run, bridge: Bridge) -> None:
        self._direct = direct
        self._run = run
        self._bridge = bridge
        self._one_wait = asyncio.Lock()
        self.body: asyncio.Task[Ending] | None = None

    @property
    def task(self) -> Task:
        """The task as it was claimed, with what this run has recorded since."""
        return self._direct.task

    @property
    def lease(self) -> Lease:
        """The fence that every write of this run carries."""
        return self._direct.lease

    @property
    def submit_limit_s(self) -> float:
        """Half a lease."""
        return self._direct.submit_limit_s

    def check(self) -> None:
        """Raise asyncio.CancelledError when the run is to stop."""
        if self._run.reason is None:
            found = self._run.reason_to_stop()
            if found is None:
                return
            self._bridge.post(self._run.note if asyncio.current_task() is self.body else self._run.stop, found)
        raise asyncio.CancelledError

    async def sleep(self, seconds: float) -> None:
        """Check, then wait on the thread's own loop."""
        self.check()
        await asyncio.sleep(seconds)

    def progress(
        self,
        *,
        done: int | None = None,
        total: int | None = None,
        unit: str | None = None,
        stage: Stage | None = None,
        books: Books | None = None,
    ) -> None:
        """Note what changed, on the server's loop."""
        self._bridge.post(lambda: self._direct.progress(done=done, total=total, unit=unit, stage=stage, books=books))

    def log(self, level: str, message: str, **fields: str | float | None) -> None:
        """Add a line to the task's log, on the server's loop."""
        self._bridge.post(lambda: self._direct.log(level, message, **fields))

    async def checkpoint(self, state: Mapping[str, Any], note: str) -> None:
        """Store where a resumed run goes on. Raises LeaseLostError."""
        await self._bridge.call(lambda: self._direct.checkpoint(state, note))

    async def record_intent(self, intent: SubmitIntent, upstream: Upstream) -> None:
        """Store that a submit is about to be sent. Raises LeaseLostError."""
        await self._bridge.call(lambda: self._direct.record_intent(intent, upstream))

    async def record_upstream(self, upstream: Upstream, *, is_open: bool, drop_intent: bool = False) -> None:
        """Store what is known of the provider's job. Raises LeaseLostError."""
        await self._bridge.call(
            lambda: self._direct.record_upstream(upstream, is_open=is_open, drop_intent=drop_intent)
        )

    async def confirm_lease(self) -> None:
        """Send one good beat now. Raises LeaseLostError."""
        await self._bridge.call(self._direct.confirm_lease)

    async def wait_for_person(
        self,
        challenge: Challenge,
        is_solved: Callable[[], Awaitable[bool]],
        *,
        within_s: float = LONGEST_WAIT_S,
        refresh: Refresh | None = None,
    ) -> None:
        """Show a person what is needed; the calls are made on the thread's own loop, the rest on the server's."""
        async with self._one_wait:
            asking = self.reach(self._direct.asking())
            await wait_for_person(
                *(self, asking, self._run.clock, challenge, is_solved), within_s=within_s, refresh=refresh
            )

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Count something held while inside."""
        return self._run.hold(what)

    def reach(self, thing: T) -> T:
        """Return a stand-in that does its work on the server's loop."""
        return cast("T", Reached(thing, self._bridge))

    async def shielded(self, work: Callable[[TaskContext], Awaitable[T]]) -> T:
        """Run `work` on the server's loop as a task of the supervisor's."""
        return await self._bridge.call(lambda: self._direct.shielded(work))


class ThreadPool:
    """The threads of thread mode."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="execution")

    def stop(self) -> None:
        """Let the threads go; every run has returned before."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def run(self, execution: Execution, context: ThreadContext) -> Ending:
        """Run the execution in a thread; a cancel is handed on; the thread always returns first."""
        queued = self._pool.submit(contextvars.copy_context().run, _run_on_own_loop, execution, context)
        returned = asyncio.wrap_future(queued)
        while not returned.done():
            try:
                await asyncio.wait({returned})
            except asyncio.CancelledError:
                if queued.cancel():
                    # No thread was free yet: there is nothing to wait for.
                    raise
                _cancel_in_thread(context)
        return returned.result()


def _cancel_in_thread(context: ThreadContext) -> None:
    body = context.body
    if body is not None:
        # Its loop may be closed already, or be closed by its thread at this very moment: then it has ended.
        with contextlib.suppress(RuntimeError):
            body.get_loop().call_soon_threadsafe(body.cancel)


def _run_on_own_loop(execution: Execution, context: ThreadContext) -> Ending:
    with asyncio.Runner() as runner:
        return runner.run(_body(execution, context))


async def _body(execution: Execution, context: ThreadContext) -> Ending:
    context.body = asyncio.current_task()
    # A stop that came before this line found no body to cancel.
    context.check()
    return await execution.run()
