"""The faults: how each begins and how it is undone."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from bench.outage.stores import FaultyStores, end, signal_to

SLOW_S = 0.3
# There and back.
_EACH_WAY_S = SLOW_S / 2

Step = Callable[[FaultyStores], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one store. `is_total`: nothing at all can be stored or read while it lasts.

    `is_partial`: only the first server is cut off, and another one goes on.
    """

    name: str
    store: Literal["mongo", "redis", "none"]
    begin: Step
    undo: Step
    is_total: bool = True
    is_partial: bool = False

    @property
    def tells_resync(self) -> bool:
        """Whether readers of the stream must be told to read anew: something may have been lost on the way."""
        return self.store == "redis" and self.name != "redis_slow"


async def _nothing(stores: FaultyStores) -> None:
    del stores
    await asyncio.sleep(0)


def _ending(store: Literal["mongo", "valkey"], number: int) -> Step:
    async def begin(stores: FaultyStores) -> None:
        await end(getattr(stores, store), number)

    return begin


def _again(store: Literal["mongo", "valkey"]) -> Step:
    async def undo(stores: FaultyStores) -> None:
        await getattr(stores, store).ensure_running()

    return undo


def _signalled(store: Literal["mongo", "valkey"], number: int) -> Step:
    async def step(stores: FaultyStores) -> None:
        await asyncio.sleep(0)
        signal_to(getattr(stores, store), number)

    return step


def _silent(proxy: Literal["mongo_proxy", "redis_proxy"]) -> Step:
    async def begin(stores: FaultyStores) -> None:
        await asyncio.to_thread(getattr(stores, proxy).behave, is_silent=True)

    return begin


def _slow(proxy: Literal["mongo_proxy", "redis_proxy"]) -> Step:
    async def begin(stores: FaultyStores) -> None:
        behave = getattr(stores, proxy).behave
        await asyncio.to_thread(behave, latency_s=_EACH_WAY_S, jitter_s=_EACH_WAY_S / 5)

    return begin


def _faultless(proxy: Literal["mongo_proxy", "redis_proxy"]) -> Step:
    async def undo(stores: FaultyStores) -> None:
        await asyncio.to_thread(getattr(stores, proxy).behave)

    return undo


async def _flush(stores: FaultyStores) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stores.redis_proxy.port)
    writer.write(b"FLUSHALL\r\n")
    await writer.drain()
    await reader.readline()
    writer.close()
    await writer.wait_closed()


async def _restart_valkey(stores: FaultyStores) -> None:
    await end(stores.valkey, signal.SIGTERM)
    await stores.valkey.ensure_running()


async def _restart_mongo(stores: FaultyStores) -> None:
    await end(stores.mongo, signal.SIGTERM)
    await stores.mongo.ensure_running()


FAULTS = (
    Fault("none", "none", _nothing, _nothing, is_total=False),
    Fault("mongo_stopped", "mongo", _ending("mongo", signal.SIGTERM), _again("mongo")),
    Fault("mongo_killed", "mongo", _ending("mongo", signal.SIGKILL), _again("mongo")),
    Fault("mongo_frozen", "mongo", _signalled("mongo", signal.SIGSTOP), _signalled("mongo", signal.SIGCONT)),
    Fault("mongo_half_open", "mongo", _silent("mongo_proxy"), _faultless("mongo_proxy"), is_partial=True),
    Fault("mongo_slow", "mongo", _slow("mongo_proxy"), _faultless("mongo_proxy"), is_total=False, is_partial=True),
    Fault("mongo_restarted", "mongo", _restart_mongo, _nothing, is_total=False),
    Fault("redis_stopped", "redis", _ending("valkey", signal.SIGTERM), _again("valkey")),
    Fault("redis_killed", "redis", _ending("valkey", signal.SIGKILL), _again("valkey")),
    Fault("redis_frozen", "redis", _signalled("valkey", signal.SIGSTOP), _signalled("valkey", signal.SIGCONT)),
    Fault("redis_half_open", "redis", _silent("redis_proxy"), _faultless("redis_proxy")),
    Fault("redis_slow", "redis", _slow("redis_proxy"), _faultless("redis_proxy"), is_total=False),
    Fault("redis_flushed", "redis", _flush, _nothing, is_total=False),
    Fault("redis_restarted", "redis", _restart_valkey, _nothing, is_total=False),
)
