"""The documents of a backup: read out as lines of MongoDB's extended JSON, read in again as they were."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import bson
from bson import json_util
from bson.errors import BSONError
from pymongo.errors import BulkWriteError

from backend.core.database import Database
from backend.domain.errors import BackupError
from backend.domain.task import Stage
from backend.domain.text import Text
from backend.store.schema import SCHEMA
from backend.store.task_documents import Document, document_of
from backend.store.task_updates import entry_of

# A task that is over when it is read has all its rows, items and files already; a row that is done, its items.
_FIRST = ("tasks", "frontier", "items", "artifacts")
_AT_ONCE = 500
_WITHIN_S = 60.0
_MAX_DOCUMENT_BYTES = 16_777_216
# Canonical: every number comes back as the type it was.
_EXACT = json_util.JSONOptions(json_mode=json_util.JSONMode.CANONICAL, tz_aware=True)
_ON_HOLD = Text("备份恢复后暂停，等待手动开始", "On hold after a restore; start it by hand")
_UNFINISHED = frozenset({"pending", "running"})


class BackupDocuments:
    """Every collection of the database but `schema`, as documents without a meaning."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def collections(self) -> list[str]:
        """Return the names of the collections there are, in the order in which they are to be read."""
        names = await self._db.do(self._db.collection(SCHEMA).database.list_collection_names(), within_s=_WITHIN_S)
        ours = {name for name in names if name != SCHEMA and not name.startswith("system.")}
        return [name for name in _FIRST if name in ours] + sorted(ours - set(_FIRST))

    async def lines(self, collection: str) -> AsyncIterator[list[bytes]]:
        """Yield the documents of a collection, some hundred at a time, by `_id`: each that is there all along, once."""
        cursor = self._db.collection(collection).find().sort("_id", 1).batch_size(_AT_ONCE)
        while rows := await self._db.do(cursor.to_list(_AT_ONCE), within_s=_WITHIN_S):
            yield [json_util.dumps(row, json_options=_EXACT, ensure_ascii=False).encode() + b"\n" for row in rows]

    async def contents(self) -> AsyncIterator[list[str]]:
        """Yield the hashes of the files that artifacts name, in order, a file that several name more than once."""
        artifacts = self._db.collection("artifacts")
        cursor = artifacts.find({}, {"_id": 0, "sha256": 1}).sort("sha256", 1).batch_size(_AT_ONCE)
        while rows := await self._db.do(cursor.to_list(_AT_ONCE), within_s=_WITHIN_S):
            yield [row["sha256"] for row in rows]

    async def count_unfinished(self) -> int:
        """Return how many tasks are at work right now."""
        query = {"status": {"$in": ["running", "cancelling"]}}
        return int(await self._db.do(self._db.collection("tasks").count_documents(query), within_s=_WITHIN_S))

    async def is_empty(self) -> bool:
        """Tell whether no collection but `schema` holds anything."""
        for name in await self.collections():
            if await self._db.do(self._db.collection(name).find_one({}, {"_id": 1}), within_s=_WITHIN_S) is not None:
                return False
        return True

    async def clear(self) -> None:
        """Drop every collection but `schema`."""
        for name in await self.collections():
            await self._db.do(self._db.collection(name).drop(), within_s=_WITHIN_S)

    async def insert(self, collection: str, documents: Sequence[Document]) -> None:
        """Insert what is not there yet. Raises BackupError when MongoDB will not have one of them."""
        for start in range(0, len(documents), _AT_ONCE):
            some = documents[start : start + _AT_ONCE]
            try:
                await self._db.do(self._db.collection(collection).insert_many(some, ordered=False), within_s=_WITHIN_S)
            except BulkWriteError as error:
                raise refused(collection, str(error.details["writeErrors"][0].get("errmsg", ""))[:200]) from None


def read_lines(collection: str, lines: bytes) -> list[Document]:
    """Return the documents of these lines. Raises BackupError when one is none, or more than MongoDB takes."""
    try:
        rows = [json_util.loads(line, json_options=_EXACT) for line in lines.splitlines()]
        sizes = [len(bson.encode(row)) for row in rows]
        if collection == "tasks":
            # Found out before anything is written.
            _ = [on_hold(row, now=datetime.now(UTC)) for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, BSONError) as error:
        raise refused(collection, type(error).__name__) from None
    if any("_id" not in row for row in rows) or max(sizes, default=0) > _MAX_DOCUMENT_BYTES:
        raise refused(collection, "_id")
    return rows


def on_hold(row: Document, *, now: datetime) -> Document:
    """Return a task as it is restored: what was to run or running is held, until a person starts it.

    Since the backup it may have run, and been paid for.
    """
    before = row.get("status")
    if before not in _UNFINISHED:
        return row
    attempt = int(row["attempt"]) - (before == "running")
    held: dict[str, Any] = {name: value for name, value in row.items() if name != "deadline_at"}
    entry = entry_of(now, (str(before), "held"), "restored", attempt, by="restore")
    return held | {
        **{"status": "held", "message": document_of(_ON_HOLD), "worker_id": None, "lease_until": None},
        **{"attempt": attempt, "fence": int(row["fence"]) + 1, "version": int(row["version"]) + 1, "updated_at": now},
        **{"progress": {**row["progress"], "stage": Stage.QUEUED.value}, "history": [*row["history"], entry]},
    }


def refused(collection: str, why: str) -> BackupError:
    """Return the error of documents that cannot be stored."""
    return BackupError(
        "BACKUP_DAMAGED",
        Text(f"备份中的数据无法读取: {collection} ({why})", f"Data of the backup cannot be read: {collection} ({why})"),
    )
