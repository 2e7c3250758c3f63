"""Items of many tasks, read from one end to the other, as an export does. Reads only; the writes are in items.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pymongo import ASCENDING

from backend.core.database import Database
from backend.core.threads import in_thread
from backend.domain.item import Item
from backend.store.items import item_of

T = TypeVar("T")
Document = dict[str, Any]

_ORDER = [("task_id", ASCENDING), ("first_seen_at", ASCENDING), ("_id", ASCENDING)]
_KEY = [(name, ASCENDING) for name in ("task_id", "platform", "kind", "item_id")]
# Of their own (lifecycle.md §3): a page of large items may take longer than any other read.
_PAGE_WITHIN_S = 20.0
_KEY_FIELDS = dict.fromkeys(("task_id", "platform", "kind", "item_id", "first_seen_at"), 1)


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items of a task: of a kind, first seen in a span of time (from, and before)."""

    kind: str | None = None
    seen_from: datetime | None = None
    seen_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemPlace:
    """Where a walk stands: behind the item with this id, first seen then, of this task."""

    task_id: str
    first_seen_at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class ItemKey:
    """What makes an item the same as another task's, and where it stands."""

    platform: str
    kind: str
    item_id: str
    place: ItemPlace


class ItemReads:
    """Walks the collection `items` by task, then by when an item was first seen; needs both indexes of `ItemStore`.

    Each call is one page, found by the place of the last item of the page before. It passes the gate for slow reads
    and has 20 s. Raises StoreUnavailableError.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    async def items(
        self, task_ids: Sequence[str], wanted: ItemFilter, *, behind: ItemPlace | None, limit: int
    ) -> tuple[Item, ...]:
        """Return at most `limit` items behind a place; `task_ids` are sorted. Fewer are the last ones."""
        documents = await self._page(task_ids, wanted, behind, limit, None)
        return await _made(documents, item_of)

    async def keys(
        self, task_ids: Sequence[str], wanted: ItemFilter, *, behind: ItemPlace | None, limit: int
    ) -> tuple[ItemKey, ...]:
        """Return what `items` would, by their keys alone."""
        documents = await self._page(task_ids, wanted, behind, limit, _KEY_FIELDS)
        return await _made(documents, _key_of)

    async def count(self, task_ids: Sequence[str], wanted: ItemFilter) -> Mapping[str, int]:
        """Return how many items there are of each kind."""
        stages: list[Document] = [
            {"$match": _match(wanted, {"task_id": {"$in": list(task_ids)}})},
            {"$group": {"_id": "$kind", "items": {"$sum": 1}}},
        ]
        items = self._db.collection("items")
        # Without times the index alone knows the answer: no item is read.
        order = _KEY if wanted.seen_from is wanted.seen_to is None else _ORDER
        options: Document = {} if self._db.is_memory else {"hint": dict(order)}
        groups = await self._db.slow(lambda: items.aggregate(stages, **options).to_list(None), within_s=_PAGE_WITHIN_S)
        return {group["_id"]: int(group["items"]) for group in groups}

    async def _page(
        self,
        task_ids: Sequence[str],
        wanted: ItemFilter,
        behind: ItemPlace | None,
        limit: int,
        shown: Document | None,
    ) -> list[Document]:
        """Read what is left of the task of `behind`, then of those after it."""
        found: list[Document] = []
        if behind is not None:
            found = await self._find(_match(wanted, {"task_id": behind.task_id}, behind), limit, shown)
            task_ids = [one for one in task_ids if one > behind.task_id]
        if task_ids and len(found) < limit:
            later = _match(wanted, {"task_id": {"$in": list(task_ids)}})
            found += await self._find(later, limit - len(found), shown)
        return found

    async def _find(self, query: Document, limit: int, shown: Document | None) -> list[Document]:
        found = self._db.collection("items").find(query, shown).sort(_ORDER).limit(limit)
        if not self._db.is_memory:
            found = found.hint(_ORDER)
        return list(await self._db.slow(lambda: found.to_list(None), within_s=_PAGE_WITHIN_S))


def place_of(item: Item) -> ItemPlace:
    """Return the place behind an item."""
    return ItemPlace(item.task_id, item.first_seen_at, item.id)


def _match(wanted: ItemFilter, query: Document, behind: ItemPlace | None = None) -> Document:
    seen_from = wanted.seen_from
    if behind is not None:
        # A bound for the index, less the rows already read: an `$or` would be taken for several walks.
        seen_from = behind.first_seen_at
        query["$nor"] = [{"first_seen_at": behind.first_seen_at, "_id": {"$lte": behind.id}}]
    bounds = {"$gte": seen_from, "$lt": wanted.seen_to}
    if given := {sign: moment for sign, moment in bounds.items() if moment is not None}:
        query["first_seen_at"] = given
    if wanted.kind is not None:
        query["kind"] = wanted.kind
    return query


async def _made(documents: Sequence[Document], make: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    # Off the loop: a page takes some 10 ms.
    return await in_thread(lambda: tuple(make(document) for document in documents))


def _key_of(document: Mapping[str, Any]) -> ItemKey:
    place = ItemPlace(document["task_id"], document["first_seen_at"], document["_id"])
    return ItemKey(document["platform"], document["kind"], document["item_id"], place)
