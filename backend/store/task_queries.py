"""Lists of tasks: filters, keyset pages, totals counted to 1,000. Reads only; the writes are in store/tasks.py.

A page is found by the sort values of the last row shown, never by an offset. (Measured with a million tasks: skipping
800,000 takes 599 ms, the keyset at the same depth 1.5 ms; counting 900,000 exactly 743 ms, to 1,001 0.8 ms.)
"""

import base64
import binascii
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from pymongo import ASCENDING, DESCENDING

from backend.core.database import Database
from backend.domain.errors import BadCursorError
from backend.domain.task import ACTIVE_STATUSES, Task, TaskKind, TaskStatus
from backend.domain.text import Text
from backend.store.task_documents import Document, task_of

MAX_TOTAL = 1_000
SORTS: Mapping[str, tuple[str, ...]] = {
    "created_at": ("created_at",),
    "updated_at": ("updated_at",),
    "priority": ("priority", "created_at"),
}
Keys = list[tuple[str, int]]

_NEWEST: Keys = [("created_at", DESCENDING), ("_id", DESCENDING)]
_SOME = {"$gt": ""}
# By the field that an index begins with; of several filters the first one here chooses.
_FILTERED: Mapping[str, Keys] = {
    "_id": [("_id", ASCENDING)],
    "batch_id": [("batch_id", ASCENDING), *_NEWEST],
    "schedule_id": [("schedule_id", ASCENDING), *_NEWEST],
    "labels": [("labels", ASCENDING), *_NEWEST],
    "created_by": [("created_by", ASCENDING), *_NEWEST],
    "platform": [("platform", ASCENDING), ("status", ASCENDING), *_NEWEST],
    "status": [("status", ASCENDING), *_NEWEST],
    "kind": [("kind", ASCENDING), *_NEWEST],
}
_SORTED: Mapping[str, Keys] = {
    "created_at": _NEWEST,
    "updated_at": [("updated_at", DESCENDING), ("_id", DESCENDING)],
    "priority": [("priority", DESCENDING), *_NEWEST],
}
# What the queries below lean on, with the filter of partial ones; `TaskStore.ensure_indexes` makes them.
INDEXES: Sequence[tuple[Keys, Mapping[str, Any] | None]] = (
    *((keys, None) for keys in _SORTED.values()),
    *((_FILTERED[name], None) for name in ("created_by", "platform", "status", "kind")),
    *((_FILTERED[name], {name: _SOME}) for name in ("batch_id", "schedule_id", "labels")),
)
# What a list does not show, and what only the lifecycle reads.
_LEFT_OUT = ("params", "history", "checkpoint", "ignored", "intent", "log_from", "after", "body_hash")
_MAX_CURSOR_CHARS = 512
_FACETS = ("status", "kind", "platform")
# Below the client's own limit, so that it is MongoDB that gives up, and stops working.
_FACETS_MAX_MS = 2_000


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks, in which order, from where on. Filters that are None or empty do not filter.

    `only_by` is what the caller is held to, whatever they ask for.
    """

    statuses: tuple[TaskStatus, ...] = ()
    kind: TaskKind | None = None
    platform: str | None = None
    type: str | None = None
    text: str | None = None
    ids: tuple[str, ...] = ()
    batch_id: str | None = None
    label: str | None = None
    created_by: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    schedule_id: str | None = None
    only_by: str | None = None
    sort: str = "-created_at"
    cursor: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Tasks without params, history and checkpoint; `total` counts to 1,000 and says when there are more."""

    items: tuple[Task, ...]
    next_cursor: str | None
    total: int
    total_is_capped: bool


@dataclass(frozen=True, slots=True)
class OpenTasks:
    """Ids of tasks that are not final; `next_cursor` is None when these are the last."""

    task_ids: tuple[str, ...]
    next_cursor: str | None


