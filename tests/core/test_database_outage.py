"""What an operation says when MongoDB is silent, slow, leaving, or will not have an index."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
import tornado.ioloop
from pymongo.errors import BulkWriteError, OperationFailure, WriteConcernError

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.journal import ahead_of_journal
from backend.domain.errors import StoreRefusedError, StoreUnavailableError
from tests.fixtures.fault_proxy import FaultProxy

_TIMEOUT_S = 1.0
# What a machine that is busy adds.
_MARGIN_S = 0.9
_THREADS = 64


@pytest.fixture
def proxy(mongo_url: str) -> Iterator[FaultProxy]:
    socket_path = unquote(mongo_url.removeprefix("mongodb://").partition("/")[0])
    with FaultProxy(socket_path) as made:
        yield made


@pytest.fixture
def remote(proxy: FaultProxy, clock: Clock, io_loop: tornado.ioloop.IOLoop) -> Iterator[Database]:
    """A database behind the proxy."""
    url = f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"
    made = Database(url, f"test_{uuid.uuid4().hex[:12]}", clock=clock, timeout_s=_TIMEOUT_S)
    io_loop.run_sync(made.connect)
    yield made
    proxy.behave()
    io_loop.run_sync(made.close)


async def _count(database: Database) -> int:
    """Ask until the driver has found the server again: it looks every half second."""
    while True:
        try:
            return await database.do(database.collection("rows").count_documents({}))
        except StoreUnavailableError:
            await asyncio.sleep(0.01)


async def test_operation_on_a_silent_server_is_given_up_in_time(remote: Database, proxy: FaultProxy) -> None:
    proxy.behave(is_silent=True)
    begun = time.monotonic()

    with pytest.raises(StoreUnavailableError):
        await remote.do(remote.collection("rows").find_one({}))

    assert time.monotonic() - begun < _TIMEOUT_S + _MARGIN_S


async def test_operation_that_waits_for_a_thread_of_the_driver_is_given_up_in_time(
    remote: Database, proxy: FaultProxy
) -> None:
    proxy.behave(is_silent=True)
    rows = remote.collection("rows")
    crowd = [asyncio.ensure_future(remote.do(rows.find_one({}))) for _ in range(3 * _THREADS)]
    begun = time.monotonic()

    with pytest.raises(StoreUnavailableError):
        await remote.do(rows.find_one({}))

    assert time.monotonic() - begun < _TIMEOUT_S + _MARGIN_S
    await asyncio.gather(*crowd, return_exceptions=True)


async def test_nothing_is_begun_while_all_threads_are_taken_by_what_nobody_waits_for(
    remote: Database, proxy: FaultProxy
) -> None:
    proxy.behave(is_silent=True)
    rows = remote.collection("rows")
    await asyncio.gather(*(remote.do(rows.insert_one({})) for _ in range(3 * _THREADS)), return_exceptions=True)
    begun, left = time.monotonic(), remote.in_flight

    with pytest.raises(StoreUnavailableError):
        await remote.do(remote.collection("rows").insert_one({"_id": "late"}))
    with pytest.raises(StoreUnavailableError):
        await remote.measure()

    assert left >= _THREADS
    assert time.monotonic() - begun < 0.2
    proxy.behave()
    await _count(remote)
    assert await remote.do(remote.collection("rows").find_one({"_id": "late"})) is None


async def test_slow_read_that_waits_for_its_turn_is_given_up_in_time(remote: Database, proxy: FaultProxy) -> None:
    proxy.behave(is_silent=True)
    rows = remote.collection("rows")
    begun = time.monotonic()

    crowd = [remote.slow(lambda: rows.find_one({})) for _ in range(12)]
    errors = await asyncio.gather(*crowd, return_exceptions=True)

    assert {type(error) for error in errors} == {StoreUnavailableError}
    assert time.monotonic() - begun < _TIMEOUT_S + _MARGIN_S


async def test_operation_goes_on_by_itself_when_the_server_is_back(remote: Database, proxy: FaultProxy) -> None:
    rows = remote.collection("rows")
    proxy.refuse()
    with pytest.raises(StoreUnavailableError):
        await remote.do(rows.insert_one({"_id": 1}))

    proxy.behave()

    assert await _count(remote) in {0, 1}


@pytest.mark.parametrize(
    "error",
    [
        OperationFailure("interrupted at shutdown", 11600),
        OperationFailure("Transaction numbers are only allowed on a replica set member or mongos", 20),
        WriteConcernError("shutdown in progress", 91),
        BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 91, "errmsg": "x"}], "nInserted": 1}),
        BulkWriteError({"writeErrors": [{"code": 11600, "errmsg": "x"}], "writeConcernErrors": [], "nInserted": 1}),
    ],
    ids=["command", "taken for a set", "write concern", "bulk's write concern", "bulk's write"],
)
async def test_word_of_a_server_that_leaves_has_an_unknown_effect(database: Database, error: Exception) -> None:
    async def write() -> None:
        raise error

    with pytest.raises(StoreUnavailableError):
        await database.do(write())


async def test_command_that_is_no_good_is_no_word_of_a_server_that_leaves(database: Database) -> None:
    async def write() -> None:
        raise OperationFailure("illegal operation", 20)

    with pytest.raises(OperationFailure):
        await database.do(write())


async def test_writes_ahead_of_the_journal_hold_while_the_server_stays(remote: Database) -> None:
    with ahead_of_journal() as outer:
        with ahead_of_journal() as inner:
            await remote.do(remote.collection("rows").insert_one({"_id": 1}))
        inner.check()
    await remote.keep("rows", "1")

    outer.check()


async def test_writes_ahead_of_the_journal_do_not_hold_when_the_server_was_lost_before_it(
    remote: Database, proxy: FaultProxy
) -> None:
    with ahead_of_journal() as outer, ahead_of_journal() as inner:
        await remote.do(remote.collection("rows").insert_one({"_id": 1}))
    proxy.cut()
    assert await _count(remote) == 1

    for ahead in (inner, outer):
        with pytest.raises(StoreUnavailableError):
            ahead.check()


async def test_index_that_is_in_the_way_is_named(database: Database) -> None:
    rows = database.collection("rows")
    await database.do(rows.create_index("key", name="key_1"))

    with pytest.raises(StoreRefusedError) as caught, database.building_indexes():
        await database.do(rows.create_index("key", name="key_1", unique=True))

    assert "key_1" in caught.value.detail


async def test_index_may_take_longer_than_an_operation(database: Database) -> None:
    with database.building_indexes():
        taken = await database.do(asyncio.sleep(0, result="built"))

    assert taken == "built"
