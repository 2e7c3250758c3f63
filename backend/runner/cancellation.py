"""This process's mirror of the cancel flags: the bell that makes a cancel fast (lifecycle.md §4.2).

One subscription per process. On every (re)subscribe, and each second while there is none, one MGET over the live
ids; so a check is a look into a set and costs no I/O.
"""

import asyncio
from collections.abc import Mapping

from loguru import logger

from backend.core.cache import Cache
from backend.domain.errors import CacheUnavailableError
from backend.domain.task import StopReason
from backend.runner.edge import Edge
from backend.runner.run import Run

_RETRY_S = 1.0
_LISTEN_S = 1.0


class CancelFlags:
    """Keeps the flags of the live runs, and stops a run the moment its flag is heard."""

    def __init__(self, cache: Cache, *, runs: Mapping[str, Run]) -> None:
        """`runs` are the live ones by task id, as they stand at any time."""
        self._cache = cache
        self._runs = runs
        self._flagged: set[str] = set()
        self._listener: asyncio.Task[None] | None = None
        self._confirmed = asyncio.Event()

    def is_set(self, task_id: str) -> bool:
        """Tell whether the task was flagged for cancel, from memory."""
        return task_id in self._flagged

    def forget(self, task_id: str) -> None:
        """Drop what is known of a run that ended."""
        self._flagged.discard(task_id)

    @property
    def is_listening(self) -> bool:
        """Whether the subscription stands."""
        return self._confirmed.is_set()

    async def start(self, *, wait_s: float = 3.0) -> None:
        """Start to listen, and wait until the subscription is confirmed, or `wait_s` when Redis is away."""
        self._listener = asyncio.create_task(Edge().forever("cancel-flags", self._listen_forever), name="cancel-flags")
        try:
            async with asyncio.timeout(wait_s):
                await self._confirmed.wait()
        except TimeoutError:
            logger.warning("Redis does not answer: cancels reach running tasks by the beat only")

    async def stop(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})
            self._listener = None

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except CacheUnavailableError:
                await self._read_flags()
                await asyncio.sleep(_RETRY_S)

    async def _listen(self) -> None:
        async with self._cache.subscription() as subscription:
            await self._read_flags()
            self._confirmed.set()
            try:
                while True:
                    task_ids = await subscription.next_message(timeout_s=_LISTEN_S)
                    if task_ids is not None:
                        self._mark(set(task_ids.split()))
            finally:
                self._confirmed.clear()

    async def _read_flags(self) -> None:
        try:
            self._mark(await self._cache.cancel_flags(list(self._runs)))
        except CacheUnavailableError:
            return

    def _mark(self, task_ids: set[str]) -> None:
        # A message names few tasks: a look at ten thousand runs for each would cost more than the rest of a cancel.
        for run in [self._runs[task_id] for task_id in task_ids if task_id in self._runs]:
            self._flagged.add(run.task_id)
            run.stop(StopReason.USER)
