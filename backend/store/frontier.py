"""The frontiers of crawls: one row per URL ever found, taken up by the one run that holds the task's lease.

A row carries the fence of the run that took it up, and is finished only under that fence. Nothing here is trusted
to be counted: `books` counts the rows themselves.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING

from backend.core.both import both
from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.errors import LeaseLostError
from backend.domain.item import Page
from backend.domain.task import Books, Lease
from backend.store.bulk import Change, insert_new, update_all
from backend.store.keyset import behind, cursor_of

Document = dict[str, Any]

MAX_LOST = 10
_GIVEN_BACK_PRIORITY = 100
_DELETE_AT_ONCE = 5_000
_BACK_IN_QUEUE: Mapping[str, Any] = {"state": "queued", "fence": None, "priority": _GIVEN_BACK_PRIORITY}
_STATE_OF = {"ok": "done", "empty": "done", "skipped": "done", "blocked": "failed", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class NewRow:
    """A URL to be fetched; `fingerprint` is its identity, `origin` its scheme, host and port.

    For a crawl of units (crawl/units.py) `origin` is the unit's lane, and `data` what the unit needs: never shown.
    """

    fingerprint: str
    url: str
    origin: str
    depth: int
    priority: int = 0
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row in hand. `was_taken`: an earlier run, or an earlier attempt, had it already."""

    fingerprint: str
    url: str
    origin: str
    depth: int
    attempts: int = 0
    lost: int = 0
    was_taken: bool = False
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RowResult:
    """How a row ended. `outcome`: ok | empty | blocked | failed | skipped; `reason` says why it was skipped."""

    fingerprint: str
    outcome: str
    attempts: int
    reason: str | None = None
    http_status: int | None = None
    final_url: str | None = None
    size_bytes: int | None = None
    error: str | None = None
    fetched_at: datetime | None = None
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class PageList:
    """One page of a list of frontier rows; `next_cursor` is None on the last one."""

    pages: tuple[Page, ...]
    next_cursor: str | None


