"""The Redis client: the bell. Losing everything in it loses nothing but speed (lifecycle.md).

Keys and channels:
    mcp:cancel:<task_id>   "1", expires; the flag that a cancel was asked for
    mcp:cancel             channel; each message is one task id or several, parted by spaces
    mcp:wake:<database>    channel; each message is the worker id of a server that has work, or a slot, for the others
    mcp:slots:<database>:<platform>   sorted set of the slots taken over all servers (store/slots.py)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from loguru import logger
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from backend.core.clock import Clock
from backend.domain.errors import CacheUnavailableError

T = TypeVar("T")

_CANCEL_CHANNEL = "mcp:cancel"
_FLAG_EXPIRES_S = 3600
_HEALTH_CHECK_S = 5


class Subscription:
    """A confirmed subscription to one channel."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub

    async def next_message(self, *, timeout_s: float) -> str | None:
        """Return the next message (of cancels: task ids), or None after `timeout_s`. Raises CacheUnavailableError."""
        message = await _translated(self._pubsub.get_message(ignore_subscribe_messages=True, timeout=timeout_s))
        return None if message is None else cast("str", message["data"])


class Cache:
    """One Redis (or Valkey, or fakeredis in memory mode). Every failure is a CacheUnavailableError."""

    def __init__(self, url: str, *, clock: Clock, timeout_s: float = 3.0, is_memory: bool = False) -> None:
        self._url = url
        self._clock = clock
        self._timeout_s = timeout_s
        self.is_memory = is_memory
        self._client: Redis | None = None

    async def connect(self) -> None:
        """Make the client on the running loop and prove that the server answers. Raises CacheUnavailableError."""
        try:
            self._client = self._new_client()
        except ValueError as error:
            raise CacheUnavailableError("no such URL") from error
        try:
            await self.measure()
        except CacheUnavailableError:
            await self.close()
            raise
        logger.success("✅ Redis 连接成功")

    async def close(self) -> None:
        """Close the client and its connections. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def measure(self) -> float:
        """Return the latency of one round trip in ms. Raises CacheUnavailableError."""
        start = self._clock.elapsed()
        await _translated(cast("Awaitable[Any]", self._live().ping()))
        return (self._clock.elapsed() - start) * 1000

    async def flag_cancel(self, *task_ids: str) -> None:
        """Set the cancel flags of tasks and tell every process, by one pipeline. Raises CacheUnavailableError."""
        async with self._live().pipeline(transaction=False) as pipe:
            for task_id in task_ids:
                pipe.set(f"{_CANCEL_CHANNEL}:{task_id}", "1", ex=_FLAG_EXPIRES_S)
            pipe.publish(_CANCEL_CHANNEL, " ".join(task_ids))
            await _translated(pipe.execute())

    async def cancel_flags(self, task_ids: Sequence[str]) -> set[str]:
        """Return those of `task_ids` whose flag is set: one MGET. Raises CacheUnavailableError."""
        if not task_ids:
            return set()
        keys = [f"{_CANCEL_CHANNEL}:{task_id}" for task_id in task_ids]
        values = await _translated(cast("Awaitable[list[Any]]", self._live().mget(keys)))
        return {task_id for task_id, value in zip(task_ids, values, strict=True) if value is not None}

    async def evaluate(self, script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """Run a Lua script, atomic among all that is done, and return its answer. Raises CacheUnavailableError."""
        return await _translated(self._live().eval(script, len(keys), *keys, *map(str, arguments)))

    async def publish(self, channel: str, message: str) -> None:
        """Tell whoever listens on the channel now. Raises CacheUnavailableError."""
        await _translated(self._live().publish(channel, message))

    @asynccontextmanager
    async def subscription(self, channel: str = _CANCEL_CHANNEL) -> AsyncIterator[Subscription]:
        """Subscribe to cancels or another channel; inside it is confirmed. Raises CacheUnavailableError."""
        pubsub = self._live().pubsub()
        try:
            await _translated(pubsub.subscribe(channel))
            confirmed = None
            while confirmed is None:
                confirmed = await _translated(pubsub.get_message(timeout=self._timeout_s))
            yield Subscription(pubsub)
        finally:
            await _close_quietly(pubsub)

    def _live(self) -> Redis:
        if self._client is None:
            raise CacheUnavailableError("not connected")
        return self._client

    def _new_client(self) -> Redis:
        if self.is_memory:
            from fakeredis import FakeAsyncRedis  # noqa: PLC0415 - an extra, only in memory mode

            return cast("Redis", FakeAsyncRedis(decode_responses=True))
        return Redis.from_url(
            self._url,
            decode_responses=True,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            health_check_interval=_HEALTH_CHECK_S,
            # redis-py retries by itself unless told not to; a bell that does not ring is reported at once.
            retry=Retry(NoBackoff(), 0),
        )


async def _translated(operation: Awaitable[T]) -> T:
    try:
        return await operation
    except (RedisError, OSError, TimeoutError) as error:
        raise CacheUnavailableError(type(error).__name__) from error


async def _close_quietly(pubsub: PubSub) -> None:
    try:
        await asyncio.shield(pubsub.aclose())  # type: ignore[no-untyped-call]
    except (RedisError, OSError) as error:
        logger.debug("closing a subscription failed: {}", type(error).__name__)
