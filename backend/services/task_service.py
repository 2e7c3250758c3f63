"""What callers can do with tasks. The work starts here, on the server's own loop."""

import asyncio
import random
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol

import tornado.ioloop
from loguru import logger

from backend.core.both import both
from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.first_of import first_of
from backend.core.journal import ahead_of_journal
from backend.domain.errors import (
    CacheUnavailableError,
    MediaCrawerError,
    StateConflictError,
    StoreUnavailableError,
    TaskNotFoundError,
)
from backend.domain.task import NewTask, StopReason, Task, TaskStatus
from backend.domain.text import Text
from backend.runner.run import Run
from backend.runner.runner import Runner
from backend.services.event_hub import EventHub
from backend.services.task_access import Sees, refuse_hidden_source, sees_everything
from backend.services.task_requests import TaskDrafter, TaskRequest, body_hash
from backend.store.audit import AuditStore
from backend.store.challenges import ChallengeStore
from backend.store.events import EventStore, LogPage
from backend.store.task_queries import TaskPage, TaskQueries, TaskQuery
from backend.store.tasks import TaskStore

_FLAG_WITHIN_S = 1.0
# The hub tells of every change; should one be lost, or Redis be away, these find it.
_LOOK_EVERY_S = 2.0
_LOOK_ALONE_EVERY_S = 0.2
_TOLD_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Created:
    """A task that was created, or that an earlier call with the same Idempotency-Key had created."""

    task: Task
    is_replay: bool


class Recounter(Protocol):
    """Does the follow-up `books` of a task that ended without a run."""

    async def recount(self, task: Task) -> None:
        """Store the recounted books."""


