"""The table of the task lifecycle as plain functions of one small row: what every store step must do, and no more.

A step returns the row after it, or None when its filter does not match. Times are three words: a lease is `none`,
`live` or `over`; a pending row is due or not. Everything that the conditions of the table do not ask for is left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

IDLE = frozenset({"held", "pending", "waiting"})
OWNED = frozenset({"running", "cancelling"})
ENDS = ("succeeded", "partial", "failed", "timed_out")
FINAL = frozenset({*ENDS, "cancelled"})
MAX_LOST = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One task document, as far as conditions look at it."""

    status: str
    worker: str | None = None
    fence: int = 0
    lease: str = "none"
    attempt: int = 0
    lost: int = 0
    is_open: bool = False
    is_due: bool = True
    ended_fence: int | None = None
    dead: bool = False

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class Holder:
    """Who writes: the worker and the fence it got with its claim."""

    worker: str
    fence: int


def claim(row: Row, worker: str, seen_fence: int) -> Row | None:
    if row.status != "pending" or not row.is_due or row.fence != seen_fence:
        return None
    return replace(row, status="running", worker=worker, lease="live", fence=row.fence + 1, attempt=row.attempt + 1)


def beat(row: Row, holder: Holder) -> Row | None:
    # A beat asks for the worker only: what it prolongs is judged by the read-back.
    if row.status not in OWNED or row.worker != holder.worker:
        return None
    return replace(row, lease="live")


def checkpoint(row: Row, holder: Holder) -> Row | None:
    return replace(row, lost=0) if _is_mine(row, holder) else None


def intent(row: Row, holder: Holder) -> Row | None:
    return replace(row, is_open=True) if _is_mine(row, holder) else None


def upstream_ended(row: Row, holder: Holder) -> Row | None:
    return replace(row, is_open=False, lost=0) if _is_mine(row, holder) else None


def wait(row: Row, holder: Holder) -> Row | None:
    if not _is_mine(row, holder) or row.status != "running":
        return None
    return replace(_let_go(row), status="waiting", attempt=row.attempt - 1)


def retry(row: Row, holder: Holder) -> Row | None:
    if not _is_mine(row, holder) or row.status != "running":
        return None
    return replace(_let_go(row), status="pending", is_due=False)


def drain(row: Row, holder: Holder) -> Row | None:
    if not _is_mine(row, holder) or row.status != "running":
        return None
    return replace(_let_go(row), status="pending", is_due=True, attempt=row.attempt - 1)


def finish(row: Row, holder: Holder, end: str) -> Row | None:
    if not _is_mine(row, holder):
        return None
    return replace(_let_go(row), status=end, ended_fence=holder.fence)


def start(row: Row) -> Row | None:
    return replace(row, status="pending") if row.status == "held" else None


def resume(row: Row) -> Row | None:
    return replace(row, status="pending") if row.status == "waiting" else None


def cancel(row: Row) -> Row | None:
    if row.status not in IDLE and row.status != "running":
        return None
    if row.status == "running":
        return replace(row, status="cancelling")
    if row.is_open:
        return replace(row, status="cancelling", lease="over")
    return replace(row, status="cancelled", lease="over")


def abandon(row: Row, worker: str, seen_fence: int) -> Row | None:
    if row.status != "cancelling" or row.lease != "over" or not row.is_open or row.fence != seen_fence:
        return None
    return replace(row, worker=worker, lease="live", fence=row.fence + 1)


def reap(row: Row, seen: Row) -> Row | None:
    if (row.fence, row.status) != (seen.fence, seen.status) or row.lease != "over" or row.status not in OWNED:
        return None
    free = replace(_let_go(row), fence=row.fence + 1)
    if row.status == "cancelling":
        return None if row.is_open else replace(free, status="cancelled")
    if row.lost + 1 > MAX_LOST:
        return replace(free, status="failed", dead=True, lost=row.lost + 1)
    return replace(free, status="pending", is_due=True, attempt=row.attempt - 1, lost=row.lost + 1)


def births() -> Iterator[Row]:
    """Yield every row that a create can make."""
    yield Row("held")
    yield Row("pending")
    yield Row("pending", is_due=False)


HELD_STEPS: dict[str, Callable[[Row, Holder], Row | None]] = {
    **{"beat": beat, "checkpoint": checkpoint, "intent": intent, "upstream_ended": upstream_ended},
    **{"wait": wait, "retry": retry, "drain": drain},
}


def _is_mine(row: Row, holder: Holder) -> bool:
    return row.status in OWNED and (row.worker, row.fence) == (holder.worker, holder.fence)


def _let_go(row: Row) -> Row:
    return replace(row, worker=None, lease="none")
