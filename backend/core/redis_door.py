"""The one way to Redis: every wait is bounded, and after one that was in vain nobody else waits for a while.

redis-py is never cancelled from outside. A cancel between two replies of a connection's greeting would leave a
connection in its pool that answers the next caller with the reply to the last one; so a caller who waits no longer
leaves the command to end by itself, which the socket's own timeouts see to.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

from loguru import logger
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from backend.core.clock import Clock
from backend.domain.errors import CacheUnavailableError

T = TypeVar("T")

# A command takes a millisecond, with `appendfsync always` on a busy disk some hundred; and so long a caller waits.
# Enough for a new connection and an answer over a link of 0.4 s there and back.
TIMEOUT_S = 1.0
_SHUT_S = 1.0
_IDLE_S = 30.0
# Of a subscription that hears nothing: when it asks whether anybody is there, and how long it waits for a word.
_ASK_AFTER_S = 1.5
_WORD_WITHIN_S = 1.5


class Subscription:
    """A confirmed subscription to one channel."""

    def __init__(self, pubsub: PubSub, clock: Clock, *, can_ask: bool) -> None:
        self._pubsub = pubsub
        self._clock = clock
        self._can_ask = can_ask
        self._heard_at = clock.elapsed()
        self._asked_at = math.inf

    async def next_message(self, *, timeout_s: float) -> Any | None:
        """Return the next message, or None after `timeout_s`; to be called again and again.

        Raises CacheUnavailableError, within some three seconds too when the network swallows everything.
        """
        now = self._clock.elapsed()
        if self._can_ask and now - self._heard_at > _ASK_AFTER_S and self._asked_at == math.inf:
            self._asked_at = now
            await translated(self._pubsub.ping())
        message = await translated(self._pubsub.get_message(ignore_subscribe_messages=True, timeout=timeout_s))
        now = self._clock.elapsed()
        if message is None:
            if now - self._asked_at > _WORD_WITHIN_S:
                raise CacheUnavailableError("silent")
            return None
        self._heard_at, self._asked_at = now, math.inf
        return None if message["type"] == "pong" else message["data"]


class RedisDoor:
    """One Redis (or Valkey, or fakeredis in memory mode). Every failure is a CacheUnavailableError."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        timeout_s: float = TIMEOUT_S,
        is_memory: bool = False,
        decodes: bool = True,
    ) -> None:
        self._url = url
        self._clock = clock
        self._timeout_s = timeout_s
        self._is_memory = is_memory
        self._decodes = decodes
        self._client: Redis | None = None
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._shut_until = -math.inf
        self._is_doubtful = False
        self._dropped_at = clock.elapsed()

    def open(self) -> Redis:
        """Make the client on the running loop; it connects when it is used.

        Raises CacheUnavailableError for a URL that is none.
        """
        try:
            self._client = self._new_client()
        except ValueError as error:
            raise CacheUnavailableError("no such URL") from error
        return self._client

    async def close(self) -> None:
        """Cut what is still asked, and close the client with its connections. Safe to call twice."""
        client, self._client = self._client, None
        for work in self._in_flight:
            work.cancel()
        if self._in_flight:
            await asyncio.wait(set(self._in_flight))
        if client is not None:
            await client.aclose()

    async def ask(self, ask: Callable[[Redis], Awaitable[T]]) -> T:
        """Return what Redis answers to `ask`, in time; a caller who is cancelled leaves the command to its end.

        Raises CacheUnavailableError: after the time, and at once while the last one to ask had waited in vain.
        """
        client = self._live()
        if self._clock.elapsed() < self._shut_until:
            raise CacheUnavailableError("did not answer a moment ago")
        if self._is_doubtful:
            # One goes to see; the others do not wait with it.
            self._shut_until = self._clock.elapsed() + self._timeout_s
        await self._drop_idle_now_and_then(client)
        work = asyncio.create_task(_asked(ask, client), name="redis")
        self._in_flight.add(work)
        work.add_done_callback(self._forget)
        await asyncio.wait({work}, timeout=self._timeout_s)
        if not work.done() or _is_timeout(work):
            await self._shut(client)
        if not work.done():
            raise CacheUnavailableError("no answer in time")
        answer = await translated(work)
        self._unshut()
        return answer

    @asynccontextmanager
    async def subscription(self, channel: str) -> AsyncIterator[Subscription]:
        """Subscribe to a channel; inside, the server has confirmed it. Raises CacheUnavailableError.

        It has a connection of its own and asks whether or not the last one waited in vain.
        """
        pubsub = self._live().pubsub()
        try:
            await translated(pubsub.subscribe(channel))
            if await translated(pubsub.get_message(timeout=self._timeout_s)) is None:
                raise CacheUnavailableError("no answer in time")
            self._unshut()
            yield Subscription(pubsub, self._clock, can_ask=not self._is_memory)
        finally:
            await _close_quietly(pubsub)

    def _live(self) -> Redis:
        if self._client is None:
            raise CacheUnavailableError("not connected")
        return self._client

    async def _shut(self, client: Redis) -> None:
        """Let nobody wait for a while, and drop idle connections: they went the way of this one."""
        self._is_doubtful = True
        self._shut_until = self._clock.elapsed() + _SHUT_S
        await self._drop_idle(client)

    async def _drop_idle_now_and_then(self, client: Redis) -> None:
        # redis-py keeps as many connections as were ever needed at once. A new one costs one way there and back.
        if self._clock.elapsed() - self._dropped_at > _IDLE_S:
            await self._drop_idle(client)

    async def _drop_idle(self, client: Redis) -> None:
        self._dropped_at = self._clock.elapsed()
        if not self._is_memory:
            try:
                await client.connection_pool.disconnect(inuse_connections=False)
            except (RedisError, OSError) as error:
                logger.debug("dropping idle connections failed: {}", type(error).__name__)

    def _unshut(self) -> None:
        self._is_doubtful = False
        self._shut_until = -math.inf

    def _forget(self, work: "asyncio.Task[Any]") -> None:
        self._in_flight.discard(work)
        # A command whose caller has gone has nobody to read its error: read it, so that no warning is logged.
        if not work.cancelled():
            work.exception()

    def _new_client(self) -> Redis:
        if self._is_memory:
            from fakeredis import FakeAsyncRedis, FakeServer  # noqa: PLC0415 - an extra, only in memory mode

            return cast("Redis", FakeAsyncRedis(server=FakeServer(), decode_responses=self._decodes))
        return Redis.from_url(
            self._url,
            decode_responses=self._decodes,
            # With version 3 redis-py 8.1 takes the PONG of a subscription for a message and drops it.
            protocol=2,
            # It would tell its name and version first: one more way there and back for each connection.
            driver_info=None,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            # A question before the question: an idle connection that is dead costs its caller as long either way.
            health_check_interval=0,
            # All we send may be repeated: once at once on a new connection, where the old one was cut; never a wait.
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )


