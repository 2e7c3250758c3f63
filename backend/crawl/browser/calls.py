"""Calls into a browser that no cancel and no limit waits for: what does not end in time is let go, and still owned."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Calls:
    """Runs each call in a task of its own. `settle` waits for those that were let go."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def own(self, work: Awaitable[T], *, name: str) -> "asyncio.Task[T]":
        """Start work that outlives whoever asked for it; its error, if nobody reads it, is not logged."""
        task = asyncio.ensure_future(_awaited(work))
        task.set_name(name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(_take_error)
        return task

    async def within(self, make: Callable[[], Awaitable[T]], *, limit_s: float, name: str) -> T:
        """Return what the call returns. Raises TimeoutError after `limit_s`, and what the call raises.

        A cancel and the limit cancel the call and do not wait for it.
        """
        task = self.own(make(), name=name)
        try:
            done, _ = await asyncio.wait({task}, timeout=limit_s)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            task.cancel()
            raise TimeoutError(name)
        return task.result()

    async def settle(self, *, limit_s: float) -> int:
        """Cancel what runs and wait for it; return how many have not ended within the limit."""
        for task in self._running:
            task.cancel()
        if not self._running:
            return 0
        _, left = await asyncio.wait(set(self._running), timeout=limit_s)
        return len(left)


async def finished(task: "asyncio.Future[Any]") -> None:
    """Wait for a bounded task to its end, whatever cancels come meanwhile; the last of them is raised after it."""
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _take_error(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()
