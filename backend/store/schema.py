"""Which shape the stored data has: one version a collection, migrated forward at the start, never opened when newer."""

import asyncio
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from loguru import logger
from pymongo.errors import DuplicateKeyError

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.journal import ahead_of_journal
from backend.domain.errors import SchemaError
from backend.domain.text import Text
from backend.store.migrations import FIRST_VERSION, MIGRATIONS, Migration

SCHEMA = "schema"
# Every collection of ours; what is in none of them (Valkey's stream, files) has no version here.
COLLECTIONS = (
    *("tasks", "items", "frontier", "events", "artifacts"),
    *("accounts", "challenges", "field_counts", "field_alerts", "installation", "users", "tokens", "audit"),
)
_LOCK = "_lock"
_RESTORE = "_restore"
_LOCK_S = 30.0
_RENEW_EVERY_S = 5.0
_LOOK_EVERY_S = 0.5
_SAY_EVERY_S = 10.0
_WAIT_S = 600.0


@dataclass(frozen=True, slots=True)
class CollectionVersion:
    """What a collection's row in `schema` says; `by` is the version of the program that wrote it."""

    collection: str
    version: int
    migrated_at: datetime | None = None
    by: str | None = None


class _LockLostError(Exception):
    """Another server has taken the lock: this one was frozen, or cut off, for longer than it holds."""


class Schema:
    """Collection `schema`: a row a collection `{_id: name, version, migrated_at, by}`, read by `_id` alone.

    Besides them `_lock` {holder, by, until} while somebody migrates, and `_restore` {since, by} while a backup is being
    restored. A collection without a row is of release 0.1.0: version 1.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        by: str,
        is_alone: bool = False,
        wait_s: float = _WAIT_S,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        """`is_alone`: no other process can be at this data, so a lock that is there is a dead one's."""
        self._db = database
        self._clock = clock
        self._by = by
        self._is_alone = is_alone
        self._wait_s = wait_s
        self._migrations = sorted(migrations, key=lambda one: one.to_version)
        self._holder = uuid.uuid4().hex
        self._renewed_at = 0.0

    async def open(self) -> int:
        """Bring the data to this program's versions, or wait until another server has; return documents changed.

        Writes nothing when there is nothing to do. Raises SchemaError when the data is newer than this program, when
        a restore was left half-way, or when another server migrates for longer than the wait; StoreUnavailableError.
        """
        if self._db.is_memory:
            return 0
        begun, said_at = self._clock.elapsed(), -math.inf
        while not await self._is_current():
            if await self._take_lock():
                try:
                    return await self._bring_forward()
                except _LockLostError:
                    logger.warning("the lock on the data's migration went to another server; waiting for it")
                finally:
                    await self._drop_lock()
            now = self._clock.elapsed()
            if now - begun >= self._wait_s:
                raise _waited_too_long(self._wait_s)
            if now - said_at >= _SAY_EVERY_S:
                said_at = now
                logger.info("⏳ 另一台服务器正在升级数据，等待中 / another server is migrating the data: waiting")
            await asyncio.sleep(_LOOK_EVERY_S)
        return 0

    async def versions(self) -> Mapping[str, CollectionVersion]:
        """Return the rows there are, by collection."""
        rows = await self._db.do(self._rows.find({"_id": {"$not": {"$regex": "^_"}}}).to_list(None))
        return {
            row["_id"]: CollectionVersion(row["_id"], int(row["version"]), row["migrated_at"], row["by"])
            for row in rows
        }

    def current(self, collection: str) -> int:
        """Return the version that this program writes."""
        return max((one.to_version for one in self._migrations if one.collection == collection), default=FIRST_VERSION)

    def refuse_newer(self, found: Mapping[str, CollectionVersion]) -> None:
        """Raise SchemaError when any of these is newer than what this program knows."""
        newer = [one for name, one in sorted(found.items()) if one.version > self.current(name)]
        if newer:
            raise _newer(newer, {one.collection: self.current(one.collection) for one in newer}, self._by)

    # -- a restore -----------------------------------------------------------------------------------------------

    async def begin_restore(self) -> None:
        """Note that a backup is being restored: until `end_restore` no server starts on this data."""
        note = {"$set": {"since": self._clock.now(), "by": self._by}}
        await self._db.do(self._rows.update_one({"_id": _RESTORE}, note, upsert=True))
        # What comes may be of an older version than what goes.
        await self._db.do(self._rows.delete_many({"_id": {"$ne": _RESTORE}}))

    async def end_restore(self, versions: Mapping[str, int]) -> None:
        """Note the versions of what was restored, then that it is whole."""
        for collection, version in versions.items():
            await self._stamp(collection, version)
        await self._db.do(self._rows.delete_one({"_id": _RESTORE}))

    async def is_half_restored(self) -> bool:
        """Tell whether a restore began and did not end."""
        return await self._db.do(self._rows.find_one({"_id": _RESTORE})) is not None

    # -- below ---------------------------------------------------------------------------------------------------

    async def _is_current(self) -> bool:
        """Tell whether every collection has this program's version. Raises SchemaError, before anything is written."""
        if await self.is_half_restored():
            raise _half_restored()
        found = await self.versions()
        self.refuse_newer(found)
        return all(name in found and found[name].version == self.current(name) for name in COLLECTIONS)

    async def _bring_forward(self) -> int:
        # Read again: whoever had the lock before may have done it all, or be of a newer program.
        if await self._is_current():
            return 0
        found, is_fresh, changed = await self.versions(), await self._is_fresh(), 0
        for name in COLLECTIONS:
            version = found[name].version if name in found else FIRST_VERSION
            for step in self._migrations:
                if step.collection == name and step.to_version > version and not is_fresh:
                    changed += await self._run(step)
            # The lock is dropped after it, and waits for the journal.
            with ahead_of_journal():
                await self._stamp(name, self.current(name))
        return changed

    async def _run(self, step: Migration) -> int:
        logger.info("📦 正在升级数据: {} -> {} / migrating: {}", step.collection, step.to_version, step.what)
        changed = await step.run(self._db, self._renew_lock)
        await self._renew_lock(at_once=True)
        await self._stamp(step.collection, step.to_version)
        logger.success("✅ 数据升级完成: {} -> {}, {} documents", step.collection, step.to_version, changed)
        return changed

    async def _is_fresh(self) -> bool:
        names = await self._db.do(self._rows.database.list_collection_names())
        return not set(names) - {SCHEMA}

    async def _stamp(self, collection: str, version: int) -> None:
        """Note a version; one that is there is never lowered."""
        query = {"_id": collection, "version": {"$lt": version}}
        row = {"$set": {"version": version, "migrated_at": self._clock.now(), "by": self._by}}
        try:
            await self._db.do(self._rows.update_one(query, row, upsert=True))
        except DuplicateKeyError:
            # It is there, and as high.
            return

    async def _take_lock(self) -> bool:
        now = self._clock.now()
        query: dict[str, Any] = {"_id": _LOCK} if self._is_alone else {"_id": _LOCK, "until": {"$lt": now}}
        mine = {"holder": self._holder, "by": self._by, "until": now + timedelta(seconds=_LOCK_S)}
        try:
            await self._db.do(self._rows.update_one(query, {"$set": mine}, upsert=True))
        except DuplicateKeyError:
            return False
        self._renewed_at = self._clock.elapsed()
        return True

    async def _renew_lock(self, *, at_once: bool = False) -> None:
        """Hold the lock for longer, if it is time. Raises _LockLostError."""
        if not at_once and self._clock.elapsed() - self._renewed_at < _RENEW_EVERY_S:
            return
        until = self._clock.now() + timedelta(seconds=_LOCK_S)
        mine = {"_id": _LOCK, "holder": self._holder}
        result = await self._db.do(self._rows.update_one(mine, {"$set": {"until": until}}))
        if result.matched_count == 0:
            raise _LockLostError
        self._renewed_at = self._clock.elapsed()

    async def _drop_lock(self) -> None:
        await self._db.do(self._rows.delete_one({"_id": _LOCK, "holder": self._holder}))

    @property
    def _rows(self) -> Any:
        return self._db.collection(SCHEMA)


