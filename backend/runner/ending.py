"""Which of the ends of lifecycle.md §3 a run comes to, and the one write that records it."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from loguru import logger

from backend.core.clock import Clock
from backend.domain.errors import NeedsPersonError, TaskFailedError
from backend.domain.task import (
    Books,
    CancelRecord,
    Ending,
    Notice,
    StopReason,
    TaskError,
    TaskStatus,
)
from backend.domain.text import Text
from backend.runner.person import PersonDesk
from backend.runner.run import Run
from backend.store.tasks import TaskStore

if TYPE_CHECKING:
    import asyncio

_FIRST_RETRY_S = 2.0
_LONGEST_RETRY_S = 300.0

Record = Callable[[], Awaitable[bool]]

_CANCELLED = Text("任务已取消", "Task cancelled")
_TIMED_OUT = Text("超过任务时限，已停止", "Stopped: the task's deadline has passed")
_INTERNAL = Text("内部错误，详情见服务器日志", "Internal error; the server's log has the detail")
_UNBALANCED = Text("任务账目不平，请查看日志", "The task's books do not balance; see the log")


class EndRecorder:
    """Turns what a body did into the write that ends, parks or gives back its task.

    Each write answers True when it took, False when the task had moved on (read why).
    """

    def __init__(self, tasks: TaskStore, desk: PersonDesk, *, clock: Clock, chance: random.Random) -> None:
        self._tasks = tasks
        self._desk = desk
        self._clock = clock
        self._chance = chance

    def ending_of(self, run: Run, body: "asyncio.Task[Ending]", reason: StopReason | None) -> Record:
        """Return the write for this body: its own end, or what its stop (`reason`) or its error asks for."""
        error = None if body.cancelled() else body.exception()
        if not body.cancelled() and error is None:
            return self.finished(run, body.result())
        if reason is StopReason.USER:
            return self.cancelled(run)
        if reason is StopReason.DEADLINE:
            return self.finished(run, Ending(TaskStatus.TIMED_OUT, _TIMED_OUT, self._deadline_error(run)))
        if reason is StopReason.SHUTDOWN:
            return lambda: self._tasks.give_back(
                run.task,
                run.mine,
                reason="drain",
                run_at=min(run.task.run_at, self._clock.now()),
                books=open_books_of(run),
            )
        if isinstance(error, NeedsPersonError):
            return self._parked(run, error)
        return self._failed(run, error)

    def cancelled(self, run: Run) -> Record:
        """Return the write of `cancelled`, with what was released and saved and how long it took."""

        async def record() -> bool:
            seen = run.task.cancel if run.task.cancel is not None else await self._cancel_of(run)
            now = self._clock.now()
            latency_ms = max(0.0, (now - seen.requested_at).total_seconds() * 1000)
            cancel = replace(seen, ended_at=now, released=run.released, saved=books_of(run).stored)
            ending = self._balanced(run, Ending(TaskStatus.CANCELLED, _CANCELLED))
            was = replace(run.task, status=TaskStatus.CANCELLING)
            run.record = await self._tasks.finish(
                *(was, run.mine, ending),
                books=books_of(run),
                progress=replace(run.progress, eta_s=None),
                cancel=cancel,
                cancel_latency_ms=latency_ms,
            )
            if run.record is not None:
                saved = books_of(run).stored
                logger.info("✅ 任务已取消: {}, 用时 {:.0f} ms, 已保存 {} 条", run.task_id, latency_ms, saved)
            return run.record is not None

        return record

    def finished(self, run: Run, ending: Ending, *, is_dead: bool = False) -> Record:
        """Return the write of an end of the body's own."""
        balanced = self._balanced(run, ending)

        async def record() -> bool:
            progress = replace(run.progress, eta_s=None)
            run.record = await self._tasks.finish(
                *(run.task, run.mine, balanced), books=books_of(run), progress=progress, is_dead=is_dead
            )
            took = run.record is not None
            if took and balanced.error is not None:
                logger.error("❌ 任务执行失败: {}, {}", run.task_id, balanced.error.name)
            elif took:
                logger.info("✅ 任务已完成: {}, {}, 已保存 {} 条", run.task_id, balanced.status, books_of(run).stored)
            return took

        return record

    def _parked(self, run: Run, error: NeedsPersonError) -> Record:
        notice = Notice(error.code, error.message, error.advice)

        async def record() -> bool:
            # Before the state: who sees the task waiting finds there what it waits for.
            await self._desk.park(run, error.challenge)
            run.is_parked = await self._tasks.wait(run.task, run.mine, notice=notice, books=open_books_of(run))
            return run.is_parked

        return record

    def _failed(self, run: Run, error: BaseException | None) -> Record:
        failure = self._failure_of(run, error)
        can_retry = failure.retryable
        if can_retry and run.task.attempt < run.task.max_attempts:
            run_at = self._clock.now() + timedelta(seconds=self._pause_s(run, error))
            logger.warning("任务 {} 第 {} 次尝试失败: {}, 稍后重试", run.task_id, run.task.attempt, failure.name)
            return lambda: self._tasks.give_back(
                run.task, run.mine, reason="retry", run_at=run_at, books=open_books_of(run), error=failure
            )
        return self.finished(run, Ending(TaskStatus.FAILED, failure.message, failure), is_dead=can_retry)

    def _failure_of(self, run: Run, error: BaseException | None) -> TaskError:
        now = self._clock.now()
        if isinstance(error, TaskFailedError):
            return TaskError(
                *(error.error_name, error.message, error.advice, error.can_retry, now, error.where), url=error.url
            )
        if error is not None:
            # Logged here once, whole; the record only says that it was ours.
            logger.opt(exception=error).error("task {} failed unexpectedly", run.task_id)
        return TaskError("INTERNAL", _INTERNAL, None, False, now, run.progress.stage.value)

    def _deadline_error(self, run: Run) -> TaskError:
        advice = Text("提高 deadline_s 后重试", "Retry with a higher deadline_s")
        return TaskError("DEADLINE", _TIMED_OUT, advice, True, self._clock.now(), run.progress.stage.value)

    def _pause_s(self, run: Run, error: BaseException | None) -> float:
        asked = error.retry_after_s if isinstance(error, TaskFailedError) else None
        grown = min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** (run.task.attempt - 1))
        return max(asked or 0.0, grown * self._chance.uniform(0.5, 1.0))

    def _balanced(self, run: Run, ending: Ending) -> Ending:
        books = books_of(run)
        if books.adds_up:
            return ending
        logger.error("books of task {} do not balance: {}", run.task_id, books)
        if ending.error is not None:
            return ending
        error = TaskError("BOOKS_UNBALANCED", _UNBALANCED, None, False, self._clock.now(), "store")
        return replace(ending, error=error)

    async def _cancel_of(self, run: Run) -> CancelRecord:
        stored = await self._tasks.get(run.task_id)
        if stored is not None and stored.cancel is not None:
            return stored.cancel
        return CancelRecord(run.stopped_at or self._clock.now(), "unknown")


def books_of(run: Run) -> Books:
    """Return the books as last counted, judged."""
    books = run.books or run.task.books
    return replace(books, balanced=books.adds_up)


def open_books_of(run: Run) -> Books:
    """Return the books of a task that goes on later: not judged before its end."""
    return replace(run.books or run.task.books, balanced=None)


def error_of(body: "asyncio.Task[Any]") -> BaseException | None:
    """Return what the body raised; None for a result and for a cancel."""
    return None if body.cancelled() else body.exception()
