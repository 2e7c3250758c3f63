"""The Redis client: the bell. Losing everything in it loses nothing but speed (lifecycle.md).

Keys and channels:
    mcp:cancel:<task_id>   "1", expires; the flag that a cancel was asked for
    mcp:cancel             channel; each message is one task id or several, parted by spaces
    mcp:wake:<database>    channel; each message is the worker id of a server that has work, or a slot, for the others
    mcp:slots:<database>:<platform>   sorted set of the slots taken over all servers (store/slots.py)
"""

from collections.abc import Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from loguru import logger

from backend.core.clock import Clock
from backend.core.redis_door import TIMEOUT_S, RedisDoor, Subscription
from backend.domain.errors import CacheUnavailableError

_CANCEL_CHANNEL = "mcp:cancel"
_FLAG_EXPIRES_S = 3600


class Cache:
    """One Redis (or Valkey, or fakeredis in memory mode). Every failure is a CacheUnavailableError.

    No call takes longer than `timeout_s`, and while Redis keeps callers waiting all but one are refused at once.
    """

    def __init__(self, url: str, *, clock: Clock, timeout_s: float = TIMEOUT_S, is_memory: bool = False) -> None:
        self._door = RedisDoor(url, clock=clock, timeout_s=timeout_s, is_memory=is_memory)
        self._clock = clock
        self.url = url
        self.is_memory = is_memory

    async def connect(self) -> None:
        """Make the client on the running loop and prove that the server answers. Raises CacheUnavailableError."""
        self._door.open()
        try:
            await self.measure()
        except CacheUnavailableError:
            await self.close()
            raise
        logger.success("✅ Redis 连接成功")

    async def close(self) -> None:
        """Close the client and its connections. Safe to call twice."""
        await self._door.close()

    async def measure(self) -> float:
        """Return the latency of one round trip in ms. Raises CacheUnavailableError."""
        start = self._clock.elapsed()
        await self._door.ask(lambda redis: cast("Awaitable[Any]", redis.ping()))
        return (self._clock.elapsed() - start) * 1000

    async def flag_cancel(self, *task_ids: str) -> None:
        """Set the cancel flags of tasks and tell every process, by one pipeline. Raises CacheUnavailableError."""
        await self._door.ask(lambda redis: _flag(redis, task_ids))

    async def cancel_flags(self, task_ids: Sequence[str]) -> set[str]:
        """Return those of `task_ids` whose flag is set: one MGET. Raises CacheUnavailableError."""
        if not task_ids:
            return set()
        keys = [f"{_CANCEL_CHANNEL}:{task_id}" for task_id in task_ids]
        values = await self._door.ask(lambda redis: cast("Awaitable[list[Any]]", redis.mget(keys)))
        return {task_id for task_id, value in zip(task_ids, values, strict=True) if value is not None}

    async def evaluate(self, script: str, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """Run a Lua script, atomic among all that is done, and return its answer. Raises CacheUnavailableError.

        It may be run twice: redis-py repeats it once when the connection was cut.
        """
        return await self._door.ask(lambda redis: redis.eval(script, len(keys), *keys, *map(str, arguments)))

    async def publish(self, channel: str, message: str) -> None:
        """Tell whoever listens on the channel now. Raises CacheUnavailableError."""
        await self._door.ask(lambda redis: redis.publish(channel, message))

    def subscription(self, channel: str = _CANCEL_CHANNEL) -> AbstractAsyncContextManager[Subscription]:
        """Subscribe to cancels (messages of task ids) or another channel; inside it is confirmed.

        Raises CacheUnavailableError.
        """
        return self._door.subscription(channel)


async def _flag(redis: Any, task_ids: Sequence[str]) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        for task_id in task_ids:
            pipe.set(f"{_CANCEL_CHANNEL}:{task_id}", "1", ex=_FLAG_EXPIRES_S)
        pipe.publish(_CANCEL_CHANNEL, " ".join(task_ids))
        await pipe.execute()
