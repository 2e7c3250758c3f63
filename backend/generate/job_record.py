"""What is known of a task's job at its provider, and each change of it as one write of the task (lifecycle.md §5)."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import timedelta

from backend.core.clock import Clock
from backend.domain.errors import StoreUnavailableError
from backend.domain.execution import TaskContext
from backend.domain.task import SubmitIntent, Task, Upstream
from backend.generate.remote import CancelAnswer

_STORE_RETRY_S = 1.0


class JobRecord:
    """The fields `upstream`, `upstream_open` and `intent` of one task, as this run knows them.

    `is_doubtful`: the submit of the intent may have been sent, and nobody knows what became of it. Only a refusal,
    a proof that nothing was sent, or the job's end closes what is open.
    """

    def __init__(self, task: Task, *, clock: Clock) -> None:
        self._task_id = task.task_id
        self._clock = clock
        self.upstream = task.upstream or Upstream()
        self.is_open = task.upstream_open
        self.intent = task.intent if self.upstream.job_id is None else None
        # An intent that was found was perhaps sent by whoever wrote it.
        self.is_doubtful = self.intent is not None
        # While the work goes on a store that is away is waited for: what it has to keep was paid for.
        self._is_patient = True
        # Whether a write is owed, and whether it drops the intent.
        self._unsaved: bool | None = None

    @property
    def job_id(self) -> str | None:
        """The provider's handle, once there is one."""
        return self.upstream.job_id

    @property
    def was_taken_up(self) -> bool:
        """Whether a submit was ever sent, or may have been."""
        return self.upstream.submits > 0

    async def intend(self, context: TaskContext, limit_s: float) -> None:
        """Store that a submit is about to be sent, for `limit_s` from now; in doubt under the key it had."""
        submits = self.upstream.submits + 1
        # n grows only after a recorded refusal: that alone clears the intent.
        n, key = (self.intent.n, self.intent.key) if self.intent else (submits, f"{self._task_id}-submit-{submits}")
        intent = self.intent = SubmitIntent(key, n, self._clock.now() + timedelta(seconds=limit_s))
        self._change(status="submitting", submits=submits, may_bill=True)
        self.is_open = True
        await self._stored(lambda: context.record_intent(intent, self.upstream))

    async def take(self, context: TaskContext, job_id: str) -> None:
        """Store the id of a job that was taken."""
        self.is_doubtful = False
        self._change(job_id=job_id, may_bill=True)
        await self.note(context, is_open=True, status="queued")

    async def refuse(self, context: TaskContext) -> None:
        """Store that the provider did not take it: nothing is open, and the next submit has another key."""
        self._change(status="refused", may_bill=False)
        await self._close(context)

    async def take_back(self, context: TaskContext) -> None:
        """Store that nothing was sent: as if it had never been intended."""
        submits = max(self.upstream.submits - 1, 0)
        self._change(submits=submits, status="refused" if submits else None, may_bill=False)
        await self._close(context)

    async def note(self, context: TaskContext, *, is_open: bool, status: str | None = None) -> None:
        """Store the job's status."""
        self.is_open = is_open
        if status is not None:
            self._change(status=status)
        await self._write(context)

    async def note_cancel(self, context: TaskContext, answer: CancelAnswer) -> None:
        """Store what the provider said to a cancel; only a confirmed one is the job's end."""
        is_over = answer == "confirmed"
        self._change(cancel=answer, may_bill=not is_over)
        await self.note(context, is_open=not is_over, status=None if self.job_id else "unknown")

    def found(self, job_id: str | None) -> None:
        """Take over a looked-up id; it is stored with the next write."""
        self._change(job_id=job_id)

    async def settle(self, context: TaskContext) -> None:
        """Store what a stop left unstored; take back an intent that was provably never sent. May be repeated.

        From here on a store that does not answer is the caller's matter.
        """
        self._is_patient = False
        if self._unsaved is not None:
            await self._write(context)
        if self.is_open and self.job_id is None and not self.is_doubtful:
            await self.take_back(context)

    async def _close(self, context: TaskContext) -> None:
        self.is_doubtful = self.is_open = False
        self.intent = None
        self._unsaved = True
        await self._write(context)

    async def _write(self, context: TaskContext) -> None:
        drops = self._unsaved = bool(self._unsaved)
        await self._stored(lambda: context.record_upstream(self.upstream, is_open=self.is_open, drop_intent=drops))
        self._unsaved = None

    async def _stored(self, write: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await write()
            except StoreUnavailableError:
                # Ended by a stop, by a lost lease at the latest.
                if not self._is_patient:
                    raise
                await asyncio.sleep(_STORE_RETRY_S)
            else:
                return

    def _change(self, **values: object) -> None:
        self.upstream = dataclasses.replace(self.upstream, **values)  # type: ignore[arg-type]
