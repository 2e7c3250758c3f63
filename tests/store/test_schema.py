import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.errors import SchemaError
from backend.store.migrations import MIGRATIONS, Migration
from backend.store.schema import COLLECTIONS, SCHEMA, Schema
from tests.model.processes import SharedClock

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"\bcollection\(\"([a-z_]+)\"\)")
MIGRATE_IN_CHILD = """
import asyncio, sys
from backend.core.clock import Clock
from backend.core.crash_points import arm
from backend.core.database import Database
from backend.store.schema import Schema

async def main():
    clock = Clock()
    database = Database(sys.argv[1], sys.argv[2], clock=clock)
    await database.connect()
    arm(sys.argv[3])
    await Schema(database, clock=clock, by="child").open()

asyncio.run(main())
"""


def schema_of(database: Database, clock: Clock, **more: Any) -> Schema:
    return Schema(database, clock=clock, by="0.9.0", **more)


async def of_first_release(database: Database, tasks: int) -> None:
    rows = [{"_id": f"t_{number:05d}", "title": "老任务"} for number in range(tasks)]
    await database.do(database.collection("tasks").insert_many(rows))


async def lacking(database: Database) -> int:
    query = {"batch_title": {"$exists": False}}
    return int(await database.do(database.collection("tasks").count_documents(query)))


async def rows_of(database: Database) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await database.do(database.collection(SCHEMA).find().sort("_id", 1).to_list(None))
    return rows


def counting(calls: list[str], name: str) -> Callable[[Database, Callable[[], Awaitable[None]]], Awaitable[int]]:
    async def run(_database: Database, still_ours: Callable[[], Awaitable[None]]) -> int:
        await still_ours()
        calls.append(name)
        return 1

    return run


async def test_fresh_database_is_stamped_and_not_migrated(database: Database, clock: Clock) -> None:
    schema = schema_of(database, clock)

    changed = await schema.open()

    found = await schema.versions()
    assert changed == 0
    assert {name: row.version for name, row in found.items()} == {name: schema.current(name) for name in COLLECTIONS}
    assert {row.by for row in found.values()} == {"0.9.0"}


async def test_second_start_writes_nothing(database: Database, clock: Clock) -> None:
    await schema_of(database, clock).open()
    before = await rows_of(database)

    await Schema(database, clock=clock, by="1.0.0").open()

    assert await rows_of(database) == before


async def test_unversioned_data_is_taken_for_the_first_release_and_migrated(database: Database, clock: Clock) -> None:
    await of_first_release(database, 1_201)

    changed = await schema_of(database, clock).open()

    assert (changed, await lacking(database)) == (1_201, 0)


async def test_steps_run_in_order_and_only_those_above_the_version(database: Database, clock: Clock) -> None:
    calls: list[str] = []
    steps = [Migration("items", number, "", counting(calls, f"items {number}")) for number in (4, 2, 3)]
    await of_first_release(database, 1)
    row = {"_id": "items", "version": 2, "migrated_at": clock.now(), "by": "0.2.0"}
    await database.do(database.collection(SCHEMA).insert_one(row))

    await schema_of(database, clock, migrations=steps).open()

    assert calls == ["items 3", "items 4"]


async def test_newer_data_is_refused_by_name_and_left_as_it_is(database: Database, clock: Clock) -> None:
    await of_first_release(database, 1)
    row = {"_id": "tasks", "version": 99, "migrated_at": clock.now(), "by": "7.0.0"}
    await database.do(database.collection(SCHEMA).insert_one(row))
    before = await rows_of(database)

    with pytest.raises(SchemaError, match=r"tasks 99 > 2; by 7\.0\.0, this is 0\.9\.0") as raised:
        await schema_of(database, clock).open()

    assert raised.value.advice is not None
    assert (await rows_of(database), await lacking(database)) == (before, 1)


async def test_servers_that_start_at_once_migrate_once(database: Database, clock: Clock) -> None:
    calls: list[str] = []
    step = Migration("tasks", 2, "", counting(calls, "tasks"))
    await of_first_release(database, 1)

    await asyncio.gather(*(schema_of(database, clock, migrations=[step]).open() for _ in range(4)))

    assert calls == ["tasks"]
    assert not [row for row in await rows_of(database) if row["_id"].startswith("_")]


