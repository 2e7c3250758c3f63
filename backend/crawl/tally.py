"""The books of a running crawl, kept in memory to be shown; at its end they are counted from the rows instead."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import fields

from backend.domain.task import Books
from backend.store.frontier import RowResult

_OUTCOMES = ("ok", "empty", "blocked", "failed", "skipped", "aborted")


class Tally:
    """Counts on from the books that earlier attempts left."""

    def __init__(self, start: Books) -> None:
        self.requested = start.requested
        self._outcomes = Counter({one.name: getattr(start, one.name) for one in fields(start) if one.name in _OUTCOMES})
        self._skipped_by = Counter(start.skipped_by)

    def add(self, results: Iterable[RowResult]) -> None:
        """Count rows that have ended."""
        for result in results:
            self._outcomes[result.outcome] += 1
            if result.outcome == "skipped":
                self._skipped_by[result.reason or "other"] += 1

    def books(self, *, stored: int, queued_left: int) -> Books:
        """Return the books as they stand."""
        outcomes = self._outcomes
        return Books(
            requested=self.requested,
            ok=outcomes["ok"],
            empty=outcomes["empty"],
            blocked=outcomes["blocked"],
            failed=outcomes["failed"],
            skipped=outcomes["skipped"],
            aborted=outcomes["aborted"],
            stored=stored,
            queued_left=queued_left,
            skipped_by=dict(self._skipped_by),
            fetched_unique=stored,
        )
