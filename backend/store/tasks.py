"""The life of a task as conditional updates of one document: the table of lifecycle.md §3, row by row.

No row needs two documents, so there are no transactions. Every row but the beat raises `version`. Every method
may be called again after an unknown outcome. "Mine" is the filter `_id, worker_id, fence`: the fence.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from backend.core.clock import Clock
from backend.core.crash_points import crash_point
from backend.core.database import Database
from backend.core.journal import ahead_of_journal
from backend.domain.errors import IdempotencyConflictError, LeaseLostError
from backend.domain.task import (
    OWNED_STATUSES,
    Books,
    CancelRecord,
    Checkpoint,
    Ending,
    Lease,
    NewTask,
    Notice,
    Progress,
    Stage,
    SubmitIntent,
    Task,
    TaskError,
    TaskStatus,
    Upstream,
)
from backend.domain.text import Text
from backend.store.task_changes import Announcer, Unannounced, announced
from backend.store.task_documents import Document, document_of, task_of
from backend.store.task_queries import INDEXES as LIST_INDEXES
from backend.store.task_updates import (
    OWNED,
    PENDING,
    RUNNING_MESSAGES,
    cancel_expressions,
    ended,
    entry_of,
    mine,
    new_document,
    plain_cancel,
    reaped,
)

REAP_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class LeaseSeen:
    """What the document says of its owner, read back after a beat."""

    worker_id: str | None
    fence: int
    status: TaskStatus


class TaskStore:
    """Collection `tasks`.

    Indexes: idempotency {created_by, idempotency_key} unique where a key is given · claim {status, platform,
    priority: -1, run_at} · reap {status, lease_until} · follow-ups {after} where there are any ·
    lists: `task_queries.INDEXES`.

    Every won update passes `_changed` (or `_changed_unseen`): events come from nowhere else.
    """

    def __init__(self, database: Database, *, clock: Clock, announcer: Announcer | None = None) -> None:
        self._db = database
        self._clock = clock
        self._announcer = announcer or Unannounced()

    async def ensure_indexes(self) -> None:
        """Make the indexes that are missing."""
        tasks = self._db.collection("tasks")
        plain: list[list[tuple[str, int]]] = [
            [("status", ASCENDING), ("platform", ASCENDING), ("priority", DESCENDING), ("run_at", ASCENDING)],
            [("status", ASCENDING), ("lease_until", ASCENDING)],
            [("status", ASCENDING), ("run_at", ASCENDING)],
        ]
        for keys in plain:
            await self._db.do(tasks.create_index(keys))
        for keys, given in LIST_INDEXES:
            options: dict[str, Any] = {} if given is None else {"partialFilterExpression": given}
            await self._db.do(tasks.create_index(keys, **options))
        await self._db.do(
            tasks.create_index(
                [("created_by", ASCENDING), ("idempotency_key", ASCENDING)],
                unique=True,
                partialFilterExpression={"idempotency_key": {"$type": "string"}},
            )
        )
        for name, some in (("after", {"after.0": {"$exists": True}}), ("purged_at", {"purged_at": {"$type": "date"}})):
            await self._db.do(tasks.create_index([(name, ASCENDING)], partialFilterExpression=some))

    async def create(self, task_id: str, new: NewTask) -> tuple[Task, bool]:
        """Store a new task; return it, and whether it was there already (same key, same body).

        Raises IdempotencyConflictError when the key was used with another body.
        """
        document = new_document(task_id, new, self._clock.now())
        try:
            await self._db.do(self._tasks.insert_one(document))
        except DuplicateKeyError:
            return await self._first_of(task_id, new), True
        return self._changed(document), False

    async def get(self, task_id: str) -> Task | None:
        """Return the task, or None."""
        document = await self._db.do(self._tasks.find_one({"_id": task_id, "purged_at": None}))
        return None if document is None else task_of(document)

    # -- claim, beat ---------------------------------------------------------------------------------------------

    async def claim(self, seen: Task, *, worker_id: str, claim_id: str, lease_s: float) -> Task | None:
        """Take a pending task whose time has come; None when it is no longer to be had.

        A repeat with the same `claim_id` finds what the first call did.
        """
        now = self._clock.now()
        mine = await self._db.do(
            self._tasks.find_one_and_update(
                {"_id": seen.task_id, "status": "pending", "run_at": {"$lte": now}, "fence": seen.fence},
                {
                    "$set": {
                        **{"status": "running", "worker_id": worker_id, "claim_id": claim_id, "updated_at": now},
                        "lease_until": now + timedelta(seconds=lease_s),
                        "message": document_of(RUNNING_MESSAGES[seen.kind]),
                        "notice": None,
                        "progress.stage": Stage.START.value,
                    },
                    "$min": {"started_at": now, "deadline_at": now + timedelta(seconds=seen.deadline_s)},
                    "$inc": {"fence": 1, "attempt": 1, "version": 1},
                    "$push": {"history": entry_of(now, ("pending", "running"), "claimed", seen.attempt + 1, worker_id)},
                },
                return_document=ReturnDocument.AFTER,
            )
        )
        if mine is None:
            mine = await self._db.do(self._tasks.find_one({"_id": seen.task_id, "claim_id": claim_id}))
        return None if mine is None or mine["worker_id"] != worker_id else self._changed(mine)

    async def beat(self, task_ids: Sequence[str], *, worker_id: str, lease_s: float) -> None:
        """Prolong the leases this process holds: one update for all of them; raises no version."""
        await self._db.do(
            self._tasks.update_many(
                {"_id": {"$in": list(task_ids)}, "worker_id": worker_id, "status": {"$in": OWNED}},
                {"$set": {"lease_until": self._clock.now() + timedelta(seconds=lease_s)}},
            )
        )

    async def read_leases(self, task_ids: Sequence[str]) -> Mapping[str, LeaseSeen]:
        """Return who owns these tasks now."""
        cursor = self._tasks.find({"_id": {"$in": list(task_ids)}}, {"worker_id": 1, "fence": 1, "status": 1})
        rows = await self._db.do(cursor.to_list(None))
        return {row["_id"]: LeaseSeen(row["worker_id"], row["fence"], TaskStatus(row["status"])) for row in rows}

    # -- writes of a running task, all under the fence ----------------------------------------------------------

    async def save_progress(self, changes: Sequence[tuple[Lease, Progress, Books | None]]) -> None:
        """Store the progress of many runs at once; runs that are no longer ours are passed over."""
        now = self._clock.now()
        updates = []
        for lease, progress, books in changes:
            values: Document = {"progress": document_of(progress), "updated_at": now}
            if books is not None:
                values["books"] = document_of(books)
            updates.append((mine(lease), {"$set": values, "$inc": {"version": 1}}))
        if self._db.is_memory:
            for query, update in updates:
                await self._db.do(self._tasks.update_one(query, update))
        elif updates:
            await self._db.do(self._tasks.bulk_write([UpdateOne(*update) for update in updates], ordered=False))
        self._announcer.moved(lease.task_id for lease, _, _ in changes)

    async def save_checkpoint(self, lease: Lease, checkpoint: Checkpoint) -> None:
        """Store where a resumed run goes on. Raises LeaseLostError."""
        await self._write_unshown(lease, {"checkpoint": document_of(checkpoint), "lost": 0})

    async def save_intent(self, lease: Lease, intent: SubmitIntent, upstream: Upstream) -> None:
        """Store that a paid submit is about to be sent. Raises LeaseLostError."""
        values = {"intent": document_of(intent), "upstream": document_of(upstream), "upstream_open": True}
        await self._write(lease, values)

    async def save_upstream(self, lease: Lease, upstream: Upstream, *, is_open: bool, drop_intent: bool) -> None:
        """Store what is known of the provider's job. Raises LeaseLostError."""
        values: Document = {"upstream": document_of(upstream), "upstream_open": is_open, "lost": 0}
        if drop_intent:
            values["intent"] = None
        await self._write(lease, values)

    async def save_log_start(self, lease: Lease, seq: int) -> None:
        """Store from which line on this run's log counts. Raises LeaseLostError."""
        await self._write_unshown(lease, {f"log_from.{lease.fence}": seq})

    # -- ends of a run ---------------------------------------------------------------------------------------------

    async def wait(self, task: Task, lease: Lease, *, notice: Notice, books: Books) -> bool:
        """Put a running task by until a person acts; False when it was not running (read why). True for a repeat."""
        now = self._clock.now()
        values = {
            **{"status": "waiting", "notice": document_of(notice), "message": document_of(notice.message)},
            **{"books": document_of(books), "updated_at": now},
        }
        entry = entry_of(now, ("running", "waiting"), "waiting", task.attempt)
        if await self._leave(lease, {"status": "running"}, values, entry, attempt=-1) is not None:
            return True
        # Only the run that was claimed last can have put it by: the answer was lost.
        query = {"_id": lease.task_id, "status": "waiting", "fence": lease.fence}
        row = await self._db.do(self._tasks.find_one(query, announced()))
        return False if row is None else bool(self._changed(row))

    async def give_back(
        self, task: Task, lease: Lease, *, reason: str, run_at: datetime, books: Books, error: TaskError | None = None
    ) -> bool:
        """Make a running task pending again (`reason`: retry | drain); False when it was not running."""
        crash_point("before_give_back")
        now = self._clock.now()
        values = {
            **{"status": "pending", "run_at": run_at, "message": document_of(PENDING), "updated_at": now},
            **{"books": document_of(books), "progress.stage": Stage.QUEUED.value},
        }
        if error is not None:
            values["error"] = document_of(error)
        entry = entry_of(now, ("running", "pending"), reason, task.attempt, lease.worker_id)
        attempt = -1 if reason == "drain" else 0
        return await self._leave(lease, {"status": "running"}, values, entry, attempt=attempt) is not None

    async def finish(
        self,
        task: Task,
        lease: Lease,
        ending: Ending,
        *,
        books: Books,
        progress: Progress | None = None,
        is_dead: bool = False,
        cancel: CancelRecord | None = None,
        cancel_latency_ms: float | None = None,
    ) -> Task | None:
        """Record the one end of a task, and return it, also for a repeat; None when the lease is lost."""
        crash_point("before_finish")
        now = self._clock.now()
        values = {**ended(ending, progress, now), "ended_fence": lease.fence, "dead": is_dead}
        values["books"] = document_of(books)
        if cancel is not None:
            values |= {"cancel": document_of(cancel), "cancel_latency_ms": cancel_latency_ms}
        # A cancel may have come since the task was read, and the history says from which state it ended.
        for before in sorted(OWNED, key=lambda status: status != task.status.value):
            entry = entry_of(now, (before, ending.status.value), "ended", task.attempt, lease.worker_id)
            if (done := await self._leave(lease, {"status": before}, values, entry)) is not None:
                crash_point("after_finish")
                return done
        row = await self._db.do(self._tasks.find_one({"_id": task.task_id}))
        return None if row is None or row.get("ended_fence") != lease.fence else self._changed(row)

    # -- what callers ask for -----------------------------------------------------------------------------------

    async def release_held(self, task_id: str, *, by: str) -> Task | None:
        """Held to pending; None when it was not held."""
        return await self._requeue(task_id, "held", "started", by)

    async def resume_waiting(self, task_id: str, *, by: str) -> Task | None:
        """Waiting to pending; None when it was not waiting."""
        return await self._requeue(task_id, "waiting", "resumed", by)

    async def cancel(self, task_id: str, *, by: str, requested_at: datetime) -> Task | None:
        """Ask for the end of a task, in one update; None when it was final, cancelling or absent.

        It becomes `cancelled` at once when nothing runs and nothing is open upstream, else `cancelling`. The answer
        does not wait for the journal, so that the run is stopped meanwhile: `keep` does, before a caller is told.
        """
        query: Document = {"_id": task_id, "status": {"$in": ["held", "pending", "waiting", "running"]}}
        now = self._clock.now()
        if self._db.is_memory:
            # mongomock does not evaluate documents inside arrays: decide here, it has only one process.
            cancelled = None
            while cancelled is None and (seen := await self._db.do(self._tasks.find_one(query))) is not None:
                update = plain_cancel(task_of(seen), by, requested_at, now)
                cancelled = await self._update({**query, "version": seen["version"]}, update)
            return cancelled
        with ahead_of_journal():
            return await self._update(query, [{"$set": cancel_expressions(by, requested_at, now)}])

    async def keep(self, task_id: str) -> None:
        """Wait until everything written of this task so far is in the journal (of a majority)."""
        await self._db.keep("tasks", task_id)

    async def hide(self, task_id: str) -> bool:
        """Hide a final task, for the sweeper to remove, and free its Idempotency-Key; False when none is final."""
        final = [status.value for status in TaskStatus if status.is_final]
        query = {"_id": task_id, "status": {"$in": final}, "purged_at": None}
        now = self._clock.now()
        update = {"$set": {"purged_at": now, "updated_at": now}, "$unset": {"idempotency_key": ""}}
        result = await self._db.do(self._tasks.update_one(query, update))
        return bool(result.matched_count == 1)

    # -- the sweeper's ------------------------------------------------------------------------------------------

    async def due(self, platforms: Sequence[str], *, limit: int, oldest_first: bool = False) -> list[Task]:
        """Return pending tasks whose time has come, of these platforms, by priority then age."""
        now = self._clock.now()
        found: list[Document] = []
        for priority in (None,) if oldest_first else (4, 3, 2, 1, 0):
            query: Document = {"status": "pending", "platform": {"$in": list(platforms)}, "run_at": {"$lte": now}}
            if priority is not None:
                query["priority"] = priority
            cursor = self._tasks.find(query).sort("run_at", ASCENDING).limit(limit - len(found))
            found += await self._db.do(cursor.to_list(None))
            if len(found) >= limit:
                break
        return [task_of(document) for document in found]

    async def expired(self, *, limit: int = REAP_AT_ONCE) -> list[Task]:
        """Return owned tasks whose lease has run out, oldest first."""
        cursor = self._tasks.find({"status": {"$in": OWNED}, "lease_until": {"$lt": self._clock.now()}})
        rows = await self._db.do(cursor.sort("lease_until", ASCENDING).limit(limit).to_list(None))
        return [task_of(row) for row in rows]

    async def owned_by_start_of(self, instance_id: str) -> list[Task]:
        """Return owned tasks of earlier starts of this instance (worker ids begin with its id)."""
        query = {"status": {"$in": OWNED}, "worker_id": {"$regex": f"^{instance_id}-"}}
        rows = await self._db.do(self._tasks.find(query).to_list(None))
        return [task_of(row) for row in rows]

    async def reap(self, seen: Task, *, even_if_alive: bool = False) -> Task | None:
        """Take an expired lease away: cancelling ends as cancelled, running goes back or fails dead.

        `even_if_alive` is for leases of this instance's own earlier starts, whose process is known to be gone.
        """
        if seen.status not in OWNED_STATUSES:
            # An idle cancel leaves its moment as lease_until: an end seen so must not be taken for a lease run out.
            return None
        now = self._clock.now()
        query: Document = {"_id": seen.task_id, "fence": seen.fence, "status": seen.status.value}
        if seen.status is TaskStatus.CANCELLING:
            # Nobody asked for the cancel of that job: it is abandoned, not ended.
            query["upstream_open"] = {"$ne": True}
        if not even_if_alive:
            query["lease_until"] = {"$lt": now}
        return await self._update(query, reaped(seen, now))

    async def take_for_abandon(
        self, seen: Task, *, worker_id: str, lease_s: float, even_if_alive: bool = False
    ) -> Task | None:
        """Take over a cancelling task with an open job, to ask for the job's cancel; None when it was taken.

        `even_if_alive` is for leases of this instance's own earlier starts, as in `reap`.
        """
        now = self._clock.now()
        query: Document = {"_id": seen.task_id, "status": "cancelling", "fence": seen.fence, "upstream_open": True}
        if not even_if_alive:
            query["lease_until"] = {"$lte": now}
        lease_until = now + timedelta(seconds=lease_s)
        return await self._update(
            query,
            {
                "$set": {"worker_id": worker_id, "lease_until": lease_until, "updated_at": now},
                "$inc": {"fence": 1, "version": 1},
            },
        )

    async def with_follow_up(self, word: str, *, limit: int) -> list[Task]:
        """Return ended tasks that still have this word in `after`: `books`, or `event`."""
        query = {"after": word, "after.0": {"$exists": True}}
        rows = await self._db.do(self._tasks.find(query).limit(limit).to_list(None))
        return [task_of(row) for row in rows]

    async def save_final_books(self, task_id: str, books: Books) -> None:
        """Do the follow-up `books`: store the recounted books of an ended task and pull the word."""
        await self._update(
            {"_id": task_id, "after": "books"}, {"$set": {"books": document_of(books)}, "$pull": {"after": "books"}}
        )

    async def announce_ends(self, *, limit: int) -> int:
        """Do the follow-up `event` of up to `limit` ended tasks again; return of how many.

        Whoever announces pulls the word, and a repeat is refused: nobody needs to know whose turn it was.
        """
        query = {"after": "event", "after.0": {"$exists": True}}
        rows = await self._db.do(self._tasks.find(query, {"_id": 1}).limit(limit).to_list(None))
        self._changed_unseen(row["_id"] for row in rows)
        return len(rows)

    async def hidden_before(self, moment: datetime, *, limit: int) -> list[str]:
        """Return the ids of tasks hidden before `moment`."""
        # Of `$lt` alone MongoDB does not see that it implies the index's own filter, and looks at every task.
        cursor = self._tasks.find({"purged_at": {"$lt": moment, "$type": "date"}}, {"_id": 1}).limit(limit)
        return [row["_id"] for row in await self._db.do(cursor.to_list(None))]

    async def remove(self, task_id: str) -> None:
        """Remove a hidden task's document: the last step of a purge."""
        await self._db.do(self._tasks.delete_one({"_id": task_id, "purged_at": {"$ne": None}}))

    async def count_by_status(self, statuses: Sequence[TaskStatus]) -> Mapping[TaskStatus, int]:
        """Return how many tasks are in each of these states, at most 1,000 each."""
        counts = {}
        for status in statuses:
            query = {"status": status.value}
            counts[status] = await self._db.do(self._tasks.count_documents(query, limit=1000))
        return counts

    # -- below --------------------------------------------------------------------------------------------------

    @property
    def _tasks(self) -> Any:
        return self._db.collection("tasks")

    def _changed(self, document: Document) -> Task:
        """Announce a won update and return its task; every won update of a document passes here, and only those.

        `document` is as the update that won left it, fields of `NOT_ANNOUNCED` may be missing. A method that
        changes one document ends in `self._changed(document)`; a bulk method that has the documents (create_many)
        calls it for each, one that only knows whose turn it was (cancel_many by update_many) calls
        `_changed_unseen(ids)`. This only notes it: no await, no work for the caller, and repeats are refused
        later by their version, so a repeat after an unknown outcome calls it again.
        """
        self._announcer.changed(document)
        return task_of({"params": {}, **document})

    def _changed_unseen(self, task_ids: Iterable[str]) -> None:
        """Announce won updates whose documents the update did not return: they are read back behind the caller."""
        self._announcer.changed_unseen(task_ids)

    async def _update(self, query: Document, update: Document | list[Document]) -> Task | None:
        document = await self._db.do(
            self._tasks.find_one_and_update(query, update, return_document=ReturnDocument.AFTER)
        )
        return None if document is None else self._changed(document)

    async def _write(self, lease: Lease, values: Document) -> None:
        update = {"$set": {**values, "updated_at": self._clock.now()}, "$inc": {"version": 1}}
        if not await self._take(mine(lease), update):
            raise LeaseLostError(lease.task_id)

    async def _write_unshown(self, lease: Lease, values: Document) -> None:
        update = {"$set": {**values, "updated_at": self._clock.now()}, "$inc": {"version": 1}}
        result = await self._db.do(self._tasks.update_one(mine(lease), update))
        if result.matched_count == 0:
            raise LeaseLostError(lease.task_id)
        self._announcer.moved([lease.task_id])

    async def _take(self, query: Document, update: Document) -> bool:
        """Update one document without reading back what lists do not show; say whether it matched."""
        document = await self._db.do(
            self._tasks.find_one_and_update(query, update, projection=announced(), return_document=ReturnDocument.AFTER)
        )
        if document is not None:
            self._changed(document)
        return document is not None

    async def _leave(
        self, lease: Lease, state: Document, values: Document, entry: Document, attempt: int = 0
    ) -> Task | None:
        update = {
            "$set": {"notice": None, **values, "worker_id": None, "lease_until": None},
            "$inc": {"version": 1, "attempt": attempt},
            "$push": {"history": entry},
        }
        if values["status"] == "waiting":
            update["$unset"] = {"deadline_at": ""}
        return await self._update({**mine(lease), **state}, update)

    async def _requeue(self, task_id: str, from_status: str, reason: str, by: str) -> Task | None:
        now = self._clock.now()
        seen = await self._db.do(self._tasks.find_one({"_id": task_id, "status": from_status}))
        if seen is None:
            return None
        # Written in what is now the future: the clock was set back since (time_repair).
        ahead = max(timedelta(), seen["updated_at"] - now)
        values = {
            **{"status": "pending", "run_at": max(now, seen["run_at"] - ahead), "message": document_of(PENDING)},
            **{"updated_at": now, "notice": None, "progress.stage": Stage.QUEUED.value},
        }
        entry = entry_of(now, (from_status, "pending"), reason, seen["attempt"], by=by)
        return await self._update(
            {"_id": task_id, "status": from_status, "version": seen["version"]},
            {"$set": values, "$inc": {"version": 1}, "$push": {"history": entry}},
        )

    async def _first_of(self, task_id: str, new: NewTask) -> Task:
        query: Document = {"_id": task_id}
        if new.idempotency_key is not None:
            query = {"created_by": new.created_by, "idempotency_key": {"$eq": new.idempotency_key, "$type": "string"}}
        first = await self._db.do(self._tasks.find_one(query))
        if first is None or first["body_hash"] != new.body_hash:
            raise IdempotencyConflictError(
                Text("同一个 Idempotency-Key 已用于不同的请求", "This Idempotency-Key was used with another body")
            )
        return task_of(first)
