"""What crawls found: one document per item, written once, kept until its task is purged."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pymongo import ASCENDING

from backend.core.database import Database
from backend.domain.item import Author, Item, Media, Metrics
from backend.domain.task import Lease
from backend.store.bulk import Change, update_all
from backend.store.keyset import behind, cursor_of
from backend.store.task_documents import Document, document_of

_DELETE_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One page of a list of items; `next_cursor` is None on the last one."""

    items: tuple[Item, ...]
    next_cursor: str | None


class ItemStore:
    """Collection `items`: the fields of `domain.item.Item`, `_id` for id, and the internal field `fence`.

    Indexes: unique {task_id, platform, kind, item_id} · list {task_id, first_seen_at, _id}.
    `_id` follows from the unique key, so an item stored twice is the same document.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    async def ensure_indexes(self) -> None:
        """Make the indexes that are missing."""
        items = self._db.collection("items")
        key = [(name, ASCENDING) for name in ("task_id", "platform", "kind", "item_id")]
        await self._db.do(items.create_index(key, unique=True))
        order = [(name, ASCENDING) for name in ("task_id", "first_seen_at", "_id")]
        await self._db.do(items.create_index(order))

    async def upsert_many(self, lease: Lease, items: Sequence[Item]) -> int:
        """Store what is not stored yet, in one journalled batch; return how many items are new.

        An item that is there already keeps its content and gains the queries that found it again: a run that
        lost its lease in the middle of this call can add nothing that the next owner would not have stored.
        """
        changes = [_upsert(lease, item) for item in items]
        return (await update_all(self._db, self._db.collection("items"), changes)).new

    async def count(self, task_id: str) -> int:
        """Return how many items the task has stored."""
        return int(await self._db.do(self._db.collection("items").count_documents({"task_id": task_id})))

    async def count_of(self, task_ids: Sequence[str]) -> Mapping[str, int]:
        """Return how many items each of these tasks has stored."""
        stages: list[Document] = [
            {"$match": {"task_id": {"$in": list(task_ids)}}},
            {"$group": {"_id": "$task_id", "items": {"$sum": 1}}},
        ]
        found = await self._db.do(self._db.collection("items").aggregate(stages).to_list(None))
        return {**dict.fromkeys(task_ids, 0), **{one["_id"]: int(one["items"]) for one in found}}

    async def existing(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those of the ids that are stored."""
        if not ids:
            return frozenset()
        cursor = self._db.collection("items").find({"_id": {"$in": list(ids)}}, {"_id": 1})
        return frozenset(row["_id"] for row in await self._db.do(cursor.to_list(None)))

    async def ids_of(
        self,
        task_id: str,
        platform: str,
        kind: str,
        *,
        query: str | None = None,
        root_id: str | None = None,
        author: str | None = None,
    ) -> frozenset[str]:
        """Return the source's own ids of a kind of item: of all, or of those a query found, below a root, by an author.

        `author` is the hash of their id.
        """
        wanted: Document = {"task_id": task_id, "platform": platform, "kind": kind}
        more = {"queries": query, "root_id": root_id, "author.id_hash": author}
        wanted |= {name: value for name, value in more.items() if value is not None}
        cursor = self._db.collection("items").find(wanted, {"_id": 0, "item_id": 1})
        return frozenset(row["item_id"] for row in await self._db.do(cursor.to_list(None)))

    async def reported_with_comments(self, task_id: str) -> int:
        """Return how many posts are stored, and how many comments their source says they have, as one number."""
        stages: list[Document] = [
            {"$match": {"task_id": task_id, "kind": "post"}},
            {"$group": {"_id": None, "posts": {"$sum": 1}, "comments": {"$sum": "$metrics.comment"}}},
        ]
        found = await self._db.do(self._db.collection("items").aggregate(stages).to_list(None))
        return int(found[0]["posts"] + found[0]["comments"]) if found else 0

    async def get(self, item_id: str) -> Item | None:
        """Return the item with this id of ours (`i_...`), or None."""
        document = await self._db.do(self._db.collection("items").find_one({"_id": item_id}))
        return None if document is None else item_of(document)

    async def list(self, task_id: str, *, limit: int, cursor: str | None = None) -> ItemPage:
        """Return the task's items in the order they were first seen. Raises BadCursorError."""
        query = {"task_id": task_id, **behind(cursor, time_field="first_seen_at")}
        order = [("first_seen_at", ASCENDING), ("_id", ASCENDING)]
        found = self._db.collection("items").find(query).sort(order).limit(limit + 1)
        documents = await self._db.do(found.to_list(None))
        items = tuple(item_of(document) for document in documents[:limit])
        more = len(documents) > limit
        return ItemPage(items, cursor_of(items[-1].first_seen_at, items[-1].id) if more else None)

    async def delete_of(self, task_id: str) -> int:
        """Remove every item of a purged task; return how many there were."""
        items = self._db.collection("items")
        removed = 0
        while True:
            # In slices: one delete of a million documents would outlast the client's time limit.
            cursor = items.find({"task_id": task_id}, {"_id": 1}).limit(_DELETE_AT_ONCE)
            ids = [row["_id"] for row in await self._db.do(cursor.to_list(None))]
            if not ids:
                return removed
            result = await self._db.do(items.delete_many({"_id": {"$in": ids}}))
            removed += result.deleted_count


def item_id_of(task_id: str, platform: str, kind: str, item_id: str) -> str:
    """Return our id of an item: it follows from the unique key, so a repeat finds the same document."""
    key = "\0".join((task_id, platform, kind, item_id)).encode("utf-8", "surrogatepass")
    return f"i_{hashlib.blake2b(key, digest_size=15).hexdigest()}"


def with_id(item: Item) -> Item:
    """Return the item with the id under which it is stored."""
    return replace(item, id=item_id_of(item.task_id, item.platform, item.kind, item.item_id))


def item_of(document: Mapping[str, Any]) -> Item:
    """Return the item a document holds."""
    values = {name: value for name, value in document.items() if name not in {"_id", "fence"}}
    author = values["author"]
    values["author"] = None if author is None else Author(**author)
    values["metrics"] = Metrics(**values["metrics"])
    values["media"] = tuple(Media(**one) for one in values["media"])
    values["tags"] = tuple(values["tags"])
    values["queries"] = tuple(values["queries"])
    return Item(**{**values, "id": document["_id"]})


def _upsert(lease: Lease, item: Item) -> Change:
    document: Document = document_of(item)
    del document["id"]
    queries = document.pop("queries")
    key = {"_id": with_id(item).id}
    update = {
        "$setOnInsert": {**document, "fence": lease.fence},
        "$addToSet": {"queries": {"$each": queries}},
    }
    return Change(key, update, is_upsert=True)