class FrontierStore:
    """Collection `frontier`; `_id` is `task_id:fingerprint`, which makes the pair unique.

    Fields: those of NewRow, Row and RowResult, `state` (queued | in_flight | done | failed, and alias, see
    `claim_final`), `taken` (ever taken up), `fence` (of the taker), `not_before` (back-off), `added_at`.
    Indexes: take {task_id, state, origin, priority: -1, depth, added_at} · due {task_id, not_before} where there
    is one · waiting {task_id, taken} of queued rows that were taken · list {task_id, added_at, _id} · books and
    lists by state or outcome {task_id, state, outcome, added_at, _id, reason, taken}.
    """

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    async def ensure_indexes(self) -> None:
        """Make the indexes that are missing."""
        up, down = ASCENDING, DESCENDING
        take = [("task_id", up), ("state", up), ("origin", up), ("priority", down), ("depth", up), ("added_at", up)]
        books = [(name, up) for name in ("task_id", "state", "outcome", "added_at", "_id", "reason", "taken")]
        for keys in (take, [("task_id", up), ("added_at", up), ("_id", up)], books):
            await self._db.do(self._rows.create_index(keys))
        has_due: Document = {"not_before": {"$type": "date"}}
        keys = [("task_id", up), ("not_before", up)]
        await self._db.do(self._rows.create_index(keys, partialFilterExpression=has_due))
        # Those that wait for another attempt: a cancel ends them without a look at the whole queue.
        waits: Document = {"state": "queued", "taken": True}
        await self._db.do(self._rows.create_index([("task_id", up), ("taken", up)], partialFilterExpression=waits))

    # -- rows come and go ----------------------------------------------------------------------------------------

    async def add_many(self, lease: Lease, rows: Sequence[NewRow]) -> int:
        """Queue the URLs that are not known yet, in one journalled batch; return how many are new."""
        now = self._clock.now()
        return await insert_new(self._db, self._rows, [_document(lease, row, now) for row in rows])

    async def claim_final(self, lease: Lease, finals: Mapping[str, str]) -> frozenset[str]:
        """Claim the final URLs of redirected rows; return the rows whose final URL belongs to another row.

        `finals` maps a row's fingerprint to that of its final URL. A claim is a row with state `alias`: no unit of
        work, only the mark that this URL needs no row of its own. Repeating a claim changes nothing.
        """
        if not finals:
            return frozenset()
        now = self._clock.now()
        aliases = [_alias(lease.task_id, row, final, now) for row, final in finals.items()]
        await insert_new(self._db, self._rows, aliases)
        cursor = self._rows.find({"_id": {"$in": [alias["_id"] for alias in aliases]}}, {"alias_of": 1})
        owners = {found["_id"]: found.get("alias_of") for found in await self._db.do(cursor.to_list(None))}
        return frozenset(row for row, final in finals.items() if owners[_id(lease.task_id, final)] != row)

    async def take(self, lease: Lease, origin: str, limit: int, *, only_lost: bool = False) -> list[Row]:
        """Take up at most `limit` due rows of an origin: highest priority first, then lowest depth.

        With `only_lost` only rows that a dead run had in hand.

        A row whose answer was lost on the way (StoreUnavailableError) is found again by `reclaim`.
        """
        due = {"$not": {"$gt": self._clock.now()}}
        query: Document = {"task_id": lease.task_id, "state": "queued", "origin": origin, "not_before": due}
        if only_lost:
            query["lost"] = {"$gt": 0}
        order = [("priority", DESCENDING), ("depth", ASCENDING), ("added_at", ASCENDING)]
        found = await self._db.do(self._rows.find(query).sort(order).limit(limit).to_list(None))
        if not found:
            return []
        mark = {"$set": {"state": "in_flight", "fence": lease.fence, "taken": True, "not_before": None}}
        ids = [row["_id"] for row in found]
        taken = await self._db.do(self._rows.update_many({"_id": {"$in": ids}, "state": "queued"}, mark))
        if taken.modified_count < len(found):
            mine = self._rows.find({"_id": {"$in": ids}, "state": "in_flight", "fence": lease.fence}, {"_id": 1})
            ours = {row["_id"] for row in await self._db.do(mine.to_list(None))}
            found = [row for row in found if row["_id"] in ours]
        return [_row(document) for document in found]

    async def finish(self, lease: Lease, results: Sequence[RowResult]) -> None:
        """Write down how rows of ours ended, in one journalled batch. May be repeated.

        Raises LeaseLostError when one of them is not ours any more.
        """
        changes = [Change(_mine(lease, result.fingerprint), {"$set": _ended(result)}) for result in results]
        if (await update_all(self._db, self._rows, changes)).matched == len(results):
            return
        ids = [_id(lease.task_id, result.fingerprint) for result in results]
        ended = {"_id": {"$in": ids}, "fence": lease.fence, "state": {"$in": ["done", "failed"]}}
        if await self._db.do(self._rows.count_documents(ended)) < len(results):
            raise LeaseLostError(lease.task_id)

    async def requeue(self, lease: Lease, row: Row, not_before: datetime) -> None:
        """Put a row of ours back for another attempt that is not made before `not_before`."""
        change = {"state": "queued", "fence": None, "attempts": row.attempts + 1, "not_before": not_before}
        await self._db.do(self._rows.update_one(_mine(lease, row.fingerprint), {"$set": change}))

    # -- what a run leaves ---------------------------------------------------------------------------------------

    async def give_back(self, task_id: str, *, below_fence: int) -> int:
        """Queue again what earlier runs had in hand (`lost` + 1, above ten failed); return how many rows."""
        in_hand = {"task_id": task_id, "state": "in_flight", "fence": {"$lt": below_fence}}
        given_up = {"state": "failed", "outcome": "failed", "error": "ATTEMPTS_USED_UP"}
        too_often = {**in_hand, "lost": {"$gte": MAX_LOST}}
        await self._db.do(self._rows.update_many(too_often, {"$set": given_up, "$inc": {"lost": 1}}))
        change = {"$set": _BACK_IN_QUEUE, "$inc": {"lost": 1}}
        return int((await self._db.do(self._rows.update_many(in_hand, change))).modified_count)

    async def reclaim(self, lease: Lease, holding: Collection[str]) -> int:
        """Queue again the rows in flight under our fence, or an older one, that are not in our hands.

        A take whose answer was lost leaves such rows, and so does a frozen run that thaws after its lease ended.
        """
        ids = [_id(lease.task_id, fingerprint) for fingerprint in holding]
        stray = {"task_id": lease.task_id, "state": "in_flight", "fence": {"$lte": lease.fence}, "_id": {"$nin": ids}}
        return int((await self._db.do(self._rows.update_many(stray, {"$set": _BACK_IN_QUEUE}))).modified_count)

    async def release(self, lease: Lease) -> int:
        """Queue again everything in our hands, as a run does that leaves in peace; return how many rows."""
        ours = {"task_id": lease.task_id, "state": "in_flight", "fence": lease.fence}
        return int((await self._db.do(self._rows.update_many(ours, {"$set": _BACK_IN_QUEUE}))).modified_count)

    async def put_back(self, lease: Lease, rows: Sequence[Row]) -> None:
        """Queue again rows that were taken and never started: they count as never taken up."""
        if not rows:
            return
        for was_taken in {row.was_taken for row in rows}:
            ids = [_id(lease.task_id, row.fingerprint) for row in rows if row.was_taken is was_taken]
            ours = {"_id": {"$in": ids}, "state": "in_flight", "fence": lease.fence}
            change = {"$set": {"state": "queued", "fence": None, "taken": was_taken}}
            await self._db.do(self._rows.update_many(ours, change))

    async def abort(self, lease: Lease) -> int:
        """End every row that was taken up and has no end, as cut by a cancel or a deadline; return how many."""
        return await self._end_taken(lease, {"state": "failed", "outcome": "aborted"})

    async def abort_left(self, task_ids: Sequence[str]) -> int:
        """End the same of tasks that have ended and that nobody runs; return how many rows.

        The end of a row that a former run sends late, or that was held up on its way, then finds no row of its own.
        """
        open_rows: tuple[Document, ...] = ({"state": "in_flight"}, {"state": "queued", "taken": True})
        change = {"$set": {"state": "failed", "outcome": "aborted", "not_before": None}}
        ended = 0
        for some in open_rows:
            query = {"task_id": {"$in": [*task_ids]}, **some}
            ended += (await self._db.do(self._rows.update_many(query, change))).modified_count
        return ended

    async def skip_rest(self, lease: Lease) -> int:
        """End the rows that wait for another attempt when the page limit is reached; return how many."""
        return await self._end_taken(lease, {"state": "done", "outcome": "skipped", "reason": "limit"})

    async def delete_of(self, task_id: str) -> int:
        """Remove every row of a purged task; return how many there were."""
        removed = 0
        while True:
            # In slices: one delete of a million documents would outlast the client's time limit.
            cursor = self._rows.find({"task_id": task_id}, {"_id": 1}).limit(_DELETE_AT_ONCE)
            ids = [row["_id"] for row in await self._db.do(cursor.to_list(None))]
            if not ids:
                return removed
            removed += (await self._db.do(self._rows.delete_many({"_id": {"$in": ids}}))).deleted_count

    # -- what there is -------------------------------------------------------------------------------------------

    async def origins(self, task_id: str) -> dict[str, int]:
        """Return how many rows each origin has in the queue, due or not."""
        stages: list[Document] = [
            {"$match": {"task_id": task_id, "state": "queued"}},
            {"$group": {"_id": "$origin", "rows": {"$sum": 1}}},
        ]
        found = await self._db.do(self._rows.aggregate(stages).to_list(None))
        return {one["_id"]: one["rows"] for one in found}

    async def next_due(self, task_id: str) -> tuple[str, datetime] | None:
        """Return origin and time of the next back-off to end, or None when no row is backing off."""
        query: Document = {"task_id": task_id, "state": "queued", "not_before": {"$type": "date"}}
        cursor = self._rows.find(query, {"origin": 1, "not_before": 1}).sort("not_before", ASCENDING).limit(1)
        found = await self._db.do(cursor.to_list(None))
        return (found[0]["origin"], found[0]["not_before"]) if found else None

    async def books(self, task_id: str, *, is_over: bool) -> Books:
        """Return the books counted from the rows; `stored` is left to the item store.

        When the task is over, a row taken up and not ended counts as aborted; before that it has no outcome yet.
        """
        if self._db.is_memory:
            # mongomock knows no $unionWith.
            return (await self.books_of([task_id], is_over=is_over))[task_id]
        found = await self._db.do(self._rows.aggregate(_counting(task_id)).to_list(None))
        return _books(_groups(found), is_over=is_over)

    async def books_of(self, task_ids: Sequence[str], *, is_over: bool) -> Mapping[str, Books]:
        """Return the books of many tasks, by their ids, with one read: for tasks with few rows each."""
        names = ("task_id", "state", "outcome", "reason", "taken")
        group = {"_id": {name: f"${name}" for name in names}, "rows": {"$sum": 1}}
        match = {"task_id": {"$in": [*task_ids]}, "state": {"$in": ["queued", "in_flight", "done", "failed"]}}
        stages: list[Document] = [{"$match": match}, {"$group": group}]
        found = await self._db.slow(lambda: self._rows.aggregate(stages).to_list(None))
        by_task: dict[str, list[tuple[Mapping[str, Any], int]]] = {task_id: [] for task_id in task_ids}
        for one in found:
            by_task[one["_id"]["task_id"]].append((one["_id"], int(one["rows"])))
        return {task_id: _books(groups, is_over=is_over) for task_id, groups in by_task.items()}

    async def list(
        self,
        task_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        state: str | None = None,
        outcome: str | None = None,
    ) -> PageList:
        """Return rows in the order they were found, as a person sees them. Raises BadCursorError."""
        query: Document = {"task_id": task_id, "state": {"$ne": "alias"}, **behind(cursor, time_field="added_at")}
        if outcome is not None:
            query |= {"outcome": outcome, "state": _STATE_OF.get(outcome, "failed")}
        if state is not None:
            query["state"] = state if outcome is None or query["state"] == state else {"$in": []}
        order = [("added_at", ASCENDING), ("_id", ASCENDING)]
        found = await self._db.do(self._rows.find(query).sort(order).limit(limit + 1).to_list(None))
        shown, more = found[:limit], len(found) > limit
        next_cursor = cursor_of(shown[-1]["added_at"], shown[-1]["_id"]) if more else None
        return PageList(tuple(_page(document) for document in shown), next_cursor)

    async def _end_taken(self, lease: Lease, ending: Document) -> int:
        ours = {"task_id": lease.task_id, "state": "in_flight", "fence": {"$lte": lease.fence}}
        waiting = {"task_id": lease.task_id, "state": "queued", "taken": True}
        change = {"$set": {**ending, "not_before": None}}

        async def end(rows: Document) -> Any:
            # Begun in here: a cancel that comes before this runs must find nothing on its way.
            return await self._db.do(self._rows.update_many(rows, change))

        # A cancel waits for them, and no row is both.
        done, rest = await both(end(ours), end(waiting))
        return int(done.modified_count + rest.modified_count)

    @property
    def _rows(self) -> Any:
        return self._db.collection("frontier")


