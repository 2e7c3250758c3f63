import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta

import pytest
from pymongo.errors import BulkWriteError, WTimeoutError

from backend.core.clock import Clock
from backend.core.database import Database, settle, writes_counted
from backend.core.journal import ahead_of_journal
from backend.domain.errors import StoreUnavailableError


async def test_cancelled_write_is_remembered_until_it_has_landed(database: Database) -> None:
    rows = database.collection("rows")
    writes: set[asyncio.Future[object]] = set()

    async def write() -> None:
        with writes_counted(writes):
            await database.do(rows.insert_one({"_id": 1}))

    task = asyncio.create_task(write())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    await settle(writes)

    assert task.cancelled()
    assert await database.do(rows.count_documents({})) == 1


async def test_closing_waits_for_operations_in_flight(database: Database) -> None:
    rows = database.collection("rows")
    pending = asyncio.ensure_future(database.do(rows.insert_one({"_id": 1})))
    await asyncio.sleep(0)

    await database.close()

    assert database.in_flight == 0
    await pending
    await database.connect()


async def test_write_that_no_majority_confirmed_in_time_has_an_unknown_effect(database: Database) -> None:
    async def write() -> None:
        raise WTimeoutError("waiting for replication timed out", 64)

    with pytest.raises(StoreUnavailableError):
        await database.do(write())


async def test_clock_follows_the_server_from_the_connection_on(database: Database, clock: Clock) -> None:
    now_s = clock.elapsed()
    clock.follow(clock.now() + timedelta(hours=1), sent_at=now_s, received_at=now_s)

    await database.close()
    await database.connect()

    assert -1 < clock.offset_s < 1


async def test_measuring_lets_the_clock_follow_the_server(database: Database, clock: Clock) -> None:
    latency_ms = await database.measure()

    assert 0 < latency_ms < 5_000
    assert -1 < clock.offset_s < 1


async def test_write_ahead_of_the_journal_is_seen_at_once_and_the_next_one_waits_again(database: Database) -> None:
    with ahead_of_journal():
        relaxed = database.collection("rows")
        await database.do(relaxed.insert_one({"_id": 1}))

    assert await database.do(database.collection("rows").count_documents({})) == 1
    assert relaxed.write_concern.document == {"w": 1}
    assert database.collection("rows").write_concern.document == {"w": 1, "j": True}


async def test_error_of_a_bulk_write_is_gone_with_its_last_reference(database: Database) -> None:
    await database.do(database.collection("rows").insert_one({"_id": 1}))
    gc.disable()
    try:
        let_go = threading.Event()
        gone = await refused_in_bulk(database, let_go.set)
        # The driver's thread drops what it has answered a moment later.
        await asyncio.to_thread(let_go.wait, 20)

        assert gone() is None
    finally:
        gc.enable()


async def refused_in_bulk(database: Database, tell: Callable[[], None]) -> weakref.ref[BulkWriteError]:
    try:
        await database.do(database.collection("rows").insert_many([{"_id": 1}]))
    except BulkWriteError as error:
        return weakref.ref(error, lambda _: tell())
    raise AssertionError("one _id was taken twice")