async def test_lock_of_another_server_is_waited_for_no_longer_than_said(database: Database, clock: Clock) -> None:
    await of_first_release(database, 1)
    lock = {"_id": "_lock", "holder": "other", "by": "0.9.0", "until": clock.now() + timedelta(seconds=30)}
    await database.do(database.collection(SCHEMA).insert_one(lock))

    with pytest.raises(SchemaError, match="another server migrates"):
        await schema_of(database, clock, wait_s=0.0).open()

    assert await lacking(database) == 1


async def test_lock_of_a_dead_server_is_taken_once_it_has_run_out(database: Database) -> None:
    clock = SharedClock()
    await of_first_release(database, 1)
    lock = {"_id": "_lock", "holder": "dead", "by": "0.9.0", "until": clock.now() + timedelta(seconds=30)}
    await database.do(database.collection(SCHEMA).insert_one(lock))
    clock.advance(31)

    await schema_of(database, clock).open()

    assert await lacking(database) == 0


async def test_who_is_alone_waits_for_no_dead_lock(database: Database, clock: Clock) -> None:
    await of_first_release(database, 1)
    lock = {"_id": "_lock", "holder": "dead", "by": "0.9.0", "until": clock.now() + timedelta(seconds=30)}
    await database.do(database.collection(SCHEMA).insert_one(lock))

    await schema_of(database, clock, is_alone=True, wait_s=0.0).open()

    assert await lacking(database) == 0


async def test_server_that_lost_its_lock_stops_and_lets_the_other_finish(database: Database) -> None:
    clock, calls = SharedClock(), []
    rows = database.collection(SCHEMA)

    async def robbed(_database: Database, still_ours: Callable[[], Awaitable[None]]) -> int:
        calls.append("begun")
        clock.advance(31)
        await database.do(rows.update_one({"_id": "_lock"}, {"$set": {"holder": "other"}}))
        other = {"version": 2, "migrated_at": clock.now(), "by": "other"}
        await database.do(rows.update_one({"_id": "tasks"}, {"$set": other}, upsert=True))
        for name in COLLECTIONS:
            await database.do(rows.update_one({"_id": name}, {"$setOnInsert": {**other, "version": 1}}, upsert=True))
        await still_ours()
        calls.append("went on")
        return 1

    await of_first_release(database, 1)

    await schema_of(database, clock, migrations=[Migration("tasks", 2, "", robbed)]).open()

    assert calls == ["begun"]
    lock = await database.do(rows.find_one({"_id": "_lock"}))
    assert lock is not None
    assert lock["holder"] == "other"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
async def test_migration_killed_half_way_is_finished_by_the_next_start(
    database: Database, clock: Clock, mongo_url: str
) -> None:
    await of_first_release(database, 1_201)

    child = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", MIGRATE_IN_CHILD, mongo_url, database.name, "mid_migration:2"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        timeout=60,
    )

    assert child.returncode == -signal.SIGKILL
    assert await lacking(database) == 201
    assert await schema_of(database, clock, is_alone=True).open() == 201
    assert await lacking(database) == 0


async def test_data_of_a_restore_cut_half_way_is_not_opened(database: Database, clock: Clock) -> None:
    schema = schema_of(database, clock)
    await schema.begin_restore()

    with pytest.raises(SchemaError, match="cut half-way"):
        await schema.open()
    await schema.end_restore({"tasks": 2})
    await schema.open()

    assert not await schema.is_half_restored()


def test_every_collection_of_the_code_has_a_version() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "backend").rglob("*.py"))

    assert set(NAMED.findall(sources)) - {SCHEMA} <= set(COLLECTIONS)


def test_steps_of_a_collection_follow_each_other_without_a_gap() -> None:
    for name in COLLECTIONS:
        steps = [one.to_version for one in MIGRATIONS if one.collection == name]
        assert steps == list(range(2, len(steps) + 2))
    assert {one.collection for one in MIGRATIONS} <= set(COLLECTIONS)
