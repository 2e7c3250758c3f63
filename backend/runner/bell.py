"""The bell between servers: one that has work it cannot take, or a slot that others wait for, wakes their sweepers.

A lost ring costs a round of the sweeper (at most 1.2 s), so it is rung once and heard or not.
"""

import asyncio
from collections.abc import Callable

from loguru import logger

from backend.core.cache import Cache
from backend.domain.errors import CacheUnavailableError
from backend.runner.edge import Edge

# A burst of creates rings once in so long: each ring costs every other server a look at MongoDB.
_APART_S = 0.05
_WITHIN_S = 1.0
_RETRY_S = 1.0
_LISTEN_S = 1.0


class WakeBell:
    """One per server. Our own rings are not heard here."""

    def __init__(self, cache: Cache, *, database: str, worker_id: str) -> None:
        self._cache = cache
        self._channel = f"mcp:wake:{database}"
        self._worker_id = worker_id
        self._to_ring = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._on_ring: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Start to listen, and to send what is rung."""
        edge = Edge()
        for name, loop in (("bell-ring", self._ring_forever), ("bell-listen", self._listen_forever)):
            self._loops.append(asyncio.create_task(edge.forever(name, loop), name=name))

    async def stop(self) -> None:
        """Stop; a ring that has not gone out goes now."""
        loops, self._loops = self._loops, []
        for loop in loops:
            loop.cancel()
        if loops:
            await asyncio.wait(loops)
        if self._to_ring.is_set():
            await self._send()

    def when_rung(self, call: Callable[[], None]) -> None:
        """Have `call` called when another server rings."""
        self._on_ring = call

    def ring(self) -> None:
        """Wake the others, soon and once for all rings until then."""
        self._to_ring.set()

    async def _ring_forever(self) -> None:
        while True:
            await self._to_ring.wait()
            await self._send()
            await asyncio.sleep(_APART_S)

    async def _send(self) -> None:
        self._to_ring.clear()
        try:
            async with asyncio.timeout(_WITHIN_S):
                await self._cache.publish(self._channel, self._worker_id)
        except (CacheUnavailableError, TimeoutError):
            logger.debug("Redis does not answer: the others find the work with their next round")

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except CacheUnavailableError:
                await asyncio.sleep(_RETRY_S)

    async def _listen(self) -> None:
        async with self._cache.subscription(self._channel) as subscription:
            while True:
                rung_by = await subscription.next_message(timeout_s=_LISTEN_S)
                if rung_by not in {None, self._worker_id}:
                    self._on_ring()
