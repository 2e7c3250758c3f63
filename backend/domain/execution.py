"""The contract between the runner and the work it runs.

The runner owns states, leases and cancels; an Execution owns one attempt of the work. The runner calls
`Execution.run` in a task of its own (the body) and cancels only that; when the body has ended and its writes have
settled, the supervisor calls `Execution.conclude`, which is never cancelled by a user's cancel.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from backend.domain.challenge import Challenge
from backend.domain.task import Books, Ending, Lease, Stage, StopReason, SubmitIntent, Task, Upstream

T = TypeVar("T")

# The longest that a page is kept open for a person, seconds; after that the task waits without it.
LONGEST_WAIT_S = 600.0


class TaskContext(Protocol):
    """What an execution may use of its run. All of it works in loop mode and in thread mode alike."""

    @property
    def task(self) -> Task:
        """The task as it was claimed (checkpoint, upstream and intent included)."""

    @property
    def lease(self) -> Lease:
        """The fence that every write of this run carries."""

    def check(self) -> None:
        """Stop here if the task was cancelled or its lease is old: raises asyncio.CancelledError.

        Called before each sleep, request, submit and write. Costs a few comparisons: no I/O.
        """

    async def sleep(self, seconds: float) -> None:
        """Wait, ended at once by a cancel; checks first."""

    def progress(
        self,
        *,
        done: int | None = None,
        total: int | None = None,
        unit: str | None = None,
        stage: Stage | None = None,
        books: Books | None = None,
    ) -> None:
        """Note how far the work is; stored at most once a second, nothing is awaited."""

    def log(self, level: str, message: str, **fields: str | float | None) -> None:
        """Add a line to the task's log (level: debug | info | warning | error); stored in batches."""

    async def checkpoint(self, state: Mapping[str, Any], note: str) -> None:
        """Store where a resumed run goes on. Raises LeaseLostError when the task is no longer ours."""

    async def record_intent(self, intent: SubmitIntent, upstream: Upstream) -> None:
        """Store, before a paid submit is sent, that it will be; sets upstream_open. Raises LeaseLostError."""

    async def record_upstream(self, upstream: Upstream, *, is_open: bool, drop_intent: bool = False) -> None:
        """Store what is known of the provider's job. Raises LeaseLostError."""

    async def confirm_lease(self) -> None:
        """Send one good beat now, right before a paid submit. Raises LeaseLostError."""

    @property
    def submit_limit_s(self) -> float:
        """The longest a paid submit may take: half a lease, so that it ends while the lease still counts."""

    async def wait_for_person(
        self,
        challenge: Challenge,
        is_solved: Callable[[], Awaitable[bool]],
        *,
        within_s: float = LONGEST_WAIT_S,
        refresh: Callable[[], Awaitable[Challenge | None]] | None = None,
    ) -> None:
        """Show a person what is needed and return when it is done; for a page that must stay open meanwhile.

        The task stays `running` with stage `needs_person`, keeps its lease, gives its slot back, and takes one again,
        in its turn, before this returns; then the stage is as before. `is_solved` is asked each second, `refresh`
        after each no: it returns what is shown from then on (a new QR code), or None while the old one holds. Both
        are called on the execution's own loop; a call is cut after 5 s and counts as no, and what it raises goes up.
        After `within_s`, and at once when too many pages wait for people here, raises NeedsPersonError with the
        challenge last shown: leave the page, the task becomes `waiting`. After any error the run has no slot and must
        not work on. Raises LeaseLostError; a cancel ends it at once.
        """

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Count something held while inside: `connections`, `children`, `files` or `tasks` (cancel.released)."""

    def reach(self, thing: T) -> T:
        """Return `thing` itself, or in thread mode a stand-in whose async methods run on the server's loop.

        Stores, httpx clients and child processes are reached so, and used only through what this returns.
        """

    async def shielded(self, work: Callable[["TaskContext"], Awaitable[T]]) -> T:
        """Run `work` on the server's loop where no cancel of the body reaches it; the supervisor owns it.

        For a paid submit together with the record of its answer. `conclude` waits for it first (5 s in all).
        """


class Execution(Protocol):
    """One attempt of one task."""

    async def run(self) -> Ending:
        """Do the work; return succeeded, partial or failed.

        Raises TaskFailedError (failed, or another attempt), NeedsPersonError (waiting), asyncio.CancelledError.
        Never swallows a cancel; cleans up in `finally` (sockets closed, children killed, *.part removed).
        """

    async def conclude(self, context: TaskContext, reason: StopReason | None) -> Books:
        """Settle what the body left, and return the books recounted from what is stored.

        Called once, on the server's loop, after the body ended and its writes settled. `reason` is None when the
        body ended by itself. For user and deadline: units in hand become `aborted`, a provider's open job is
        cancelled (its answer recorded), 5 s at most. For shutdown: units in hand go back, nobody is told.
        Not called for lease_lost.
        """


class Executor(Protocol):
    """Makes executions for one kind of task."""

    def begin(self, context: TaskContext) -> Execution:
        """Return the execution of this attempt; nothing runs yet."""

    async def recount(self, task: Task) -> Books:
        """Return the books of a task that nobody runs, with units once taken up and never finished as aborted.

        For a task that was cancelled while it was pending or waiting after an earlier attempt.
        """

    async def recount_many(self, tasks: Sequence[Task]) -> Mapping[str, Books]:
        """Return the same of many tasks, by their ids, with a few reads for all of them."""

    async def abandon(self, task: Task, context: TaskContext) -> None:
        """Ask the provider to cancel the open job of a task that nobody runs; the answer is recorded (5 s)."""