class TaskService:
    """Create, read, cancel, start, resume, retry, purge."""

    def __init__(
        self,
        tasks: TaskStore,
        queries: TaskQueries,
        events: EventStore,
        *,
        cache: Cache,
        clock: Clock,
        drafter: TaskDrafter,
        runner: Runner,
        hub: EventHub | None = None,
        challenges: ChallengeStore | None = None,
        audit: AuditStore | None = None,
    ) -> None:
        """Without a hub, changes are looked for; without `challenges`, the sweeper removes what people were shown."""
        self._hub = hub
        self._challenges = challenges
        self._audit = audit
        self._tasks = tasks
        self._queries = queries
        self._events = events
        self._cache = cache
        self._clock = clock
        self._drafter = drafter
        self._runner = runner
        self._recounter: Recounter | None = None
        self._creating: set[str] = set()
        # Platforms by task, from the spawn to the first step of what was spawned, which takes the slot.
        self._spawned: dict[str, str] = {}
        # Ids must be unlike, not secret: asking the system for each would cost 0.1 ms (measured).
        self._chance = random.Random(secrets.randbits(128))  # noqa: S311 - see above

    def recount_with(self, recounter: Recounter) -> None:
        """Have follow-ups of cancelled tasks done at once by this one (the sweeper, which needs us first)."""
        self._recounter = recounter

    # -- create and run ------------------------------------------------------------------------------------------

    async def create_task(
        self,
        request: TaskRequest,
        *,
        by: str = "local",
        sees: Sees = sees_everything,
        idempotency_key: str | None = None,
        require_available: bool = False,
    ) -> Created:
        """Store a task and schedule it on the server's own loop; a manual one waits for `start`.

        `sees` tells of which tasks the maker may read the results. Raises the errors of `TaskDrafter.draft`,
        IdempotencyConflictError and StoreUnavailableError.
        """
        new = self._drafter.draft(request, require_available=require_available)
        await refuse_hidden_source(new, sees)
        new = replace(new, created_by=by, idempotency_key=idempotency_key, body_hash=body_hash(new))
        try:
            return await self._store_and_schedule(new)
        except StoreUnavailableError as error:
            logger.error("❌ 创建任务失败: {}", error)
            raise

    async def _store_and_schedule(self, new: NewTask) -> Created:
        with self.creating() as new_id:
            task, is_replay = await self._tasks.create(new_id(), new)
        if is_replay:
            return Created(task, is_replay=True)
        if task.status is TaskStatus.HELD:
            logger.opt(depth=1).info("任务已创建，等待执行: {}", task.task_id)
        else:
            logger.opt(depth=1).success("✅ 任务创建成功: {}", task.task_id)
            self.schedule_new(task)
        return Created(task, is_replay=False)

    @contextmanager
    def creating(self) -> Iterator[Callable[[], str]]:
        """Yield what makes ids of new tasks; those are not started by the sweeper while inside."""
        made: set[str] = set()

        def new_id() -> str:
            task_id = self._new_id()
            made.add(task_id)
            self._creating.add(task_id)
            return task_id

        try:
            yield new_id
        finally:
            self._creating -= made

    def schedule_new(self, task: Task) -> None:
        """Schedule a task that has just become pending, unless it is not due or must queue behind older ones."""
        if task.run_at > self._clock.now():
            return
        if self._runner.may_start(task) and self._has_room_beside_spawned(task):
            self.schedule(task)
        else:
            self._runner.put_off(task)

    def schedule(self, task: Task) -> None:
        """Start the work on the server's own loop; the sweeper is given this same callable."""
        # asyncio.create_task here once bound the work to whatever loop was current, and tasks were lost with
        # a loop error; spawn_callback on the server's loop is the mend (docs/decisions/0002).
        self._spawned[task.task_id] = task.platform
        tornado.ioloop.IOLoop.current().spawn_callback(self._execute_task, task)

    def _has_room_beside_spawned(self, task: Task) -> bool:
        """Whether a slot is left when all that was spawned in this step of the loop has taken its own."""
        if not self._spawned:
            return True
        plan = self._runner.slots.plan()
        for platform in self._spawned.values():
            plan.take(platform)
        return plan.has_free(task.platform)

    def schedule_found(self, task: Task) -> None:
        """Start a task that the sweeper found; one whose create has not returned yet is started by that.

        Slots that were free when it looked may have been taken meanwhile, and the task itself been started.
        """
        if task.task_id in self._creating or task.task_id in self._spawned or self._runner.is_live(task.task_id):
            return
        if self._runner.slots.has_free(task.platform) and self._has_room_beside_spawned(task):
            self.schedule(task)
        else:
            self._runner.backlog.mark(task.platform)

    async def _execute_task(self, task: Task) -> None:
        self._spawned.pop(task.task_id, None)
        async with self._runner.attempt(task) as attempt:
            if attempt is None:
                return
            logger.info("🚀 开始执行任务: {}", task.task_id)
            await attempt.carry_out()

    # -- read ----------------------------------------------------------------------------------------------------

    async def get(self, task_id: str) -> Task:
        """Return a task. Raises TaskNotFoundError."""
        task = await self._tasks.get(task_id)
        if task is None:
            raise TaskNotFoundError(task_id)
        return task

    async def list(self, query: TaskQuery) -> TaskPage:
        """Return a page of tasks. Raises BadCursorError."""
        return await self._queries.page(query)

    async def facets(self, query: TaskQuery) -> Mapping[str, Mapping[str, int]]:
        """Return how many of the tasks that match there are by status, kind and platform."""
        return await self._queries.facets(query)

    async def logs(
        self, task_id: str, *, limit: int, after: int | None = None, before: int | None = None, level: str = "debug"
    ) -> LogPage:
        """Return lines of a task's log. Raises TaskNotFoundError."""
        task = await self.get(task_id)
        return await self._events.page(task, limit=limit, after=after, before=before, level=level)

    async def wait(self, task_id: str, *, until: str, timeout_s: float, version: int | None = None) -> Task:
        """Return the task when it is final (`until` = final), or above `version` (changed), or after `timeout_s`.

        Without a version, `changed` counts from the record as it is now. A server that leaves answers as soon as
        nothing of the task runs here. Raises TaskNotFoundError.
        """
        end = self._clock.elapsed() + timeout_s
        # Before it reads: what is written after that rings.
        with self._watching(task_id) as rung:
            task = await self.get(task_id)
            known = task.version if version is None else version
            while not (task.status.is_final or (until == "changed" and task.version > known)):
                left_s = end - self._clock.elapsed()
                if left_s <= 0 or (self._runner.is_draining and not self._runner.is_live(task_id)):
                    break
                run = self._runner.run_of(task_id)
                await self._pause(run, rung, left_s)
                rung.clear()
                task = await self.get(task_id) if run is None or run.record is None else run.record
        return await self._told(task)

    async def counts(self) -> Mapping[TaskStatus, int]:
        """Return how many tasks run, are pending and wait, each counted to 1,000. Raises StoreUnavailableError."""
        return await self._tasks.count_by_status([TaskStatus.RUNNING, TaskStatus.PENDING, TaskStatus.WAITING])

    # -- change --------------------------------------------------------------------------------------------------

    async def cancel_task(self, task_id: str, *, by: str, wait_s: float = 0.0) -> Task:
        """Ask for the end of a task; return its record at once, or at its end, at the latest after `wait_s`.

        MongoDB decides; the registry and the flag only make it fast. Idempotent. Raises TaskNotFoundError.
        """
        requested_at = self._clock.now()
        with ahead_of_journal() as ahead:
            task = await self._tasks.cancel(task_id, by=by, requested_at=requested_at)
        if task is None:
            task = await self.get(task_id)
            if task.status.is_final:
                # By a call of this moment, maybe: a cancel is written ahead of the journal.
                await self._tasks.keep(task_id)
                return task
        else:
            logger.info("🛑 任务已标记为取消: {}", task_id)
        self._stop_here(task)
        await both(self._flag(task_id), self._tasks.keep(task_id))
        ahead.check()
        if task.status is TaskStatus.CANCELLED:
            return await self._settled(task)
        if wait_s > 0:
            return await self.wait(task_id, until="final", timeout_s=wait_s)
        return task

    async def start(self, task_id: str, *, by: str) -> Task:
        """Let a held task run. Raises TaskNotFoundError, StateConflictError."""
        return await self._requeued(await self._tasks.release_held(task_id, by=by), task_id)

    async def resume(self, task_id: str, *, by: str) -> Task:
        """Let a waiting task go on. Raises TaskNotFoundError, StateConflictError."""
        task = await self._requeued(await self._tasks.resume_waiting(task_id, by=by), task_id)
        await self._forget_challenge(task)
        return task

    async def retry(self, task_id: str, *, by: str) -> Task:
        """Create a new task with the parameters of an ended one. Raises TaskNotFoundError, StateConflictError."""
        old = await self.get(task_id)
        if not old.status.is_final:
            raise _conflict(old)
        new = NewTask(
            *(old.kind, old.platform, old.type, old.params, old.title, by, old.labels, old.priority),
            max_attempts=old.max_attempts,
            deadline_s=old.deadline_s,
            ignored=old.ignored,
            notice=self._drafter.notice_of(old.platform),
            batch_id=old.batch_id,
            retry_of=old.task_id,
        )
        return (await self._store_and_schedule(new)).task

    async def purge(self, task_id: str, *, by: str) -> None:
        """Remove an ended task with its results: hidden at once. Raises TaskNotFoundError, StateConflictError."""
        if not await self._tasks.hide(task_id):
            raise _conflict(await self.get(task_id))
        logger.info("🗑️ 任务已删除: {} by {}", task_id, by)
        if self._audit is not None:
            await self._audit.add("task.purged", by=by, subject=task_id)

    # -- below ---------------------------------------------------------------------------------------------------

    def _stop_here(self, task: Task) -> None:
        self._runner.stop_run(task.task_id, StopReason.USER, cancel=task.cancel)
        if task.status is TaskStatus.CANCELLING and task.worker_id is None:
            # Nobody runs it, and its provider has a job open.
            self._runner.start_abandon(task)

    async def _flag(self, task_id: str) -> None:
        try:
            async with asyncio.timeout(_FLAG_WITHIN_S):
                await self._cache.flag_cancel(task_id)
        except (CacheUnavailableError, TimeoutError):
            logger.warning("Redis does not answer: the cancel of {} reaches other servers by the beat", task_id)

    async def _forget_challenge(self, task: Task) -> None:
        was_waiting = bool(task.history) and task.history[-1].from_status == TaskStatus.WAITING
        if self._challenges is None or not was_waiting:
            return
        try:
            await self._challenges.drop(task.task_id, fence=task.fence)
        except StoreUnavailableError as error:
            # Shown it is no more, whatever is stored.
            logger.debug("the challenge of task {} is removed later: {}", task.task_id, error.detail)

    async def _settled(self, task: Task) -> Task:
        await self._forget_challenge(task)
        if "books" in task.after and self._recounter is not None:
            try:
                await self._recounter.recount(task)
                task = await self.get(task.task_id)
            except StoreUnavailableError as error:
                logger.warning("books of task {} are recounted later: {}", task.task_id, error.detail)
        saved, took_ms = task.books.stored, task.cancel_latency_ms or 0.0
        logger.info("✅ 任务已取消: {}, 用时 {:.0f} ms, 已保存 {} 条", task.task_id, took_ms, saved)
        return task

    async def _requeued(self, task: Task | None, task_id: str) -> Task:
        if task is None:
            raise _conflict(await self.get(task_id))
        self.schedule_new(task)
        return task

    async def _told(self, task: Task) -> Task:
        """Return the task when its end is known to the run here that wrote it: MongoDB knows it a moment before."""
        run = self._runner.run_of(task.task_id)
        if task.status.is_final and run is not None and run.record is None:
            await first_of(run.ended, timeout_s=_TOLD_WITHIN_S)
        return task

    def _watching(self, task_id: str) -> AbstractContextManager[asyncio.Event]:
        return nullcontext(asyncio.Event()) if self._hub is None else self._hub.watching(task_id)

    async def _pause(self, run: Run | None, rung: asyncio.Event, left_s: float) -> None:
        """Wait until the task is rung for, its run here ends, or it is time to look."""
        is_told = self._hub is not None and self._hub.is_connected
        events = (rung,) if run is None else (rung, run.ended)
        await first_of(*events, timeout_s=min(_LOOK_EVERY_S if is_told else _LOOK_ALONE_EVERY_S, left_s))

    def _new_id(self) -> str:
        # Time first, so that ids sort by age; the rest keeps two servers apart.
        return f"t_{int(self._clock.now().timestamp() * 1000):011x}{self._chance.getrandbits(40):010x}"


def _conflict(task: Task) -> MediaCrawerError:
    status = task.status.value
    return StateConflictError(
        Text(f"任务当前状态是 {status}，不能执行此操作", f"The task is {status}; this cannot be done now")
    )
