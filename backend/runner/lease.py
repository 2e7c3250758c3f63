"""Keeping leases alive, and noticing when one is lost (lifecycle.md §3, The lease).

One beat for all runs of the process, every third of a lease, with a read-back; and a timer that does not wait for
MongoDB: a run whose last good beat is older than two thirds of a lease is stopped, whatever hangs.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from loguru import logger

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.errors import LeaseLostError, StoreUnavailableError
from backend.domain.task import StopReason, TaskStatus
from backend.runner.edge import Edge
from backend.runner.run import Run
from backend.store.tasks import LeaseSeen, TaskStore

if TYPE_CHECKING:
    from collections.abc import Sequence

_RETRY_S = 1.0
_WATCHES_A_LEASE = 24
_BEAT_AT_ONCE = 1_000


class LeaseKeeper:
    """Beats for the live runs of this process start; `worker_id` names that start."""

    def __init__(self, tasks: TaskStore, database: Database, *, clock: Clock, worker_id: str, lease_s: float) -> None:
        self._tasks = tasks
        self._database = database
        self._clock = clock
        self._runs: dict[str, Run] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._edge = Edge()
        self.worker_id = worker_id
        self.lease_s = lease_s

    async def start(self) -> None:
        """Start to beat and to watch."""
        beats = asyncio.create_task(self._beat_forever(), name="lease-beat")
        watch = asyncio.create_task(self._watch_forever(), name="lease-watch")
        self._loops = [beats, watch]
        for loop in self._loops:
            loop.add_done_callback(self._end_everything)

    async def stop(self) -> None:
        """Stop beating; the runs have ended before."""
        for loop in self._loops:
            loop.remove_done_callback(self._end_everything)
            loop.cancel()
        if self._loops:
            await asyncio.wait(self._loops)
        self._loops = []

    @property
    def is_beating(self) -> bool:
        """Whether both loops run."""
        return bool(self._loops) and not any(loop.done() for loop in self._loops)

    def add(self, run: Run) -> None:
        """Beat for this run from now on: it was claimed."""
        self._runs[run.task_id] = run

    def remove(self, run: Run) -> None:
        """Beat for it no more."""
        if self._runs.get(run.task_id) is run:
            del self._runs[run.task_id]

    async def confirm(self, run: Run) -> None:
        """Send one good beat for this run now. Raises LeaseLostError when the task is no longer ours."""
        asked_at = self._clock.elapsed()
        await self._beat([run])
        if run.reason is StopReason.LEASE_LOST or run.good_beat_at < asked_at:
            raise LeaseLostError(run.task_id)

    async def beat_once(self) -> None:
        """Beat for all live runs. Raises StoreUnavailableError; the timer goes on meanwhile."""
        # On a busy loop one round of many may take longer than a third of a lease: a run that was claimed just after it
        # began must not be the last of the next round too (seen with 8,000: runs lost, one part after the other).
        runs = [run for run in self._runs.values() if not run.is_ending]
        await self._beat(sorted(runs, key=lambda run: run.good_beat_at))

    async def _beat(self, runs: "Sequence[Run]") -> None:
        # In parts: to read back and judge ten thousand at once would hold the loop for some 60 ms.
        for start in range(0, len(runs), _BEAT_AT_ONCE):
            part = runs[start : start + _BEAT_AT_ONCE]
            sent_at = self._clock.elapsed()
            ids = [run.task_id for run in part]
            await self._tasks.beat(ids, worker_id=self.worker_id, lease_s=self.lease_s)
            self._judge(part, await self._tasks.read_leases(ids), sent_at)

    def _judge(self, runs: Iterable[Run], seen: Mapping[str, LeaseSeen], sent_at: float) -> None:
        for run in runs:
            # A run that ended meanwhile, or that hands in its end, has rightly let go of the lease.
            if run.is_ending or self._runs.get(run.task_id) is not run:
                continue
            row = seen.get(run.task_id)
            if row is None or (row.worker_id, row.fence) != (self.worker_id, run.mine.fence):
                logger.warning("lease of task {} is lost: somebody else has it", run.task_id)
                run.stop(StopReason.LEASE_LOST)
                continue
            run.good_beat_at = max(run.good_beat_at, sent_at)
            if row.status is TaskStatus.CANCELLING:
                run.stop(StopReason.USER)

    async def _beat_forever(self) -> None:
        due_at = self._clock.elapsed() + self.lease_s / 3
        while True:
            await asyncio.sleep(max(0.0, due_at - self._clock.elapsed()))
            # From start to start: a cancel that only the beat carries must not wait for the beat's own time too.
            due_at = self._clock.elapsed() + self.lease_s / 3
            if not await self._has_beaten():
                due_at = self._clock.elapsed() + _RETRY_S

    async def _has_beaten(self) -> bool:
        try:
            return await self._edge.keep("lease-beat", self._beat_and_measure())
        except StoreUnavailableError as error:
            logger.warning("beat failed ({}), again in {} s", error.detail, _RETRY_S)
            return False

    async def _beat_and_measure(self) -> None:
        await self.beat_once()
        await self._database.measure()

    async def _watch_forever(self) -> None:
        while True:
            await asyncio.sleep(self.lease_s / _WATCHES_A_LEASE)
            oldest = self._clock.elapsed() - self.lease_s * 2 / 3
            for run in [run for run in self._runs.values() if run.good_beat_at < oldest]:
                if run.reason is not StopReason.LEASE_LOST:
                    logger.warning("lease of task {} is lost: no good beat in time", run.task_id)
                    run.stop(StopReason.LEASE_LOST)

    def _end_everything(self, loop: asyncio.Task[None]) -> None:
        logger.error("{} ended: all runs of this process are stopped", loop.get_name())
        for run in list(self._runs.values()):
            run.stop(StopReason.LEASE_LOST)
