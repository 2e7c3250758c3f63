"""Cancel all tasks that match.

It may be ten thousand of them while the same loop runs hundreds: the work goes in batches of one round trip each, and
none of it in a coroutine per task.
"""

import asyncio
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from loguru import logger

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.domain.errors import CacheUnavailableError, StoreUnavailableError
from backend.domain.task import Books, StopReason, Task, TaskStatus
from backend.runner.runner import Runner
from backend.store.task_queries import TaskQueries, TaskQuery
from backend.store.task_sets import OPEN, TaskSets
from backend.store.tasks import TaskStore

Thing = TypeVar("Thing")

_CANCELLED_AT_ONCE = 100
_RECOUNTED_AT_ONCE = 50
# Each stop sets a body's whole cleaning up going: a hundred in one step of the loop would hold up the rest.
_STOPPED_AT_ONCE = 10
# The first ones at once; what is left the sweeper takes, some hundred a round.
_ABANDONED_AT_ONCE = 50
_FLAG_WITHIN_S = 1.0
# Other servers' clocks may be this far ahead: a task made there just before the call belongs to it.
_CLOCKS_APART = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class SetCancelled:
    """`matched` tasks were not final: `cancelled` of them are, `cancelling` ones have been told and will end."""

    matched: int
    cancelled: int
    cancelling: int


class Recounter(Protocol):
    """Counts for the follow-up `books` of tasks that ended without a run."""

    async def recount_all(self, tasks: Sequence[Task]) -> Mapping[str, Books]:
        """Return the recounted books by task."""


@dataclass(frozen=True, slots=True)
class _Step:
    """Which tasks are cancelled together. What has no job at its provider comes first: it may be about to get one."""

    statuses: Collection[TaskStatus]
    upstream_open: bool


_RUNNING = frozenset({TaskStatus.RUNNING})
_IDLE = OPEN - _RUNNING
# Idle ones before running ones: whatever slot a running one frees, there is nothing left to take it.
_STEPS = (_Step(_IDLE, False), _Step(_RUNNING, False), _Step(OPEN, True))


@dataclass(slots=True)
class _Cancel:
    """One call and what came of it so far."""

    query: TaskQuery
    by: str
    requested_at: datetime
    cancel_id: str
    matched: int = 0
    cancelled: int = 0
    to_recount: list[str] = field(default_factory=list)
    abandons_left: int = _ABANDONED_AT_ONCE
    can_flag: bool = True

    @property
    def among(self) -> Collection[TaskStatus]:
        """The states asked for: of the pending ones one that began meanwhile is none."""
        return OPEN & frozenset(self.query.statuses or OPEN)

    @property
    def created_by_then(self) -> datetime:
        """A bound, or tasks that are made meanwhile would keep the call going for ever."""
        return self.requested_at + _CLOCKS_APART

    def note(self, tasks: Sequence[Task]) -> None:
        self.matched += len(tasks)
        self.cancelled += sum(task.status is TaskStatus.CANCELLED for task in tasks)
        self.to_recount += [task.task_id for task in tasks if "books" in task.after]


