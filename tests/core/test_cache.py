from backend.core.cache import Cache


async def test_flag_reaches_a_confirmed_subscription(cache: Cache) -> None:
    async with cache.subscription() as subscription:
        await cache.flag_cancel("t_1")

        heard = await subscription.next_message(timeout_s=5)

    assert heard == "t_1"


async def test_flags_of_many_tasks_are_read_at_once(cache: Cache) -> None:
    await cache.flag_cancel("t_a")

    assert await cache.cancel_flags(["t_a", "t_b"]) == {"t_a"}
