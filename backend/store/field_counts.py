"""How often the fields of items were filled: small counters, one document a task, made from its items when it ended."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING

from backend.core.database import Database
from backend.domain.drift import FIELDS, KINDS, Alert, GroupCounts, GroupKey, TaskCounts
from backend.store.task_documents import Document

_METRICS = frozenset({"like", "comment", "share", "save", "view"})
_EMPTY: list[Any] = [None, "", []]
_KEPT_S = 90 * 24 * 3_600
_LOOKED_AT = 200
_MOST_GROUPS = 40


class FieldCountStore:
    """Collections `field_counts` (`_id` is the task's) and `field_alerts` (`_id` names platform, group and field).

    The items are the truth: a count can be made again at any time, and is the same. Indexes: list {platform,
    ended_at: -1} · gone after 90 days {ended_at}.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    async def ensure_indexes(self) -> None:
        """Make the indexes that are missing."""
        counts = self._db.collection("field_counts")
        await self._db.do(counts.create_index([("platform", ASCENDING), ("ended_at", DESCENDING)]))
        await self._db.do(counts.create_index([("ended_at", ASCENDING)], expireAfterSeconds=_KEPT_S))

    async def count_task(self, task_id: str, platform: str, ended_at: datetime) -> TaskCounts:
        """Count at most 200 items of each kind of a task that has ended, and store what was counted.

        Doing it twice changes nothing. Passes the gate for slow reads. Raises StoreUnavailableError.
        """
        groups = [group for kind in KINDS for group in await self._counted(task_id, platform, kind)]
        document = {
            "platform": platform,
            "ended_at": ended_at,
            "groups": [
                {"kind": one.key.kind, "source": one.key.source, "items": one.items, "filled": dict(one.filled)}
                for one in groups
            ],
        }
        await self._db.do(self._counts.update_one({"_id": task_id}, {"$set": document}, upsert=True))
        return TaskCounts(task_id, platform, ended_at, groups)

    async def counted(self, task_ids: Collection[str]) -> frozenset[str]:
        """Return those of the tasks that are counted."""
        rows = await self._db.do(self._counts.find({"_id": {"$in": list(task_ids)}}, {"_id": 1}).to_list(None))
        return frozenset(row["_id"] for row in rows)

    async def newest(self, platform: str, *, limit: int) -> list[TaskCounts]:
        """Return the counts of the tasks of a platform that ended last, the newest first."""
        found = self._counts.find({"platform": platform}).sort([("ended_at", DESCENDING)]).limit(limit)
        return [_counts_of(document) for document in await self._db.do(found.to_list(None))]

    async def alerts(self, platform: str) -> list[Alert]:
        """Return what is known to have dried up."""
        rows = await self._db.do(self._alerts.find({"platform": platform}).to_list(None))
        return [Alert(GroupKey(row["kind"], row["source"]), row["field"], row["before"], row["since"]) for row in rows]

    async def raise_alert(self, platform: str, alert: Alert) -> bool:
        """Store an alert; return whether it is news: of several servers one is told so."""
        document = {
            **{"platform": platform, "kind": alert.key.kind, "source": alert.key.source, "field": alert.field},
            **{"before": alert.before, "since": alert.since},
        }
        key = {"_id": _alert_id(platform, alert.key, alert.field)}
        result = await self._db.do(self._alerts.update_one(key, {"$setOnInsert": document}, upsert=True))
        return result.upserted_id is not None

    async def drop_alert(self, platform: str, key: GroupKey, field: str) -> bool:
        """Remove an alert; return whether it was there."""
        result = await self._db.do(self._alerts.delete_one({"_id": _alert_id(platform, key, field)}))
        return bool(result.deleted_count)

    async def delete_of(self, task_id: str) -> int:
        """Remove the counts of a purged task."""
        result = await self._db.do(self._counts.delete_one({"_id": task_id}))
        return int(result.deleted_count)

    async def _counted(self, task_id: str, platform: str, kind: str) -> Sequence[GroupCounts]:
        sums = {name: {"$sum": {"$cond": [_is_empty(name), 0, 1]}} for name in FIELDS}
        stages: list[Document] = [
            # By the unique key: of a task's items of a kind, those with the lowest ids.
            {"$match": {"task_id": task_id, "platform": platform, "kind": kind}},
            {"$limit": _LOOKED_AT},
            {"$group": {"_id": "$source", "items": {"$sum": 1}, **sums}},
            {"$limit": _MOST_GROUPS},
        ]
        items = self._db.collection("items")
        rows = await self._db.slow(lambda: items.aggregate(stages).to_list(None))
        return [
            GroupCounts(GroupKey(kind, row["_id"]), int(row["items"]), {name: int(row[name]) for name in FIELDS})
            for row in rows
        ]

    @property
    def _counts(self) -> Any:
        return self._db.collection("field_counts")

    @property
    def _alerts(self) -> Any:
        return self._db.collection("field_alerts")


def _is_empty(name: str) -> Document:
    path = f"$metrics.{name}" if name in _METRICS else f"${name}"
    return {"$in": [{"$ifNull": [path, None]}, _EMPTY]}


def _alert_id(platform: str, key: GroupKey, field: str) -> str:
    return "|".join((platform, key.kind, key.source, field))


def _counts_of(document: Document) -> TaskCounts:
    groups = [
        GroupCounts(GroupKey(one["kind"], one["source"]), one["items"], one["filled"]) for one in document["groups"]
    ]
    return TaskCounts(document["_id"], document["platform"], document["ended_at"], groups)