def _id(task_id: str, fingerprint: str) -> str:
    return f"{task_id}:{fingerprint}"


def _mine(lease: Lease, fingerprint: str) -> Document:
    return {"_id": _id(lease.task_id, fingerprint), "state": "in_flight", "fence": lease.fence}


def _document(lease: Lease, row: NewRow, now: datetime) -> Document:
    return {
        "_id": _id(lease.task_id, row.fingerprint),
        **{"task_id": lease.task_id, "fingerprint": row.fingerprint, "url": row.url, "origin": row.origin},
        **{"depth": row.depth, "priority": row.priority, "state": "queued", "taken": False, "fence": None},
        **{"attempts": 0, "lost": 0, "outcome": None, "reason": None, "not_before": None, "added_at": now},
        **({} if row.data is None else {"data": dict(row.data)}),
    }


def _alias(task_id: str, row: str, final: str, now: datetime) -> Document:
    return {"_id": _id(task_id, final), "task_id": task_id, "state": "alias", "alias_of": row, "added_at": now}


def _ended(result: RowResult) -> Document:
    return {
        **{"state": _STATE_OF[result.outcome], "outcome": result.outcome, "reason": result.reason},
        **{"attempts": result.attempts, "http_status": result.http_status, "final_url": result.final_url},
        **{"size_bytes": result.size_bytes, "error": result.error, "fetched_at": result.fetched_at},
        "item_id": result.item_id,
    }