async def translated(operation: Awaitable[T]) -> T:
    """Return its result. Raises CacheUnavailableError for everything that Redis or the way to it fails with."""
    try:
        return await _with_its_cancel(operation)
    except (RedisError, OSError, TimeoutError) as error:
        raise CacheUnavailableError(type(error).__name__) from error


async def _with_its_cancel(operation: Awaitable[T]) -> T:
    """Return its result; a cancel that came meanwhile, and that it has kept to itself, is raised instead.

    redis-py sends with asyncio.wait_for, which until Python 3.12 forgets a cancel in whose moment its work was done.
    """
    task = asyncio.current_task()
    cancels = task.cancelling() if task is not None else 0
    try:
        return await operation
    finally:
        if task is not None and task.cancelling() > cancels:
            raise asyncio.CancelledError


async def _asked(ask: Callable[[Redis], Awaitable[T]], client: Redis) -> T:
    return await ask(client)


def _is_timeout(work: "asyncio.Task[Any]") -> bool:
    """Whether it waited in vain: a refused or a cut connection says so at once, and costs the next caller nothing."""
    error = None if work.cancelled() else work.exception()
    is_answer = isinstance(error, ResponseError | RedisConnectionError | ConnectionError)
    return isinstance(error, RedisError | OSError) and not is_answer


async def _close_quietly(pubsub: PubSub) -> None:
    try:
        await asyncio.shield(pubsub.aclose())  # type: ignore[no-untyped-call]
    except (RedisError, OSError) as error:
        logger.debug("closing a subscription failed: {}", type(error).__name__)
