import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.runner.bell import WakeBell


class Ear:
    """Counts what was heard."""

    def __init__(self) -> None:
        self.count = 0
        self.heard = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self.heard.set()


@asynccontextmanager
async def bells(cache: Cache) -> AsyncIterator[tuple[WakeBell, WakeBell, Ear, Ear]]:
    """Two servers' bells, both known to listen, and what they hear."""
    name = uuid.uuid4().hex[:12]
    here, there = (WakeBell(cache, database=name, worker_id=worker) for worker in ("w-1", "w-2"))
    ears = Ear(), Ear()
    for bell, ear in zip((here, there), ears, strict=True):
        bell.when_rung(ear)
        await bell.start()
    # Nobody tells that a subscription stands but a ring that is heard.
    for ringer, ear in ((there, ears[0]), (here, ears[1])):
        async with asyncio.timeout(5):
            while not ear.heard.is_set():
                ringer.ring()
                await asyncio.sleep(0.01)
    for ear in ears:
        await asyncio.sleep(0.15)
        ear.count = 0
        ear.heard.clear()
    yield here, there, *ears
    await here.stop()
    await there.stop()


async def test_ring_is_heard_by_the_other_server_and_not_by_our_own(cache: Cache) -> None:
    async with bells(cache) as (here, _, at_home, abroad):
        here.ring()
        await asyncio.wait_for(abroad.heard.wait(), 5)

        assert at_home.count == 0


async def test_burst_of_rings_is_few_rings(cache: Cache) -> None:
    async with bells(cache) as (here, _, _, abroad):
        for _ in range(1_000):
            here.ring()
            await asyncio.sleep(0)
        await asyncio.wait_for(abroad.heard.wait(), 5)

        assert abroad.count <= 3


async def test_last_ring_goes_out_before_the_bell_is_gone(cache: Cache) -> None:
    async with bells(cache) as (here, _, _, abroad):
        here.ring()
        await here.stop()

        await asyncio.wait_for(abroad.heard.wait(), 5)


async def test_bell_without_redis_rings_for_nobody_and_fails_nobody(clock: Clock) -> None:
    bell = WakeBell(Cache("", clock=clock), database="x", worker_id="w-1")
    await bell.start()

    bell.ring()
    await asyncio.sleep(0)

    await bell.stop()
