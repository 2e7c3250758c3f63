"""Ctrl+C: the first is told to whoever works, the second leaves at once."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

EXIT_CODE = 130


class Interrupted(Exception):  # noqa: N818 - no error: a person said stop
    """Ctrl+C came while something was waited for."""


class Interrupt:
    """Made on the running loop; `told` is set by the first Ctrl+C (or SIGTERM)."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    def listen(self) -> None:
        """Take Ctrl+C; again after a server in this process has taken it."""
        loop = asyncio.get_running_loop()
        try:
            loop.add_signal_handler(signal.SIGINT, self._take)
        except NotImplementedError:
            # Windows: no handlers on the loop.
            signal.signal(signal.SIGINT, lambda _number, _frame: loop.call_soon_threadsafe(self._take))

    def _take(self) -> None:
        if self.told.is_set():
            os._exit(EXIT_CODE)
        self.told.set()

    async def unless(self, doing: Coroutine[Any, Any, T]) -> T:
        """Return what `doing` gives. Raises Interrupted when Ctrl+C comes first; `doing` is cancelled then."""
        work = asyncio.create_task(doing, name="until-ctrl-c")
        told = asyncio.create_task(self.told.wait(), name="ctrl-c")
        try:
            await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise Interrupted
        finally:
            work.cancel()
            told.cancel()
            await asyncio.wait({work, told})