class SetService:
    """Cancel many tasks."""

    def __init__(
        self,
        store: TaskStore,
        sets: TaskSets,
        queries: TaskQueries,
        *,
        cache: Cache,
        clock: Clock,
        runner: Runner,
    ) -> None:
        self._store = store
        self._sets = sets
        self._queries = queries
        self._cache = cache
        self._clock = clock
        self._runner = runner
        self._recounter: Recounter | None = None

    def recount_with(self, recounter: Recounter) -> None:
        """Have follow-ups of cancelled tasks done at once by this one (the sweeper)."""
        self._recounter = recounter

    async def cancel(self, query: TaskQuery, *, by: str) -> SetCancelled:
        """Ask for the end of every task that matches `query` (its filters) and is not final.

        Returns when each has been told: by the registry, by its flag, and where nobody runs it by its status alone.
        A caller who leaves meanwhile changes nothing. Idempotent: a repeat finds what is still there, and goes on
        where a call was cut. Raises StoreUnavailableError.
        """
        cancel = _Cancel(query, by, self._clock.now(), secrets.token_hex(8))
        is_through = False
        try:
            while await self._cancel_round(cancel):
                # A task may have been given back, or have got a job, behind the step that would have found it.
                pass
            await self._stop_cancelling(cancel)
            await self._recount(cancel.to_recount)
            is_through = True
        finally:
            said = "所有任务已取消: {}" if is_through else "批量取消中断，已取消 {} 个任务，其余未动，请重试"
            logger.log("INFO" if is_through else "WARNING", said, cancel.matched)
        return SetCancelled(cancel.matched, cancel.cancelled, cancel.matched - cancel.cancelled)

    async def _cancel_round(self, cancel: _Cancel) -> bool:
        """Go through all steps once; False when nothing was left to cancel."""
        has_found = False
        for step in _STEPS:
            cursor: str | None = None
            while True:
                found = await self._queries.open_tasks(
                    replace(cancel.query, cursor=cursor),
                    step.statuses,
                    created_by_then=cancel.created_by_then,
                    upstream_open=step.upstream_open,
                    limit=_CANCELLED_AT_ONCE,
                )
                has_found = has_found or bool(found.task_ids)
                await self._cancel_these(cancel, found.task_ids)
                cursor = found.next_cursor
                if cursor is None:
                    break
        return has_found

    async def _cancel_these(self, cancel: _Cancel, task_ids: Sequence[str]) -> None:
        if not task_ids:
            return
        won = await self._sets.cancel(
            task_ids, by=cancel.by, requested_at=cancel.requested_at, cancel_id=cancel.cancel_id, among=cancel.among
        )
        cancel.note(won)
        await self._make_known(cancel, won)
        if won:
            await self._store.keep(won[-1].task_id)

    async def _stop_cancelling(self, cancel: _Cancel) -> None:
        """Tell those again that somebody else has cancelled and that have not ended."""
        cursor: str | None = None
        while True:
            found = await self._queries.open_tasks(
                replace(cancel.query, cursor=cursor),
                {TaskStatus.CANCELLING},
                created_by_then=cancel.created_by_then,
                not_cancelled_by=cancel.cancel_id,
                limit=_CANCELLED_AT_ONCE,
            )
            told = [task for task in await self._sets.read(found.task_ids) if task.status is TaskStatus.CANCELLING]
            cancel.note(told)
            await self._make_known(cancel, told)
            if told:
                await self._store.keep(told[-1].task_id)
            cursor = found.next_cursor
            if cursor is None:
                return

    async def _make_known(self, cancel: _Cancel, tasks: Sequence[Task]) -> None:
        """Stop what runs here, abandon what nobody runs, and flag what may run elsewhere."""
        for some in _in_batches(tasks, _STOPPED_AT_ONCE):
            has_stopped = [self._runner.stop_run(task.task_id, StopReason.USER) for task in some]
            if any(has_stopped):
                await asyncio.sleep(0)
        # What became `cancelled` at once is run by nobody, and no claim can win it any more.
        cancelling = [task for task in tasks if task.status is TaskStatus.CANCELLING]
        for task in cancelling:
            if task.worker_id is None and cancel.abandons_left > 0:
                cancel.abandons_left -= 1
                self._runner.start_abandon(task)
        await self._flag(cancel, [task.task_id for task in cancelling])

    async def _flag(self, cancel: _Cancel, task_ids: Sequence[str]) -> None:
        if not task_ids or not cancel.can_flag:
            return
        try:
            async with asyncio.timeout(_FLAG_WITHIN_S):
                await self._cache.flag_cancel(*task_ids)
        except (CacheUnavailableError, TimeoutError):
            cancel.can_flag = False
            logger.warning("Redis does not answer: the cancel of a set reaches other servers by the beat")

    async def _recount(self, task_ids: Sequence[str]) -> None:
        """Do the follow-up `books` of those that had run before; what fails here is left to the sweeper."""
        recounter = self._recounter
        if recounter is None:
            return
        for some in _in_batches(task_ids, _RECOUNTED_AT_ONCE):
            try:
                await self._sets.save_final_books(await recounter.recount_all(await self._sets.read(some)))
            except StoreUnavailableError as error:
                logger.warning("books of {} tasks are recounted later: {}", len(some), error.detail)


def _in_batches(things: Sequence[Thing], size: int) -> Iterator[Sequence[Thing]]:
    return (things[start : start + size] for start in range(0, len(things), size))
