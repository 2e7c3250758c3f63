"""Blocking work of the loop's own code, cut into short steps that a cancel never leaves behind."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(step: Callable[[], T]) -> T:
    """Run one short blocking step in the loop's pool and return its value or raise its error.

    A cancel waits until the step has ended, so that no thread of a cancelled task goes on (P1). The caller promises
    that a step is short: under 50 ms, or a cancel is late.
    """
    future = asyncio.get_running_loop().run_in_executor(None, step)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait({future})
        if not future.cancelled():
            # Nobody else will read it; an unread error would be logged as a warning.
            future.exception()
        raise