def _row(document: Mapping[str, Any]) -> Row:
    return Row(
        fingerprint=document["fingerprint"],
        url=document["url"],
        origin=document["origin"],
        depth=document["depth"],
        attempts=document["attempts"],
        lost=document["lost"],
        was_taken=document["taken"],
        data=document.get("data"),
    )


def _page(document: Mapping[str, Any]) -> Page:
    names = ("final_url", "outcome", "reason", "http_status", "size_bytes", "error", "fetched_at", "item_id")
    return Page(
        url=document["url"],
        state=document["state"],
        depth=document["depth"],
        attempts=document["attempts"],
        **{name: document.get(name) for name in names},
    )


# Every kind of row there is but `skipped`, which has reasons: (state, outcome, taken), None where it does not matter.
_KINDS: Sequence[tuple[str, str | None, bool | None]] = (
    *(("queued", None, None), ("queued", None, True), ("in_flight", None, None)),
    *(("done", "ok", None), ("done", "empty", None)),
    *(("failed", outcome, None) for outcome in ("blocked", "failed", "aborted")),
)

_SKIPPED = {"state": {"$literal": "done"}, "outcome": {"$literal": "skipped"}, "taken": {"$literal": True}}


def _counting(task_id: str) -> list[Document]:
    """Return the pipeline that counts the rows of each kind by itself, along one stretch of an index.

    (Measured at 100,000 rows: grouping them all by state, outcome, reason and `taken` took two to three times as long,
    although the same index covers that too.)
    """
    first, *others = [_count_of(task_id, *kind) for kind in _KINDS]
    skipped: list[Document] = [
        {"$match": {"task_id": task_id, "state": "done", "outcome": "skipped"}},
        {"$group": {"_id": "$reason", "rows": {"$sum": 1}}},
        {"$project": {"_id": {**_SKIPPED, "reason": "$_id"}, "rows": 1}},
    ]
    return [*first, *({"$unionWith": {"coll": "frontier", "pipeline": one}} for one in (*others, skipped))]


