"""Progress and log lines of all runs, stored together: lines every 250 ms, progress at most once a second."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from loguru import logger

from backend.core.clock import Clock
from backend.domain.errors import StoreUnavailableError
from backend.domain.task import Lease, Progress, Stage
from backend.runner.edge import Edge
from backend.runner.run import Run
from backend.store.events import EventStore
from backend.store.tasks import TaskStore

if TYPE_CHECKING:
    from backend.domain.log import LogLine

_LINES_EVERY_S = 0.25
_PROGRESS_EVERY = 4
_RATE_OVER_S = 10.0
_AT_REST = frozenset({Stage.DONE, Stage.NEEDS_PERSON})


class ProgressBoard:
    """One flusher for the whole process: ten thousand pollers cost no task each."""

    def __init__(
        self, tasks: TaskStore, events: EventStore, *, clock: Clock, live: Callable[[], Sequence[Run]]
    ) -> None:
        self._tasks = tasks
        self._events = events
        self._clock = clock
        self._live = live
        self._loop: asyncio.Task[None] | None = None
        # Runs whose lines are on their way: their order must be kept, and nobody else need wait for them.
        self._on_the_way: dict[Run, asyncio.Event] = {}
        self._edge = Edge()

    async def start(self) -> None:
        """Start the flusher."""
        self._loop = asyncio.create_task(self._flush_forever(), name="progress-board")

    async def stop(self) -> None:
        """Stop the flusher; the runs flushed their own before they ended."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait({self._loop})
            self._loop = None

    async def flush(self, run: Run) -> None:
        """Store what is left of one run, before its end is recorded. Raises StoreUnavailableError."""
        while (stored := self._on_the_way.get(run)) is not None:
            await stored.wait()
        await self._store_lines([run])
        self._tell_items([run])

    def forecast(self, run: Run, progress: Progress) -> Progress:
        """Return the progress with its rate (units per second, over some ten seconds) and time to go."""
        now = self._clock.elapsed()
        since, done = run.rate_since = run.rate_since or (now, progress.done)
        if now - since > _RATE_OVER_S:
            run.rate_since = (now - (now - since) / 2, done + (progress.done - done) // 2)
        if now - since < 1 or progress.done <= done or progress.stage in _AT_REST:
            return progress
        rate = (progress.done - done) / (now - since)
        left = None if progress.total is None else max(0, progress.total - progress.done) / rate
        return replace(progress, rate=round(rate, 2), eta_s=None if left is None else round(left, 1))

    async def _flush_forever(self) -> None:
        rounds = 0
        while True:
            await asyncio.sleep(_LINES_EVERY_S)
            rounds += 1
            try:
                await self._edge.keep("storing log lines", self._store_lines(self._live()))
                if rounds % _PROGRESS_EVERY == 0:
                    await self._edge.keep("storing progress", self._store_progress(self._live()))
            except StoreUnavailableError as error:
                logger.debug("progress is not stored for now: {}", error.detail)

    async def _store_lines(self, runs: Iterable[Run]) -> None:
        free = [run for run in runs if run not in self._on_the_way]
        taken = {run: len(run.lines) for run in free if run.lease is not None and run.lines}
        batch: list[tuple[Lease, LogLine]] = [
            (run.mine, line) for run, count in taken.items() for line in run.lines[:count]
        ]
        if not batch:
            return
        stored = asyncio.Event()
        self._on_the_way |= dict.fromkeys(taken, stored)
        try:
            await self._events.add_lines(batch)
            for run, count in taken.items():
                del run.lines[:count]
        finally:
            for run in taken:
                del self._on_the_way[run]
            stored.set()

    async def _store_progress(self, runs: Iterable[Run]) -> None:
        dirty = [run for run in runs if run.is_progress_dirty and run.lease is not None and not run.is_ending]
        for run in dirty:
            run.is_progress_dirty = False
        changes = [(run.mine, self.forecast(run, run.progress), run.books) for run in dirty]
        await self._tasks.save_progress(changes)
        self._tell_items(dirty)

    def _tell_items(self, runs: Iterable[Run]) -> None:
        for run in runs:
            added = 0 if run.books is None else run.books.stored - run.stored_told
            if run.books is not None and added > 0 and run.lease is not None:
                run.stored_told = run.books.stored
                self._events.announce_items(run.mine, added=added, stored=run.books.stored)
