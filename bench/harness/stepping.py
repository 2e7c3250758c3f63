"""Counts the awaits of one run, wherever they are, and strikes at the n-th of them.

Every coroutine that a run makes is a task of the loop's task factory, in a context that descends from the run's own:
so the factory can wrap it, and the wrapper sees each moment at which it gives the loop away. In thread mode the
thread's own loop gets the same factory, from `SteppedPolicy`.
"""

import asyncio
import contextlib
import contextvars
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

_meter: contextvars.ContextVar["Meter | None"] = contextvars.ContextVar("meter", default=None)


class Meter:
    """What is known of one run's coroutines. `strikes`: what to call at which await, on the server's loop, once each.

    With `is_freezing` no coroutine of the run takes another step from a strike until `thaw`, so that what the strike
    does meets the run exactly there; a cancel thrown into it goes through.
    """

    def __init__(self, strikes: dict[int, Callable[[], object]] | None = None, *, is_freezing: bool = True) -> None:
        self.count = 0
        self.place = ""
        self.operations: set[asyncio.Future[Any]] = set()
        self.operations_begun = 0
        self._strikes = dict(strikes or {})
        self._is_freezing = is_freezing
        self._server = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._held: list[asyncio.Future[None]] = []
        self.is_frozen = False

    def alive(self) -> list["asyncio.Task[Any]"]:
        """Return the tasks of this run that have not ended."""
        return [task for task in list(self._tasks) if not task.done()]

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Count whatever is made inside, and whatever that makes."""
        token = _meter.set(self)
        try:
            yield
        finally:
            _meter.reset(token)

    def thaw(self) -> None:
        """Let the coroutines go on."""
        with self._lock:
            self.is_frozen = False
            held, self._held = self._held, []
        for future in held:
            # A thread's loop may have ended meanwhile.
            with contextlib.suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_let_go, future)

    def made(self, task: "asyncio.Task[Any]") -> None:
        """Remember a task of this run."""
        self._tasks.add(task)

    def suspended(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Count one await, and strike when it is the one."""
        with self._lock:
            self.count += 1
            strike = self._strikes.pop(self.count, None)
            if strike is None:
                return
            self.is_frozen = self._is_freezing
        self.place = _place_of(coroutine)
        # Not from here: what is struck must find the run between two steps.
        self._server.call_soon_threadsafe(strike, context=contextvars.Context())

    def hold(self) -> Any:
        """Return what a held coroutine yields to its task: a future that ends with the thaw."""
        future = asyncio.get_running_loop().create_future()
        future._asyncio_future_blocking = True
        with self._lock:
            if self.is_frozen:
                self._held.append(future)
                return future
        future.set_result(None)
        return future


class _Stepped(Coroutine[Any, Any, T]):
    """A coroutine of a run, step by step."""

    def __init__(self, inner: Coroutine[Any, Any, T], meter: Meter) -> None:
        self._inner = inner
        self._meter = meter
        self.__qualname__ = getattr(inner, "__qualname__", type(inner).__name__)

    def send(self, value: Any) -> Any:
        if self._meter.is_frozen:
            return self._meter.hold()
        yielded = self._inner.send(value)
        self._meter.suspended(self._inner)
        return yielded

    def throw(self, *error: Any) -> Any:
        yielded = self._inner.throw(*error)
        self._meter.suspended(self._inner)
        return yielded

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._inner.__await__()


class SteppedPolicy(asyncio.DefaultEventLoopPolicy):
    """Gives the loops of a run's threads the counting task factory."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a new loop."""
        loop = super().new_event_loop()
        if _meter.get() is not None:
            loop.set_task_factory(_make_task)
        return loop


@contextlib.contextmanager
def stepping() -> Iterator[None]:
    """Have the running loop, and the loops of threads made inside, count for the meters."""
    loop, policy = asyncio.get_running_loop(), asyncio.get_event_loop_policy()
    loop.set_task_factory(_make_task)
    asyncio.set_event_loop_policy(SteppedPolicy())
    try:
        yield
    finally:
        asyncio.set_event_loop_policy(policy)
        loop.set_task_factory(None)


def current_meter() -> Meter | None:
    """Return the meter that counts here."""
    return _meter.get()


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    context = options.get("context")
    meter = _meter.get() if context is None else context.get(_meter)
    if meter is None:
        return asyncio.Task(coroutine, loop=loop, **options)
    task: asyncio.Task[Any] = asyncio.Task(_Stepped(coroutine, meter), loop=loop, **options)
    meter.made(task)
    return task


def _let_go(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _place_of(coroutine: Any) -> str:
    """Return where the innermost coroutine of ours waits: `file:line function`, outermost first."""
    found: list[str] = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is not None and "/backend/" in frame.f_code.co_filename:
            name = frame.f_code.co_filename.rsplit("/backend/", 1)[1]
            found.append(f"{name}:{frame.f_lineno} {frame.f_code.co_name}")
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return " > ".join(found[-3:])
