"""Finds what nobody holds (lifecycle.md §3, Sweeper): due tasks, expired leases, unfinished follow-ups, purges.

It only asks: a due task is started by the same callable that a create uses, and its claim decides.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from loguru import logger

from backend.core.clock import Clock
from backend.domain.errors import StoreUnavailableError
from backend.domain.execution import Executor
from backend.domain.task import Task, TaskKind, TaskStatus
from backend.runner.runner import Runner
from backend.store.tasks import TaskStore

_ROUND_S = 1.0
_REAP_EVERY = 5
_OLDEST_EVERY = 8
_AT_ONCE = 200

Removal = Callable[[str], Awaitable[object]]


class Sweeper:
    """One per server. `start_task` schedules a run; `removals` delete a purged task's results, in order.

    `chores` are small steps of tidying up, one of each now and then.
    """

    def __init__(
        self,
        tasks: TaskStore,
        runner: Runner,
        executors: Mapping[TaskKind, Executor],
        *,
        clock: Clock,
        start_task: Callable[[Task], None],
        removals: tuple[Removal, ...] = (),
        chores: tuple[Callable[[], Awaitable[object]], ...] = (),
        chance: random.Random | None = None,
    ) -> None:
        self._tasks = tasks
        self._runner = runner
        self._executors = executors
        self._clock = clock
        self._start_task = start_task
        self._removals = removals
        self._chores = chores
        self._chance = chance or random.Random()  # noqa: S311 - an offset, no secret
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._rounds = 0

    async def start(self) -> None:
        """Start to sweep, and be woken whenever a slot frees."""
        self._runner.when_slot_frees(self.wake)
        self._loop = asyncio.create_task(self._sweep_forever(), name="sweeper")

    async def stop(self) -> None:
        """Stop sweeping."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait({self._loop})
            self._loop = None

    def wake(self) -> None:
        """Look for due tasks now instead of at the next round, if any are known to wait."""
        if self._runner.has_backlog:
            self._wake.set()

    async def reap_own_past(self, instance_id: str) -> int:
        """Take back at once what earlier starts of this instance held: we are alone, their process is gone."""
        held = await self._tasks.owned_by_start_of(instance_id)
        for task in held:
            await self._reap(task, even_if_alive=True)
        return len(held)

    async def _sweep_forever(self) -> None:
        # The first round at once: what an earlier start left must run again within seconds.
        self._wake.set()
        while True:
            asleep_since = self._clock.elapsed()
            await self._wait_for_round()
            late_s = self._clock.elapsed() - asleep_since - _ROUND_S
            try:
                if late_s > self._runner.keeper.lease_s / 3:
                    # We slept through: our own leases come first, or we would reap what is only late.
                    await self._runner.keeper.beat_once()
                await self.sweep()
            except StoreUnavailableError as error:
                logger.warning("sweep put off: {}", error.detail)

    async def _wait_for_round(self) -> None:
        try:
            async with asyncio.timeout(_ROUND_S):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def sweep(self) -> None:
        """Do one round."""
        self._rounds += 1
        if self._rounds % _REAP_EVERY == 1:
            await self._reap_expired()
            await self._follow_up()
            await self._remove_purged()
            for chore in self._chores:
                await chore()
        await self._start_due()

    async def _start_due(self) -> None:
        runner = self._runner
        if runner.is_draining:
            return
        platforms, free = runner.slots.open_platforms(), runner.slots.free
        if not platforms:
            return
        oldest_first = self._rounds % _OLDEST_EVERY == 0
        due = await self._tasks.due(platforms, limit=free + 1, oldest_first=oldest_first)
        runner.has_backlog = len(due) > free
        for task in due[:free]:
            self._start_task(task)

    async def _reap_expired(self) -> None:
        for task in await self._tasks.expired():
            if not self._runner.is_live(task.task_id):
                await self._reap(task, even_if_alive=False)

    async def _reap(self, task: Task, *, even_if_alive: bool) -> None:
        if task.status is TaskStatus.CANCELLING and task.upstream_open:
            await self._runner.abandon(task)
            return
        reaped = await self._tasks.reap(task, even_if_alive=even_if_alive)
        if reaped is not None:
            logger.warning("lease of task {} had run out: {} -> {}", task.task_id, task.status, reaped.status)

    async def _follow_up(self) -> None:
        for task in await self._tasks.with_follow_ups(limit=_AT_ONCE):
            await self.recount(task)

    async def recount(self, task: Task) -> None:
        """Do the follow-up `books` of a task that ended without a run: recount what earlier attempts left."""
        books = await self._executors[task.kind].recount(task)
        await self._tasks.save_final_books(task.task_id, replace(books, balanced=books.adds_up))

    async def _remove_purged(self) -> None:
        moment = self._clock.now() - timedelta(seconds=2 * self._runner.keeper.lease_s)
        for task_id in await self._tasks.hidden_before(moment, limit=_AT_ONCE):
            for removal in self._removals:
                await removal(task_id)
            await self._tasks.remove(task_id)
