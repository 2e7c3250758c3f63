"""The lines of tasks' logs (lifecycle.md §7): numbered without gaps for the reader, safe from a zombie's."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError, DuplicateKeyError

from backend.core.database import Database
from backend.domain.log import LEVELS, LogLine
from backend.domain.task import Lease, Task
from backend.store.task_changes import Announcer, Unannounced
from backend.store.task_documents import Document

_DUPLICATE = 11000


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines in ascending order, and the numbers of the first and last line there are (None: no lines)."""

    lines: tuple[LogLine, ...]
    first_seq: int | None
    last_seq: int | None


class EventStore:
    """Collection `events`: one document a line, `_id` is `task:fence:seq`.

    A line of a fence is visible from the task's `log_from.<fence>` on and below the next fence's start, so what a
    frozen and thawed run writes late is never shown. Indexes: {task_id, seq}.
    """

    def __init__(self, database: Database, *, announcer: Announcer | None = None) -> None:
        self._db = database
        self._announcer = announcer or Unannounced()

    async def ensure_indexes(self) -> None:
        """Make the index that is missing."""
        await self._db.do(self._events.create_index([("task_id", ASCENDING), ("seq", ASCENDING)]))

    async def add_lines(self, lines: Sequence[tuple[Lease, LogLine]]) -> None:
        """Insert lines in order, then announce them; a line that is there already is passed over."""
        documents = [_document(lease, line) for lease, line in lines]
        await (self._add_singly(documents) if self._db.is_memory else self._add_in_order(documents))
        for lease, group in itertools.groupby(lines, key=lambda one: one[0]):
            self._announcer.lines(lease, [line for _, line in group])

    def announce_items(self, lease: Lease, *, added: int, stored: int) -> None:
        """Tell whoever follows the task that a run of it has stored items."""
        self._announcer.items(lease, added=added, stored=stored)

    async def last_visible_seq(self, task: Task) -> int:
        """Return the number of the last line a reader sees, 0 when there is none."""
        row = await self._db.do(self._events.find_one(_visible(task), {"seq": 1}, sort=[("seq", DESCENDING)]))
        return 0 if row is None else int(row["seq"])

    async def page(
        self, task: Task, *, limit: int, after: int | None = None, before: int | None = None, level: str = "debug"
    ) -> LogPage:
        """Return lines after or before a number, or the newest; `level` is a minimum."""
        query = _visible(task)
        query["level"] = {"$in": list(LEVELS[LEVELS.index(level) :])}
        if after is not None:
            query["seq"] = {"$gt": after}
        elif before is not None:
            query["seq"] = {"$lt": before}
        order = ASCENDING if after is not None else DESCENDING
        rows = await self._db.do(self._events.find(query).sort("seq", order).limit(limit).to_list(None))
        if order == DESCENDING:
            rows.reverse()
        last = await self.last_visible_seq(task)
        return LogPage(tuple(_line(row) for row in rows), 1 if last else None, last or None)

    async def delete_of(self, task_id: str) -> None:
        """Remove all lines of a task."""
        await self._db.do(self._events.delete_many({"task_id": task_id}))

    @property
    def _events(self) -> Any:
        return self._db.collection("events")

    async def _add_in_order(self, documents: Sequence[Document]) -> None:
        while documents:
            try:
                await self._db.do(self._events.insert_many(documents, ordered=True))
            except BulkWriteError as error:
                failed = error.details["writeErrors"][0]
                if failed["code"] != _DUPLICATE:
                    raise
                documents = documents[failed["index"] + 1 :]
            else:
                return

    async def _add_singly(self, documents: Sequence[Document]) -> None:
        for document in documents:
            try:
                await self._db.do(self._events.insert_one(document))
            except DuplicateKeyError:
                continue


def _document(lease: Lease, line: LogLine) -> Document:
    return {
        **{"_id": f"{lease.task_id}:{lease.fence}:{line.seq}", "task_id": lease.task_id, "fence": lease.fence},
        **{"seq": line.seq, "at": line.at, "level": line.level, "message": line.message, "fields": dict(line.fields)},
    }


def _line(row: Document) -> LogLine:
    return LogLine(row["seq"], row["at"], row["level"], row["message"], row["fields"])


def _visible(task: Task) -> Document:
    """Return the filter of the lines that count: each fence's between its own start and the next one's.

    The first run numbers from 1 and writes no start.
    """
    starts = sorted({1: 1, **{int(fence): seq for fence, seq in task.log_from.items()}}.items())
    ranges = []
    for index, (fence, start) in enumerate(starts):
        bounds = {"$gte": start}
        if index + 1 < len(starts):
            bounds["$lt"] = starts[index + 1][1]
        ranges.append({"fence": fence, "seq": bounds})
    return {"task_id": task.task_id, "$or": ranges}
