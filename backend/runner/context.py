"""What an execution sees of its run: the TaskContext of domain/execution.py, on the server's own loop."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar

from backend.core.crash_points import crash_point
from backend.domain.challenge import Challenge
from backend.domain.execution import LONGEST_WAIT_S, TaskContext
from backend.domain.task import Books, Checkpoint, Lease, Stage, SubmitIntent, Task, Upstream
from backend.runner.lease import LeaseKeeper
from backend.runner.person import PersonDesk, Refresh, RunAsking, wait_for_person
from backend.runner.run import Run
from backend.store.tasks import TaskStore

T = TypeVar("T")


class RunContext:
    """Direct access: stores and clients are used as they are."""

    def __init__(self, run: Run, *, tasks: TaskStore, keeper: LeaseKeeper, desk: PersonDesk) -> None:
        self._run = run
        self._tasks = tasks
        self._keeper = keeper
        self._desk = desk
        self._one_wait = asyncio.Lock()

    @property
    def task(self) -> Task:
        """The task as it was claimed, with what this run has recorded since."""
        return self._run.task

    @property
    def lease(self) -> Lease:
        """The fence that every write of this run carries."""
        return self._run.mine

    @property
    def submit_limit_s(self) -> float:
        """Half a lease."""
        return self._keeper.lease_s / 2

    def check(self) -> None:
        """Raise asyncio.CancelledError when the run is to stop."""
        self._run.check()

    async def sleep(self, seconds: float) -> None:
        """Check, then wait; a cancel of the body ends the wait at once."""
        self._run.check()
        await asyncio.sleep(seconds)

    def progress(
        self,
        *,
        done: int | None = None,
        total: int | None = None,
        unit: str | None = None,
        stage: Stage | None = None,
        books: Books | None = None,
    ) -> None:
        """Note what changed; the board stores it."""
        given = {"done": done, "total": total, "unit": unit, "stage": stage}
        changed = replace(self._run.progress, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        if changed != self._run.progress or (books is not None and books != self._run.books):
            self._run.progress = changed
            self._run.books = books or self._run.books
            self._run.is_progress_dirty = True

    def log(self, level: str, message: str, **fields: str | float | None) -> None:
        """Add a line to the task's log."""
        self._run.add_line(level, message, fields)

    async def checkpoint(self, state: Mapping[str, Any], note: str) -> None:
        """Store where a resumed run goes on. Raises LeaseLostError."""
        self._run.check()
        made = Checkpoint(self._run.clock.now(), note, dict(state))
        await self._tasks.save_checkpoint(self.lease, made)
        crash_point("after_checkpoint")
        self._run.task = replace(self._run.task, checkpoint=made, lost=0)

    async def record_intent(self, intent: SubmitIntent, upstream: Upstream) -> None:
        """Store that a submit is about to be sent. Raises LeaseLostError."""
        await self._tasks.save_intent(self.lease, intent, upstream)
        self._run.task = replace(self._run.task, intent=intent, upstream=upstream, upstream_open=True)

    async def record_upstream(self, upstream: Upstream, *, is_open: bool, drop_intent: bool = False) -> None:
        """Store what is known of the provider's job. Raises LeaseLostError."""
        await self._tasks.save_upstream(self.lease, upstream, is_open=is_open, drop_intent=drop_intent)
        intent = None if drop_intent else self._run.task.intent
        self._run.task = replace(self._run.task, intent=intent, upstream=upstream, upstream_open=is_open, lost=0)

    async def confirm_lease(self) -> None:
        """Send one good beat now. Raises LeaseLostError."""
        await self._keeper.confirm(self._run)

    def asking(self) -> RunAsking:
        """Return the server's side of a new wait for a person."""
        return self._desk.asking(self._run)

    async def wait_for_person(
        self,
        challenge: Challenge,
        is_solved: Callable[[], Awaitable[bool]],
        *,
        within_s: float = LONGEST_WAIT_S,
        refresh: Refresh | None = None,
    ) -> None:
        """Show a person what is needed, and return when it is done; one wait of a run at a time."""
        async with self._one_wait:
            await wait_for_person(
                *(self, self.asking(), self._run.clock, challenge, is_solved), within_s=within_s, refresh=refresh
            )

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Count something held while inside."""
        return self._run.hold(what)

    def reach(self, thing: T) -> T:
        """Return the thing itself: this is the server's loop."""
        return thing

    async def shielded(self, work: Callable[[TaskContext], Awaitable[T]]) -> T:
        """Run `work` as a task of the supervisor's; cancelling this await leaves it running."""
        task = asyncio.ensure_future(_awaited(work(self)))
        task.set_name(f"shielded:{self._run.task_id}")
        self._run.shielded.add(task)
        task.add_done_callback(self._run.shielded.discard)
        task.add_done_callback(_take_error)
        return await asyncio.shield(task)


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _take_error(task: asyncio.Future[Any]) -> None:
    # The body that would have read the error may have been cancelled; the supervisor reads what was recorded.
    if not task.cancelled():
        task.exception()
