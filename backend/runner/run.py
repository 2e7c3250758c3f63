"""One attempt of one task in this process: an entry of the runner's registry."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backend.core.clock import Clock
from backend.domain.log import LogLine
from backend.domain.task import Books, Lease, Released, Stage, StopReason, Task

if TYPE_CHECKING:
    from datetime import datetime

    from backend.runner.slot_hold import SlotHold

_AGAIN_S = 1.0
_LINES_KEPT = 10_000
_LINE_CHARS = 4_000
_INT64 = 2**63


class Run:
    """What a supervisor and its body share. Touched on the server's loop only, but for `reason` and `is_stale`.

    `good_beat_at` is the elapsed time just before the last good beat was sent: older than 2/3 of a lease, the lease
    counts as lost, whatever MongoDB says.
    """

    def __init__(self, task: Task, *, clock: Clock, lease_s: float, is_flagged: Callable[[str], bool]) -> None:
        self.task = task
        self.task_id = task.task_id
        self.clock = clock
        self.lease_s = lease_s
        self.lease: Lease | None = None
        self.reason: StopReason | None = None
        self.stopped_at: datetime | None = None
        self.body: asyncio.Task[Any] | None = None
        self.writes: set[asyncio.Future[Any]] = set()
        self.shielded: set[asyncio.Task[Any]] = set()
        self.bridged: set[asyncio.Task[Any]] = set()
        self.held: Counter[str] = Counter()
        self.released = Released()
        self.good_beat_at = clock.elapsed()
        self.is_ending = False
        self.ended = asyncio.Event()
        # The task as its end was recorded; None before, and when it was not this run that ended it.
        self.record: Task | None = None
        self.progress = replace(task.progress, stage=Stage.START)
        self.books: Books | None = None
        self.is_progress_dirty = False
        # The board's: elapsed time and units done from which it reckons the rate.
        self.rate_since: tuple[float, int] | None = None
        # Also the board's: how many stored items it has told of.
        self.stored_told = task.books.stored
        self.lines: list[LogLine] = []
        self.next_seq = 1
        self.slot: SlotHold | None = None
        # The person desk's: since when somebody is asked, whether anything was shown, and whether it stays so.
        self.asked_at: datetime | None = None
        self.has_shown = False
        self.is_parked = False
        self._is_flagged = is_flagged
        self._loop = asyncio.get_running_loop()

    # -- stopping ------------------------------------------------------------------------------------------------

    def stop(self, reason: StopReason) -> None:
        """Write the reason down, then cancel the body; before there is a body, the reason is read after the claim.

        The first reason stays, but for a lost lease: after that nothing may be written.
        """
        if self.reason is None:
            self.note(reason)
            self._cancel_body()
        elif reason is StopReason.LEASE_LOST:
            self.reason = reason

    def check(self) -> None:
        """Raise asyncio.CancelledError when this run is to stop: flagged, stopped, or its lease too old."""
        if self.reason is None:
            found = self.reason_to_stop()
            if found is None:
                return
            if asyncio.current_task() is self.body:
                # A cancel from inside would strike again at the first await of the body's own cleaning up.
                self.note(found)
            else:
                self.stop(found)
        raise asyncio.CancelledError

    def reason_to_stop(self) -> StopReason | None:
        """Return why this run should stop now, by a few comparisons; safe from any thread."""
        if self._is_flagged(self.task_id):
            return StopReason.USER
        return StopReason.LEASE_LOST if self.is_stale else None

    @property
    def is_stale(self) -> bool:
        """Whether the last good beat is older than 2/3 of a lease."""
        return self.clock.elapsed() - self.good_beat_at > self.lease_s * 2 / 3

    def cancel_body_when_stopped(self) -> None:
        """Cancel a body that was made after the stop had come."""
        if self.reason is not None:
            self._cancel_body()

    def note(self, reason: StopReason) -> None:
        """Write the reason down without cancelling: the caller stops by itself."""
        if self.reason is not None:
            return
        self.reason = reason
        self.stopped_at = self.clock.now()
        self.released = self._holding()

    def _cancel_body(self) -> None:
        if self.body is not None and not self.body.done():
            self.body.cancel()
            # A body that swallowed the cancel gets it again, each second.
            self._loop.call_later(_AGAIN_S, self._cancel_body)

    # -- what it holds and says ----------------------------------------------------------------------------------

    @contextmanager
    def hold(self, what: str) -> Iterator[None]:
        """Count one held thing while inside."""
        self.held[what] += 1
        try:
            yield
        finally:
            self.held[what] -= 1

    def _holding(self) -> Released:
        tasks = 1 if self.body is not None and not self.body.done() else 0
        return Released(
            tasks=tasks + self.held["tasks"],
            connections=self.held["connections"],
            children=self.held["children"],
            files=self.held["files"],
        )

    def add_line(self, level: str, message: str, fields: dict[str, Any]) -> None:
        """Number a log line and keep it until the board stores it; an endless flood drops the newest."""
        if len(self.lines) < _LINES_KEPT:
            kept = {name: _storable(value) for name, value in fields.items()}
            self.lines.append(LogLine(self.next_seq, self.clock.now(), level, _storable(message), kept))
            self.next_seq += 1

    @property
    def mine(self) -> Lease:
        """The fence of this run. Raises RuntimeError before the claim."""
        if self.lease is None:
            raise RuntimeError(f"task {self.task_id} is not claimed")
        return self.lease


def _storable(value: Any) -> Any:
    """Return what BSON can hold: one line with half a surrogate pair would hold up the lines of every run."""
    if value is None or isinstance(value, float) or (isinstance(value, int) and -_INT64 <= value < _INT64):
        return value
    return str(value)[:_LINE_CHARS].encode("utf-8", "replace").decode("utf-8")
