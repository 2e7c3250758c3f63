"""Finds ended tasks whose time is up, and says what would go with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING

from backend.core.database import Database
from backend.domain.retention import Pair
from backend.domain.task import ACTIVE_STATUSES

COUNTED_AT_MOST = 10_000
_WITHIN_S = 10.0
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Doomed:
    """What would go: `files` and `size_bytes` at most, a file that another task names stays.

    `is_capped`: there are more tasks than the 10,000 oldest, which are counted.
    """

    tasks: int = 0
    items: int = 0
    files: int = 0
    size_bytes: int = 0
    is_capped: bool = False


class RetentionStore:
    """Reads `tasks` and `artifacts`. Index: `tasks` {status, kind, ended_at} where a task has ended."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def ensure_indexes(self) -> None:
        """Make the index that is missing."""
        keys = [("status", ASCENDING), ("kind", ASCENDING), ("ended_at", ASCENDING)]
        # Not `$type`: of that MongoDB does not see that a comparison implies it, and would not use the index.
        has_ended = {"ended_at": {"$exists": True}}
        await self._db.do(self._db.collection("tasks").create_index(keys, partialFilterExpression=has_ended))

    async def count(self, pairs: Sequence[Pair], *, before: datetime) -> Doomed:
        """Return what `oldest` would come to. Passes the gate for slow reads. Raises StoreUnavailableError."""
        if not pairs:
            return Doomed()
        tasks, artifacts = self._db.collection("tasks"), self._db.collection("artifacts")
        in_use = await self._db.slow(self._in_use, within_s=_WITHIN_S)
        found = tasks.find(self._ended(pairs, before, in_use), {"_id": 1, "books.stored": 1})
        found = found.sort("ended_at", ASCENDING).limit(COUNTED_AT_MOST + 1)
        rows = await self._db.slow(lambda: found.to_list(None), within_s=_WITHIN_S)
        is_capped, rows = len(rows) > COUNTED_AT_MOST, rows[:COUNTED_AT_MOST]
        stages: list[Document] = [
            {"$match": {"task_id": {"$in": [row["_id"] for row in rows]}}},
            {"$group": {"_id": "$sha256", "size_bytes": {"$first": "$size_bytes"}}},
            {"$group": {"_id": None, "files": {"$sum": 1}, "size_bytes": {"$sum": "$size_bytes"}}},
        ]
        sums = await self._db.slow(lambda: artifacts.aggregate(stages).to_list(None), within_s=_WITHIN_S)
        items = sum(int(row["books"]["stored"]) for row in rows)
        files, size_bytes = (int(sums[0]["files"]), int(sums[0]["size_bytes"])) if sums else (0, 0)
        return Doomed(len(rows), items, files, size_bytes, is_capped)

    async def oldest(self, pairs: Sequence[Pair], *, before: datetime, limit: int) -> list[str]:
        """Return the ids of those that ended first, but none that a task which has not ended reads from."""
        if not pairs:
            return []
        wanted = self._ended(pairs, before, await self._db.do(self._in_use()))
        found = self._db.collection("tasks").find(wanted, {"_id": 1}).sort("ended_at", ASCENDING).limit(limit)
        return [row["_id"] for row in await self._db.do(found.to_list(None))]

    def _ended(self, pairs: Sequence[Pair], before: datetime, in_use: Sequence[str]) -> Document:
        some = [{"status": status, "kind": kind, "ended_at": {"$lt": before}} for kind, status in pairs]
        # Left out here, not of what was found: else a hundred that stay would hold up all that ended later.
        return {"$or": some, "purged_at": None, "_id": {"$nin": in_use}}

    async def _in_use(self) -> list[str]:
        """Return the ids of the tasks that others, which have not ended, read from; at most one for each of these."""
        active = {"status": {"$in": sorted(status.value for status in ACTIVE_STATUSES)}}
        stages: list[Document] = [
            {"$match": {**active, "params.from_task": {"$gt": ""}}},
            {"$group": {"_id": "$params.from_task"}},
        ]
        rows = await self._db.collection("tasks").aggregate(stages).to_list(None)
        return [row["_id"] for row in rows]
