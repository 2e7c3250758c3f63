"""Finds what nobody holds (lifecycle.md §3, Sweeper): due tasks, expired leases, unfinished follow-ups, purges.

It only asks: a due task is started by the same callable that a create uses, and its claim decides.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from loguru import logger

from backend.core.clock import Clock
from backend.core.crash_points import crash_point
from backend.domain.errors import StoreUnavailableError
from backend.domain.execution import Executor
from backend.domain.task import Books, Task, TaskKind, TaskStatus
from backend.runner.edge import Edge
from backend.runner.runner import Runner
from backend.store.tasks import TaskStore

_ROUND_S = 1.0
_SHORTEST_ROUND_S = 0.8
_LONGEST_ROUND_S = 1.2
_REAP_EVERY_S = 5.0
_OLDEST_EVERY = 8
_AT_ONCE = 200
_STARTED_AT_ONCE = 10
_ANNOUNCED_AT_ONCE = 1_000

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
        self._reaped_at = -math.inf
        self._reopened_at = -math.inf
        self._edge = Edge()

    async def start(self) -> None:
        """Start to sweep, and be woken whenever a slot frees."""
        self._runner.when_slot_frees(self.wake)
        self._loop = asyncio.create_task(self._edge.forever("sweeper", self._sweep_forever), name="sweeper")

    async def stop(self) -> None:
        """Stop sweeping."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait({self._loop})
            self._loop = None

    def wake(self) -> None:
        """Look for due tasks now instead of at the next round, if one that is known to wait could start."""
        if self._runner.could_start_waiting:
            self._wake.set()

    def heed_others(self) -> None:
        """Look for due tasks now: another server has put some off, or given a slot back."""
        self._runner.slots.reopen()
        if self._runner.slots.free:
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
            async with asyncio.timeout(self._chance.uniform(_SHORTEST_ROUND_S, _LONGEST_ROUND_S)):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def sweep(self) -> None:
        """Do one round; an error in one part of it leaves the others. Raises StoreUnavailableError."""
        self._rounds += 1
        if self._clock.elapsed() - self._reaped_at >= _REAP_EVERY_S:
            begun_at = self._clock.elapsed()
            await self._edge.keep("reaping", self._reap_expired())
            # Not before: what a store that is away cut short is made up for in the next round.
            self._reaped_at = begun_at
            await self._edge.keep("follow-ups", self._follow_up())
            await self._edge.keep("purging", self._remove_purged())
            for number, chore in enumerate(self._chores):
                await self._edge.keep(f"chore {number}", chore())
        await self._edge.keep("starting due tasks", self._start_due())

    def _reopen_now_and_then(self) -> None:
        """Ask anew for shut platforms, however often slots free here: a server that dies rings nobody."""
        if self._clock.elapsed() - self._reopened_at >= _SHORTEST_ROUND_S:
            self._reopened_at = self._clock.elapsed()
            self._runner.slots.reopen()

    async def _start_due(self) -> None:
        self._reopen_now_and_then()
        runner, plan = self._runner, self._runner.slots.plan()
        if runner.is_draining:
            return
        # A claim in flight has its slot already, and its task still looks pending.
        known = {run.task_id for run in runner.live() if run.lease is None}
        oldest_first = self._rounds % _OLDEST_EVERY == 0
        while platforms := plan.open_platforms():
            begun = runner.backlog.begin_look()
            due = await self._tasks.due(platforms, limit=plan.free + len(known) + 1, oldest_first=oldest_first)
            fresh = [task for task in due if task.task_id not in known]
            fitting = [task for task in fresh if plan.take(task.platform)]
            for number, task in enumerate(fitting, start=1):
                self._start_task(task)
                if number % _STARTED_AT_ONCE == 0:
                    # What was started begins in the next step of the loop, which has other work too.
                    await asyncio.sleep(0)
            known |= {task.task_id for task in fitting}
            waiting = {task.platform for task in fresh if task.task_id not in known}
            # With all slots taken it is not known what waits of the other platforms.
            runner.backlog.settle(begun, platforms, platforms if waiting and not plan.free else waiting)
            if not waiting:
                return
            # What did not fit filled its platform: look again for what the others could run beside it.

    async def _reap_expired(self) -> None:
        if self._clock.steady_s < self._runner.keeper.lease_s:
            # The time of day has just jumped: leases that other servers wrote before it may only look run out.
            return
        for task in await self._tasks.expired():
            if not self._runner.is_live(task.task_id):
                await self._reap(task, even_if_alive=False)

    async def _reap(self, task: Task, *, even_if_alive: bool) -> None:
        if task.status is TaskStatus.CANCELLING and task.upstream_open:
            self._runner.start_abandon(task, even_if_alive=even_if_alive)
            return
        reaped = await self._tasks.reap(task, even_if_alive=even_if_alive)
        if reaped is not None:
            logger.warning("lease of task {} had run out: {} -> {}", task.task_id, task.status, reaped.status)
            _say_end(reaped)

    async def _follow_up(self) -> None:
        for task in await self._tasks.with_follow_up("books", limit=_AT_ONCE):
            await self._edge.keep(f"recount of task {task.task_id}", self.recount(task))
        await self._tasks.announce_ends(limit=_ANNOUNCED_AT_ONCE)

    async def recount(self, task: Task) -> None:
        """Do the follow-up `books` of a task that ended without a run: recount what earlier attempts left."""
        crash_point("before_books")
        books = await self._executors[task.kind].recount(task)
        await self._tasks.save_final_books(task.task_id, replace(books, balanced=books.adds_up))

    async def recount_all(self, tasks: Sequence[Task]) -> dict[str, Books]:
        """Return the recounted books of many such tasks, by their ids, with a few reads for all of one kind."""
        found: dict[str, Books] = {}
        for kind in {task.kind for task in tasks}:
            found |= await self._executors[kind].recount_many([task for task in tasks if task.kind is kind])
        return {task_id: replace(books, balanced=books.adds_up) for task_id, books in found.items()}

    async def _remove_purged(self) -> None:
        moment = self._clock.now() - timedelta(seconds=2 * self._runner.keeper.lease_s)
        for task_id in await self._tasks.hidden_before(moment, limit=_AT_ONCE):
            await self._edge.keep(f"purge of task {task_id}", self._remove(task_id))

    async def _remove(self, task_id: str) -> None:
        for removal in self._removals:
            await removal(task_id)
        await self._tasks.remove(task_id)


def _say_end(task: Task) -> None:
    if task.status is TaskStatus.CANCELLED:
        latency_ms, saved = task.cancel_latency_ms or 0.0, task.books.stored
        logger.info("✅ 任务已取消: {}, 用时 {:.0f} ms, 已保存 {} 条", task.task_id, latency_ms, saved)
    elif task.error is not None and task.status.is_final:
        logger.error("❌ 任务执行失败: {}, {}", task.task_id, task.error.name)
