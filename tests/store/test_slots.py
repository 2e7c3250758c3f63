import asyncio
import uuid

import pytest

from backend.core.cache import Cache
from backend.store.slots import SlotBoard


@pytest.fixture
def name() -> str:
    return f"test_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def board(cache: Cache, name: str) -> SlotBoard:
    return SlotBoard(cache, database=name, lease_s=30)


async def test_no_more_slots_are_taken_than_the_cap_however_many_ask_at_once(board: SlotBoard) -> None:
    taken = await asyncio.gather(*(board.take("video", f"t_{n}", cap=3) for n in range(20)))

    assert sum(taken) == 3


async def test_taker_that_asks_again_has_its_slot_already(board: SlotBoard) -> None:
    await board.take("video", "t_1", cap=1)

    assert await board.take("video", "t_1", cap=1)
    assert not await board.take("video", "t_2", cap=1)


async def test_platforms_have_slots_of_their_own(board: SlotBoard) -> None:
    await board.take("video", "t_1", cap=1)

    assert await board.take("music", "t_2", cap=1)


async def test_databases_have_slots_of_their_own(board: SlotBoard, cache: Cache) -> None:
    await board.take("video", "t_1", cap=1)

    other = SlotBoard(cache, database=f"test_{uuid.uuid4().hex[:12]}", lease_s=30)
    assert await other.take("video", "t_1", cap=1)


async def test_slot_given_back_is_free_at_once_and_only_that_one(board: SlotBoard) -> None:
    for taker in ("t_1", "t_2"):
        await board.take("video", taker, cap=2)

    for _ in range(2):
        await board.give_back("video", ["t_1"])

    assert await board.take("video", "t_3", cap=2)
    assert not await board.take("video", "t_4", cap=2)


async def test_slot_that_nobody_prolongs_comes_back_with_the_lease(cache: Cache, name: str) -> None:
    short = SlotBoard(cache, database=name, lease_s=0.05)
    await short.take("video", "t_killed", cap=1)

    async with asyncio.timeout(5):
        while not await short.take("video", "t_2", cap=1):  # noqa: ASYNC110 - slots fall out unheard
            await asyncio.sleep(0.01)


async def test_prolonged_slot_outlives_its_first_lease(cache: Cache, name: str, board: SlotBoard) -> None:
    short = SlotBoard(cache, database=name, lease_s=0.05)
    await short.take("video", "t_1", cap=2)
    await short.take("video", "t_left", cap=2)

    await board.prolong("video", ["t_1"])
    async with asyncio.timeout(5):
        while not await board.take("video", "t_2", cap=2):  # noqa: ASYNC110 - slots fall out unheard
            await asyncio.sleep(0.01)

    assert not await board.take("video", "t_3", cap=2)


async def test_slots_that_redis_forgot_are_there_again_when_prolonged(board: SlotBoard) -> None:
    await board.prolong("video", [f"t_{n}" for n in range(2_500)])

    assert not await board.take("video", "t_x", cap=2_500)
    assert await board.take("video", "t_x", cap=2_501)
