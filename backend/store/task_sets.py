"""Many tasks in one round trip: created together, cancelled together (lifecycle.md §3, the rows create and cancel).

Each document is still changed by its own conditional update: a batch is a saving of round trips and of waits for the
journal, never a transaction.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.journal import ahead_of_journal
from backend.domain.errors import IdempotencyConflictError
from backend.domain.task import Books, NewTask, Task, TaskStatus
from backend.domain.text import Text
from backend.store.task_changes import Announcer, Unannounced
from backend.store.task_documents import Document, document_of, task_of
from backend.store.task_updates import cancel_expressions, new_document, plain_cancel

OPEN = frozenset({TaskStatus.HELD, TaskStatus.PENDING, TaskStatus.WAITING, TaskStatus.RUNNING})

_DUPLICATE_KEY = 11000
# What nobody needs of a task that was cancelled with many others: its parameters may be a megabyte.
_NOT_READ_BACK = dict.fromkeys(("params", "history", "checkpoint", "ignored", "log_from", "body_hash"), 0)

# A task and whether it was there already, or why it was not made.
Made = tuple[Task, bool] | IdempotencyConflictError


class TaskSets:
    """Collection `tasks`, many documents at a time. Beside `TaskStore`'s fields: `cancel_id`, the call that won.

    Every won update is announced, as in `TaskStore`.
    """

    def __init__(self, database: Database, *, clock: Clock, announcer: Announcer | None = None) -> None:
        self._db = database
        self._clock = clock
        self._announcer = announcer or Unannounced()

    # -- create --------------------------------------------------------------------------------------------------

    async def create(self, new: Sequence[tuple[str, NewTask]]) -> list[Made]:
        """Store tasks under these ids, in one journalled batch; return of each the task, or its conflict.

        One with the Idempotency-Key of an earlier task is that task when the bodies are the same.
        """
        now = self._clock.now()
        documents = [new_document(task_id, one, now) for task_id, one in new]
        refused = await self._insert(documents)
        first = await self._first_of([new[index] for index in refused])
        made: list[Made] = []
        for index, document in enumerate(documents):
            if index in refused:
                made.append(_earlier(new[index], first))
            else:
                self._announcer.changed(document)
                made.append((task_of(document), False))
        return made

    async def _insert(self, documents: Sequence[Document]) -> frozenset[int]:
        """Insert what can be inserted; return the places of those whose keys are taken."""
        if self._db.is_memory:
            return await self._insert_singly(documents)
        try:
            await self._db.do(self._tasks.insert_many(documents, ordered=False))
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            if any(one["code"] != _DUPLICATE_KEY for one in failures):
                raise
            return frozenset(one["index"] for one in failures)
        return frozenset()

    async def _insert_singly(self, documents: Sequence[Document]) -> frozenset[int]:
        # mongomock does not know the arguments that today's pymongo gives its bulk writes.
        refused = set()
        for index, document in enumerate(documents):
            try:
                await self._db.do(self._tasks.insert_one(document))
            except DuplicateKeyError:
                refused.add(index)
        return frozenset(refused)

    async def _first_of(self, refused: Sequence[tuple[str, NewTask]]) -> Mapping[str, Document]:
        """Return the tasks that were in the way, by id and by Idempotency-Key."""
        if not refused:
            return {}
        keys = [new.idempotency_key for _, new in refused if new.idempotency_key is not None]
        by_key = {"created_by": refused[0][1].created_by, "idempotency_key": {"$in": keys}}
        query = {"$or": [{"_id": {"$in": [task_id for task_id, _ in refused]}}, by_key]}
        rows = await self._db.do(self._tasks.find(query).to_list(None))
        return {name: row for row in rows for name in (row["_id"], row.get("idempotency_key")) if name is not None}

    async def was_used_otherwise(self, created_by: str, call_key: str, body_hash: str) -> bool:
        """Tell whether this Idempotency-Key of a whole call belongs to tasks that were made of another body."""
        # Each of its tasks has this key, a space and its number; "!" is what comes right after a space.
        keys = {"$gte": f"{call_key} ", "$lt": f"{call_key}!"}
        query = {"created_by": created_by, "idempotency_key": keys, "body_hash": {"$ne": body_hash}}
        return await self._db.do(self._tasks.find_one(query, {"_id": 1})) is not None

    # -- cancel --------------------------------------------------------------------------------------------------

    async def cancel(
        self,
        task_ids: Sequence[str],
        *,
        by: str,
        requested_at: datetime,
        cancel_id: str,
        among: Collection[TaskStatus] = OPEN,
    ) -> Sequence[Task]:
        """Cancel those of the tasks that are in one of these (open) states; return exactly those, as they are now.

        The row `cancel` of the table for each of them, told apart by `cancel_id`, which names the call. The answer
        does not wait for the journal: `keep` does, before a caller is told. Parameters are not read back.
        """
        is_open = {"status": {"$in": sorted(status.value for status in among)}}
        query: Document = {"_id": {"$in": list(task_ids)}, **is_open}
        now = self._clock.now()
        if self._db.is_memory:
            singly = ({"_id": task_id, **is_open} for task_id in task_ids)
            await self._cancel_singly(singly, by=by, requested_at=requested_at, cancel_id=cancel_id)
        else:
            update = {**cancel_expressions(by, requested_at, now), "cancel_id": cancel_id}
            with ahead_of_journal():
                # By id: no other index holds still while the statuses change.
                await self._db.do(self._tasks.update_many(query, [{"$set": update}], hint=[("_id", ASCENDING)]))
        won = {"_id": {"$in": list(task_ids)}, "cancel_id": cancel_id}
        rows = await self._db.do(self._tasks.find(won, _NOT_READ_BACK).to_list(None))
        for row in rows:
            self._announcer.changed(row)
        return [task_of({"params": {}, **row}) for row in rows]

    async def _cancel_singly(
        self, queries: Iterable[Document], *, by: str, requested_at: datetime, cancel_id: str
    ) -> None:
        # mongomock does not evaluate documents inside arrays: decide here, it has only one process.
        for query in queries:
            seen = await self._db.do(self._tasks.find_one(query))
            if seen is not None:
                update = plain_cancel(task_of(seen), by, requested_at, self._clock.now())
                update["$set"]["cancel_id"] = cancel_id
                await self._db.do(self._tasks.update_one({**query, "version": seen["version"]}, update))

    async def read(self, task_ids: Sequence[str]) -> Sequence[Task]:
        """Return these tasks as lists show them, those that are there."""
        cursor = self._tasks.find({"_id": {"$in": list(task_ids)}}, _NOT_READ_BACK)
        return [task_of({"params": {}, **row}) for row in await self._db.do(cursor.to_list(None))]

    async def save_final_books(self, books: Mapping[str, Books]) -> None:
        """Do the follow-up `books` of these tasks: store their recounted books, pull the word, and announce it."""
        changes = [
            (
                {"_id": task_id, "after": "books"},
                {"$set": {"books": document_of(one)}, "$pull": {"after": "books"}},
            )
            for task_id, one in books.items()
        ]
        if self._db.is_memory:
            for query, update in changes:
                await self._db.do(self._tasks.update_one(query, update))
        elif changes:
            await self._db.do(self._tasks.bulk_write([UpdateOne(*one) for one in changes], ordered=False))
        self._announcer.changed_unseen(list(books))

    @property
    def _tasks(self) -> Any:
        return self._db.collection("tasks")


def _earlier(asked: tuple[str, NewTask], first: Mapping[str, Document]) -> Made:
    """Return the earlier task in the way of this one; one under its own id is what a repeated insert finds."""
    task_id, new = asked
    found = first.get(task_id) or first.get(new.idempotency_key or "")
    if found is None or found["body_hash"] != new.body_hash:
        return IdempotencyConflictError(
            Text("同一个 Idempotency-Key 已用于不同的请求", "This Idempotency-Key was used with another body")
        )
    return task_of(found), found["_id"] != task_id
