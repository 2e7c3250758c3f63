"""Many updates of one collection in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from backend.core.database import Database

Document = dict[str, Any]

_DUPLICATE_KEY = 11000


@dataclass(frozen=True, slots=True)
class Change:
    """One update of at most one document."""

    filter: Document
    update: Document
    is_upsert: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """What a batch did: documents that matched, and documents that are new."""

    matched: int
    new: int


async def update_all(
    database: Database, collection: AsyncIOMotorCollection[Document], changes: Sequence[Change]
) -> Changed:
    """Do every change, in no order. Raises BulkWriteError when one of them is refused."""
    if not changes:
        return Changed(0, 0)
    if database.is_memory:
        return await _one_by_one(database, collection, changes)
    operations = [UpdateOne(one.filter, one.update, upsert=one.is_upsert) for one in changes]
    result = await database.batch(lambda: collection.bulk_write(operations, ordered=False))
    return Changed(result.matched_count, result.upserted_count)


async def insert_new(
    database: Database, collection: AsyncIOMotorCollection[Document], documents: Sequence[Document]
) -> int:
    """Insert the documents whose keys are not taken yet; return how many those were."""
    if not documents:
        return 0
    if database.is_memory:
        return sum([await _inserted(database, collection, document) for document in documents])
    operations = [InsertOne(document) for document in documents]
    try:
        result = await database.batch(lambda: collection.bulk_write(operations, ordered=False))
    except BulkWriteError as error:
        if any(one["code"] != _DUPLICATE_KEY for one in error.details["writeErrors"]):
            raise
        return int(error.details["nInserted"])
    return result.inserted_count


async def _one_by_one(
    database: Database, collection: AsyncIOMotorCollection[Document], changes: Sequence[Change]
) -> Changed:
    # mongomock does not know the arguments that today's pymongo gives its bulk writes.
    matched = new = 0
    for one in changes:
        result = await database.do(collection.update_one(one.filter, one.update, upsert=one.is_upsert))
        matched += result.matched_count
        new += result.upserted_id is not None
    return Changed(matched, new)


async def _inserted(database: Database, collection: AsyncIOMotorCollection[Document], document: Document) -> bool:
    try:
        await database.do(collection.insert_one(document))
    except DuplicateKeyError:
        return False
    return True