class TaskQueries:
    """Reads lists from the collection `tasks`. `INDEXES` above says which indexes it needs."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def page(self, query: TaskQuery) -> TaskPage:
        """Return one page. Raises BadCursorError, StoreUnavailableError."""
        wanted = _filter(query)
        rows = await self._rows(query, wanted)
        total = await self._total(query, wanted, rows)
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        return TaskPage(
            items=tuple(task_of({"params": {}, **row}) for row in shown),
            next_cursor=_cursor_of(query.sort, shown[-1]) if more else None,
            total=min(total, MAX_TOTAL),
            total_is_capped=total > MAX_TOTAL,
        )

    async def facets(self, query: TaskQuery) -> Mapping[str, Mapping[str, int]]:
        """Return how many of the tasks that match there are by status, kind and platform, counted exactly.

        Looks at all of them: passes the gate for slow reads, and is given up after 2 s. Raises StoreUnavailableError.
        """
        stages: list[Document] = [
            {"$match": _filter(query)},
            {"$group": {"_id": {name: f"${name}" for name in _FACETS}, "tasks": {"$sum": 1}}},
        ]
        options: Document = {} if self._db.is_memory else {"maxTimeMS": _FACETS_MAX_MS}
        tasks = self._db.collection("tasks")
        groups = await self._db.slow(lambda: tasks.aggregate(stages, **options).to_list(None))
        found: dict[str, dict[str, int]] = {name: {} for name in _FACETS}
        for group in groups:
            for name in _FACETS:
                value = group["_id"][name]
                found[name][value] = found[name].get(value, 0) + int(group["tasks"])
        return found

    async def open_tasks(
        self,
        query: TaskQuery,
        statuses: Collection[TaskStatus],
        *,
        created_by_then: datetime,
        upstream_open: bool | None = None,
        not_cancelled_by: str | None = None,
        limit: int,
    ) -> OpenTasks:
        """Return the ids of the oldest tasks that match, are in one of these states, and were there at a moment.

        `not_cancelled_by`: leave out what a call of `TaskSets.cancel` with this id has cancelled.
        """
        asked = query.statuses or tuple(ACTIVE_STATUSES)
        query = replace(query, statuses=tuple(sorted(set(asked) & set(statuses))), sort="created_at", limit=limit)
        if not query.statuses:
            return OpenTasks((), None)
        wanted = _filter(query)
        wanted["created_at"] = {**wanted.get("created_at", {}), "$lte": created_by_then}
        if upstream_open is not None:
            wanted["upstream_open"] = True if upstream_open else {"$ne": True}
        if not_cancelled_by is not None:
            wanted["cancel_id"] = {"$ne": not_cancelled_by}
        rows = await self._rows(query, wanted, dict.fromkeys(("_id", "created_at"), 1))
        more = len(rows) > limit
        ids = tuple(row["_id"] for row in rows[:limit])
        return OpenTasks(ids, _cursor_of(query.sort, rows[limit - 1]) if more else None)

    async def _rows(self, query: TaskQuery, wanted: Document, shown: Document | None = None) -> list[Document]:
        behind = _behind(query)
        order = DESCENDING if query.sort.startswith("-") else ASCENDING
        found = self._db.collection("tasks").find(
            {"$and": [wanted, behind]} if behind else wanted, shown or dict.fromkeys(_LEFT_OUT, 0)
        )
        found = found.sort([(field, order) for field in _fields(query.sort)]).limit(query.limit + 1)
        if not self._db.is_memory:
            # Left alone, the server tries out plans on what little it finds first, and keeps one that sorts it all.
            found = found.hint(_index_for(query, wanted))
        return list(await self._read(query, lambda: found.to_list(None)))

    async def _total(self, query: TaskQuery, wanted: Document, rows: Sequence[Document]) -> int:
        if query.cursor is None and len(rows) <= query.limit:
            return len(rows)
        tasks = self._db.collection("tasks")
        options: Document = {} if self._db.is_memory else {"hint": _index_for(query, wanted)}
        return int(await self._read(query, lambda: tasks.count_documents(wanted, limit=MAX_TOTAL + 1, **options)))

    async def _read(self, query: TaskQuery, operation: Any) -> Any:
        # A substring looks at every title: at most four such reads at once, the quick ones pass by.
        if query.text:
            return await self._db.slow(operation)
        return await self._db.do(operation())


def _filter(query: TaskQuery) -> Document:
    wanted: Document = {"purged_at": None}
    # With a platform every state is named: its index has them one by one, and merges their orders.
    statuses = query.statuses or (tuple(TaskStatus) if query.platform is not None else ())
    if statuses:
        wanted["status"] = {"$in": [status.value for status in statuses]}
    if query.ids:
        wanted["_id"] = {"$in": list(query.ids)}
    if query.text:
        has_text = {"$regex": re.escape(query.text), "$options": "i"}
        wanted["$or"] = [{"title": has_text}, {"batch_title": has_text}]
    bounds = {"$gte": query.created_from, "$lt": query.created_to}
    if given := {sign: moment for sign, moment in bounds.items() if moment is not None}:
        wanted["created_at"] = given
    exact = {
        "kind": None if query.kind is None else query.kind.value,
        "platform": query.platform,
        "type": query.type,
        "batch_id": query.batch_id,
        "labels": query.label,
        "created_by": query.created_by,
        "schedule_id": query.schedule_id,
    }
    wanted |= {name: value for name, value in exact.items() if value is not None}
    if query.only_by is not None:
        is_theirs = query.created_by in (None, query.only_by)
        wanted["created_by"] = query.only_by if is_theirs else {"$in": []}
    return wanted


def _index_for(query: TaskQuery, wanted: Document) -> Keys:
    by = query.sort.removeprefix("-")
    if by == "created_at" or query.ids:
        return next((keys for name, keys in _FILTERED.items() if name in wanted), _SORTED[by])
    return _SORTED[by]


def _fields(sort: str) -> tuple[str, ...]:
    return (*SORTS[sort.removeprefix("-")], "_id")


def _behind(query: TaskQuery) -> Document:
    """Return the filter for the rows behind the cursor: a bound for the index, less the rows already shown.

    Said with `$nor`: an `$or` would be taken for several walks through the index, whose rows must then be sorted.
    """
    if query.cursor is None:
        return {}
    is_down = query.sort.startswith("-")
    first, *others = _fields(query.sort)
    values = dict(zip((first, *others), _read_cursor(query.sort, query.cursor), strict=True))
    shown: list[Document] = []
    same = {first: values[first]}
    for field in others:
        strictly = "$gt" if is_down else "$lt"
        shown.append({**same, field: {f"{strictly}e" if field == "_id" else strictly: values[field]}})
        same[field] = values[field]
    return {first: {"$lte" if is_down else "$gte": values[first]}, "$nor": shown}


def _cursor_of(sort: str, row: Document) -> str:
    values = [_plain(row[field]) for field in _fields(sort)]
    return base64.urlsafe_b64encode(orjson.dumps([sort, *values])).decode().rstrip("=")


def _plain(value: Any) -> Any:
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value


def _read_cursor(sort: str, cursor: str) -> list[Any]:
    fields = _fields(sort)
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found_sort, *values = orjson.loads(raw[:_MAX_CURSOR_CHARS])
        if found_sort != sort or len(values) != len(fields):
            raise _refused()
        return [_typed(field, value) for field, value in zip(fields, values, strict=True)]
    except (ValueError, TypeError, OverflowError, OSError, binascii.Error) as error:
        raise _refused() from error


def _typed(field: str, value: Any) -> Any:
    if field == "_id":
        return str(value)
    if type(value) is not int:
        raise TypeError
    return value if field == "priority" else datetime.fromtimestamp(value / 1000, UTC)


def _refused() -> BadCursorError:
    return BadCursorError(
        Text("游标无效", "This cursor is not one of ours"),
        advice=Text("从第一页重新读取，并保持 sort 不变", "Start again from the first page and keep the same sort"),
    )
