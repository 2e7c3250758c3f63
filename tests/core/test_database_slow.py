import asyncio

import pytest

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.errors import StoreUnavailableError

SLOW = {"$where": "sleep(700) || true"}


async def test_slow_read_may_be_given_more_time_than_others(mongo_url: str, clock: Clock) -> None:
    database = Database(mongo_url, "test_slow", clock=clock, timeout_s=0.3)
    await database.connect()
    rows = database.collection("rows")
    await database.do(rows.replace_one({"_id": 1}, {}, upsert=True))

    found = await database.slow(lambda: rows.find(SLOW).to_list(None), within_s=30)

    with pytest.raises(StoreUnavailableError):
        await database.slow(lambda: rows.find(SLOW).to_list(None))
    assert len(found) == 1
    await database.close()


async def test_turn_that_does_not_come_in_that_time_is_given_up(database: Database) -> None:
    release = asyncio.Event()
    holders = [asyncio.create_task(database.slow(lambda: _until(release))) for _ in range(4)]
    await asyncio.sleep(0)

    with pytest.raises(StoreUnavailableError):
        await database.slow(lambda: _until(release), within_s=0.01)

    release.set()
    await asyncio.gather(*holders)


async def _until(event: asyncio.Event) -> None:
    await event.wait()