def _count_of(task_id: str, state: str, outcome: str | None, taken: bool | None) -> list[Document]:
    match: Document = {"task_id": task_id, "state": state}
    if outcome is not None:
        match["outcome"] = outcome
    if taken is not None:
        match["taken"] = taken
    # All but a part of the queue has been taken up.
    key = {"state": state, "outcome": outcome, "reason": None, "taken": taken is True or state != "queued"}
    return [
        {"$match": match},
        {"$group": {"_id": None, "rows": {"$sum": 1}}},
        {"$project": {"_id": {"$literal": key}, "rows": 1}},
    ]


def _groups(found: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], int]]:
    """Return the kinds with their numbers; of the whole queue the part that was taken up has been counted too."""
    again = sum(int(one["rows"]) for one in found if one["_id"]["state"] == "queued" and one["_id"]["taken"])
    return [
        (one["_id"], int(one["rows"]) - (again if one["_id"]["state"] == "queued" and not one["_id"]["taken"] else 0))
        for one in found
    ]


def _books(groups: Sequence[tuple[Mapping[str, Any], int]], *, is_over: bool) -> Books:
    counts: dict[str, Any] = dict.fromkeys(("ok", "empty", "blocked", "failed", "skipped", "aborted"), 0)
    skipped_by: dict[str, int] = {}
    requested = queued_left = 0
    for key, rows in groups:
        if not key["taken"]:
            queued_left += rows
            continue
        requested += rows
        outcome = key["outcome"] or ("aborted" if is_over else None)
        if outcome is not None:
            counts[outcome] += rows
        if outcome == "skipped":
            skipped_by[key["reason"]] = skipped_by.get(key["reason"], 0) + rows
    books = Books(requested=requested, queued_left=queued_left, skipped_by=skipped_by)
    return replace(books, **counts)