def _newer(newer: Sequence[CollectionVersion], known: Mapping[str, int], by: str) -> SchemaError:
    shown = ", ".join(f"{one.collection} {one.version} > {known[one.collection]}" for one in newer)
    writer = newer[0].by or "?"
    return SchemaError(
        Text(
            f"数据由更新的版本写入 ({shown}; 写入者 {writer}, 本程序 {by})，未作任何改动",
            f"the data was written by a newer version ({shown}; by {writer}, this is {by}); nothing was changed",
        ),
        advice=Text(
            "请运行更新的版本，或恢复升级前的备份",
            "run the newer version, or restore a backup made before the upgrade",
        ),
    )


def _half_restored() -> SchemaError:
    return SchemaError(
        Text("上次恢复备份没有完成，数据不完整", "a restore was cut half-way: the data is not whole"),
        advice=Text(
            "请再次运行 mediacrawer restore 文件 --replace", "run mediacrawer restore FILE --replace once more"
        ),
    )


def _waited_too_long(wait_s: float) -> SchemaError:
    return SchemaError(
        Text(
            f"等待另一台服务器升级数据超过 {wait_s:.0f} s", f"another server migrates the data for over {wait_s:.0f} s"
        ),
        advice=Text("请查看那台服务器的日志，然后重新启动", "look at that server's log, then start again"),
    )
