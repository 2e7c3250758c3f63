"""Writes of many documents take turns, so that a cancel's small ones find the loop and the driver's threads free."""

import asyncio

import pytest

from backend.core.clock import Clock
from backend.core.database import Database, first_in_line
from backend.domain.errors import StoreUnavailableError

_AT_ONCE = 4


class Turns:
    """Counts what is inside at once; all leave together."""

    def __init__(self) -> None:
        self.inside = 0
        self.released = asyncio.Event()

    async def take(self) -> None:
        """Stay until the release."""
        self.inside += 1
        await self.released.wait()


async def test_batches_beyond_four_wait_for_their_turn(database: Database) -> None:
    turns = Turns()

    batches = [asyncio.create_task(database.batch(turns.take)) for _ in range(2 * _AT_ONCE)]
    await _settled()

    assert turns.inside == _AT_ONCE
    turns.released.set()
    await asyncio.gather(*batches)
    assert turns.inside == 2 * _AT_ONCE


async def test_batch_of_an_end_that_somebody_waits_for_does_not_wait(database: Database) -> None:
    turns = Turns()
    batches = [asyncio.create_task(database.batch(turns.take)) for _ in range(2 * _AT_ONCE)]
    await _settled()

    with first_in_line():
        batches.append(asyncio.create_task(database.batch(turns.take)))
    await _settled()

    assert turns.inside == _AT_ONCE + 1
    turns.released.set()
    await asyncio.gather(*batches)


async def test_batch_cancelled_while_it_waits_is_never_begun(database: Database) -> None:
    turns = Turns()
    batches = [asyncio.create_task(database.batch(turns.take)) for _ in range(_AT_ONCE)]
    late = asyncio.create_task(database.batch(turns.take))
    await _settled()

    late.cancel()
    await asyncio.wait({late})

    turns.released.set()
    await asyncio.gather(*batches)
    assert (late.cancelled(), turns.inside) == (True, _AT_ONCE)


async def test_batch_whose_turn_does_not_come_says_that_the_store_is_away(mongo_url: str, clock: Clock) -> None:
    database = Database(mongo_url, "test_batch", clock=clock, timeout_s=0.1)
    await database.connect()
    turns = Turns()
    batches = [asyncio.create_task(database.batch(turns.take)) for _ in range(_AT_ONCE)]
    await _settled()

    with pytest.raises(StoreUnavailableError):
        await database.batch(turns.take)

    turns.released.set()
    await asyncio.gather(*batches, return_exceptions=True)
    await database.close()


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
