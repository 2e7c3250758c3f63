"""How long anybody waits for a Redis that is refused, frozen or swallowed, and that all goes on afterwards."""

import asyncio
import time
from collections.abc import Iterator

import pytest
import tornado.ioloop

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.redis_door import Subscription
from backend.domain.errors import CacheUnavailableError
from tests.fixtures.clocks import SetClock
from tests.fixtures.fault_proxy import FaultProxy, Way
from tests.fixtures.server import wait_until

_TIMEOUT_S = 0.8
# What a machine that is busy adds.
_MARGIN_S = 0.4
_DOWN: frozenset[Way] = frozenset({"down"})


@pytest.fixture
def proxy(redis_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(redis_url.removeprefix("unix://")) as made:
        yield made


@pytest.fixture
def remote(proxy: FaultProxy, clock: Clock, io_loop: tornado.ioloop.IOLoop) -> Iterator[Cache]:
    """A cache behind the proxy."""
    made = Cache(f"redis://127.0.0.1:{proxy.port}", clock=clock, timeout_s=_TIMEOUT_S)
    io_loop.run_sync(made.connect)
    yield made
    io_loop.run_sync(made.close)


async def _waited_in_vain_s(cache: Cache) -> float:
    begun = time.monotonic()
    with pytest.raises(CacheUnavailableError):
        await cache.flag_cancel("t_1")
    return time.monotonic() - begun


async def _until_back(cache: Cache) -> None:
    while True:
        try:
            await cache.measure()
        except CacheUnavailableError:
            await asyncio.sleep(0.01)
        else:
            return


async def _listen_forever(subscription: Subscription) -> None:
    while True:
        await subscription.next_message(timeout_s=0.5)


async def test_frozen_redis_keeps_one_caller_waiting_and_the_next_not_at_all(remote: Cache, proxy: FaultProxy) -> None:
    proxy.behave(is_silent=True)

    first_s = await _waited_in_vain_s(remote)
    second_s = await _waited_in_vain_s(remote)

    assert first_s < _TIMEOUT_S + _MARGIN_S
    assert second_s < 0.2


async def test_callers_are_answered_again_when_redis_is_back(remote: Cache, proxy: FaultProxy) -> None:
    proxy.behave(frozen=_DOWN)
    await _waited_in_vain_s(remote)

    proxy.behave()
    await _until_back(remote)

    await remote.flag_cancel("t_back")
    assert await remote.cancel_flags(["t_back", "t_other"]) == {"t_back"}


async def test_connections_that_a_firewall_forgot_are_not_tried_one_after_the_other(
    remote: Cache, proxy: FaultProxy
) -> None:
    await asyncio.gather(*(remote.measure() for _ in range(8)))
    proxy.behave(is_silent=True)
    await _waited_in_vain_s(remote)
    begun = time.monotonic()

    proxy.behave()
    await _until_back(remote)

    # One look in vain at most: of eight dead connections each would have cost one.
    assert time.monotonic() - begun < 4.0
    assert len(await asyncio.gather(*(remote.measure() for _ in range(8)))) == 8


async def test_connections_of_a_burst_are_closed_after_a_while(proxy: FaultProxy) -> None:
    clock = SetClock()
    cache = Cache(f"redis://127.0.0.1:{proxy.port}", clock=clock)
    await cache.connect()
    await asyncio.gather(*(cache.measure() for _ in range(8)))
    burst = proxy.open_connections

    clock.advance(60)
    await cache.measure()

    await asyncio.to_thread(wait_until, lambda: proxy.open_connections == 1)
    assert burst == 8
    await cache.close()


async def test_cut_connection_costs_no_call(remote: Cache, proxy: FaultProxy) -> None:
    await remote.flag_cancel("t_cut")
    proxy.cut()

    assert await remote.cancel_flags(["t_cut"]) == {"t_cut"}


async def test_caller_who_waits_no_longer_spoils_no_connection(remote: Cache, proxy: FaultProxy) -> None:
    await remote.flag_cancel("t_mine")
    proxy.cut()
    proxy.behave(latency_s=0.02)

    async def impatient(after_s: float) -> None:
        async with asyncio.timeout(after_s):
            await remote.cancel_flags(["t_mine"])

    await asyncio.gather(*(impatient(0.02 * step) for step in range(10)), return_exceptions=True)
    proxy.behave()

    answers = await asyncio.gather(*(remote.cancel_flags(["t_mine", "t_other"]) for _ in range(10)))
    assert answers == [{"t_mine"}] * 10


async def test_subscription_notices_that_the_network_swallows_everything(remote: Cache, proxy: FaultProxy) -> None:
    async with remote.subscription() as subscription:
        proxy.behave(is_silent=True)
        begun = time.monotonic()

        with pytest.raises(CacheUnavailableError):
            await _listen_forever(subscription)

    assert time.monotonic() - begun < 5.0


async def test_quiet_subscription_stays(remote: Cache) -> None:
    async with remote.subscription() as subscription:
        for _ in range(8):
            assert await subscription.next_message(timeout_s=0.5) is None
        await remote.flag_cancel("t_late")

        assert await subscription.next_message(timeout_s=5) == "t_late"


async def test_subscription_to_a_silent_redis_is_given_up(remote: Cache, proxy: FaultProxy) -> None:
    proxy.behave(is_silent=True)
    begun = time.monotonic()

    with pytest.raises(CacheUnavailableError):
        async with remote.subscription():
            pass

    assert time.monotonic() - begun < 4 * _TIMEOUT_S + _MARGIN_S


async def test_closing_does_not_wait_for_a_frozen_redis(remote: Cache, proxy: FaultProxy) -> None:
    proxy.behave(is_silent=True)
    asking = asyncio.ensure_future(remote.flag_cancel("t_1"))
    await asyncio.sleep(0)
    begun = time.monotonic()

    await remote.close()

    assert time.monotonic() - begun < _MARGIN_S
    await asyncio.gather(asking, return_exceptions=True)
