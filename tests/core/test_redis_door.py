"""What redis-py does with a cancel, and what becomes of it at the door."""

import asyncio

from backend.core.cache import Cache
from backend.core.redis_door import Subscription, translated
from tests.fixtures.clocks import SetClock

# More than the steps of the loop from the PING's first to the wait for its answer.
STEPS = 24


async def _swallow_a_cancel() -> str:
    # As asyncio.wait_for does until Python 3.12, in redis-py too, when its work is done in the same moment.
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "sent"
    return "never"


async def _listen_forever(subscription: Subscription) -> None:
    while True:
        await subscription.next_message(timeout_s=60)


async def test_cancel_that_the_client_has_swallowed_is_raised_all_the_same() -> None:
    asking = asyncio.create_task(translated(_swallow_a_cancel()))
    await asyncio.sleep(0)

    asking.cancel()
    await asyncio.wait({asking})

    assert asking.cancelled()


async def test_clean_up_after_a_cancel_is_answered() -> None:
    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await translated(asyncio.sleep(0, "tidied"))
        return "never"

    working = asyncio.create_task(work())
    await asyncio.sleep(0)

    working.cancel()

    assert await working == "tidied"


async def test_listener_ends_at_whatever_step_of_its_ping_it_is_cancelled(redis_url: str) -> None:
    clock = SetClock()
    cache = Cache(redis_url, clock=clock)
    await cache.connect()

    went_on = []
    for steps in range(STEPS):
        async with cache.subscription() as subscription:
            clock.advance(10)
            listener = asyncio.create_task(_listen_forever(subscription))
            for _ in range(steps):
                await asyncio.sleep(0)
            listener.cancel()
            _, left = await asyncio.wait({listener}, timeout=1)
            if left:
                went_on.append(steps)
                listener.cancel()
                await asyncio.wait(left)
    await cache.close()

    assert went_on == []
