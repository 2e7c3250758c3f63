r"""The log of changes in Redis, and the channel that tells every process of them at once (lifecycle.md §7).

One script adds and tells, so what is told comes in the order of the log, and everything, kept or not, through one
channel. It refuses a change whose version is not above the subject's last one: two processes would otherwise publish
7 before 6 (measured on a prototype), and a page would show "running" for ever.

Keys and channels, all beginning with `mcp:events:<database>`:
    (itself)           stream, the last `KEPT` changes; ids are `n-ms`, n counts from 1 without gaps within an epoch
    :state             hash {epoch, n, last}; the epoch is random, gone with a flush, and made anew by who comes next
    :of:<subject>      hash {version, fence, final} of the last change; expires
    :watched           "1" while somebody follows the channel's passing frames; expires
    :now               channel: `s EPOCH ID SUBJECT\nPAYLOAD` a change, `f EPOCH - SUBJECT\nPAYLOAD` a passing frame,
                       `e EPOCH` a new epoch
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from loguru import logger
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline, PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from backend.domain.errors import CacheUnavailableError

T = TypeVar("T")

KEPT = 5_000
_WATCHED_S = 5
_KEPT_S = 86_400
_FINAL_KEPT_S = 3_600

_BEGIN = """
local state, stream, base = KEYS[1], KEYS[2], KEYS[2]
local channel = base .. ':now'
local epoch = redis.call('HGET', state, 'epoch')
local function begin()
  epoch = ARGV[1]
  redis.call('DEL', stream)
  redis.call('DEL', state)
  redis.call('HSET', state, 'epoch', epoch, 'n', '0', 'last', '0-0')
  redis.call('PUBLISH', channel, 'e ' .. epoch)
end
if not epoch then begin() end
"""
_RENEW = f"{_BEGIN} if epoch ~= ARGV[1] then begin() end"
_LOOK = f"{_BEGIN} return {{epoch, redis.call('HGET', state, 'last')}}"
# A change for good may have the version that was announced before it: pulling a word of `after` raises none.
_ADD = f"""{_BEGIN}
local time = redis.call('TIME')
local ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local taken = {{}}
for i = 5, #ARGV, 6 do
  local kind, subject, final, payload = ARGV[i], ARGV[i + 1], ARGV[i + 4], ARGV[i + 5]
  local version, fence = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local key = base .. ':of:' .. subject
  local seen = redis.call('HMGET', key, 'version', 'fence', 'final')
  local last, owner = tonumber(seen[1] or '-1'), tonumber(seen[2] or '-1')
  local take = seen[3] ~= '1' and fence >= owner
  if kind == 's' then
    take = take and (version > last or (final == '1' and version == last))
  else
    take = take and (version < 0 or version >= last)
  end
  if take and kind == 's' then
    local id = string.format('%.0f', redis.call('HINCRBY', state, 'n', 1)) .. '-' .. ms
    redis.call('XADD', stream, 'MAXLEN', '~', ARGV[2], id, 's', subject, 'p', payload)
    redis.call('HSET', state, 'last', id)
    redis.call('HSET', key, 'version', ARGV[i + 2], 'fence', ARGV[i + 3], 'final', final)
    redis.call('EXPIRE', key, final == '1' and ARGV[4] or ARGV[3])
    redis.call('PUBLISH', channel, 's ' .. epoch .. ' ' .. id .. ' ' .. subject .. '\\n' .. payload)
  elseif take then
    redis.call('PUBLISH', channel, 'f ' .. epoch .. ' - ' .. subject .. '\\n' .. payload)
  end
  taken[#taken + 1] = take and 1 or 0
end
return taken
"""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: the number of a change, and the time it was added in ms, which tells two of one number."""

    n: int = 0
    at_ms: int = 0

    def __str__(self) -> str:
        return f"{self.n}-{self.at_ms}"

    @classmethod
    def read(cls, text: str) -> "Position":
        """Return the position that `str` made. Raises ValueError."""
        n, _, at_ms = text.partition("-")
        if not (n.isascii() and n.isdigit() and at_ms.isascii() and at_ms.isdigit() and len(text) < 40):  # noqa: PLR2004
            raise ValueError("no position")
        return cls(int(n), int(at_ms))


@dataclass(frozen=True, slots=True)
class Addition:
    """What is to be added. A change is kept and replayed; a passing frame (`is_kept` false) is only told.

    `version` -1 is for frames that have none.
    """

    subject: str
    version: int
    fence: int
    payload: bytes
    is_kept: bool = True
    is_final: bool = False

    def arguments(self) -> tuple[bytes | str | int, ...]:
        """Return what the script reads."""
        kind = "s" if self.is_kept else "f"
        return (kind, self.subject, self.version, self.fence, "1" if self.is_final else "0", self.payload)


@dataclass(frozen=True, slots=True)
class Told:
    """What came: `position` is None for a passing frame, `subject` is empty for a new epoch."""

    epoch: str
    subject: str = ""
    position: Position | None = None
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of the log: where it ends, and the changes up to there, oldest first."""

    epoch: str
    last: Position
    changes: tuple[Told, ...] = ()


class EventSubscription:
    """A confirmed subscription to the channel."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub

    async def next(self, *, timeout_s: float) -> Told | None:
        """Return what comes next, or None after `timeout_s`. Raises CacheUnavailableError."""
        message = await _translated(self._pubsub.get_message(ignore_subscribe_messages=True, timeout=timeout_s))
        return None if message is None else _told(cast("bytes", message["data"]))


class EventLog:
    """The log of one database. Every failure is a CacheUnavailableError. In memory mode fakeredis runs the scripts."""

    def __init__(
        self, url: str, *, name: str, timeout_s: float = 3.0, is_memory: bool = False, kept: int = KEPT
    ) -> None:
        self._url = url
        self._kept = kept
        self._base = f"mcp:events:{name}"
        self._timeout_s = timeout_s
        self._is_memory = is_memory
        self._client: Redis | None = None

    async def open(self) -> None:
        """Make the client on the running loop; it connects when it is used."""
        self._client = self._new_client()
        self._add = self._client.register_script(_ADD)
        self._look = self._client.register_script(_LOOK)
        self._renew = self._client.register_script(_RENEW)

    async def close(self) -> None:
        """Close the client and its connections. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def add(self, additions: Sequence[Addition]) -> list[bool]:
        """Add and tell, in this order; say of each whether it was taken. Raises CacheUnavailableError."""
        given: list[bytes | str | int] = [secrets.token_hex(6), self._kept, _KEPT_S, _FINAL_KEPT_S]
        for one in additions:
            given.extend(one.arguments())
        taken = await self._run(self._add, given)
        return [bool(one) for one in taken]

    async def renew(self) -> None:
        """Begin a new epoch: something was lost, and every cursor from before is void. Raises CacheUnavailableError."""
        await self._run(self._renew, [secrets.token_hex(6)])

    async def look(self) -> Tail:
        """Return where the log ends, without its changes. Raises CacheUnavailableError."""
        epoch, last = await self._run(self._look, [secrets.token_hex(6)])
        return Tail(epoch.decode(), Position.read(last.decode()))

    async def tail(self, *, limit: int) -> Tail:
        """Return where the log ends and its last changes. Raises CacheUnavailableError."""
        await self.look()
        return await self._read(lambda pipe: pipe.xrevrange(self._base, "+", "-", count=limit), is_newest_first=True)

    async def after(self, position: Position, *, limit: int) -> Tail | None:
        """Return what came after `position`; None when it is not in the log any more, or `limit` does not do.

        The epoch may be another one: it is for the caller to compare. Raises CacheUnavailableError.
        """
        await self.look()
        tail = await self._read(lambda pipe: pipe.xrange(self._base, f"{position.n}-0", "+", count=limit + 1))
        changes = tail.changes
        if position.n > 0:
            if not changes or changes[0].position != position:
                return None
            changes = changes[1:]
        is_whole = len(changes) == tail.last.n - position.n <= limit
        return Tail(tail.epoch, tail.last, changes) if is_whole else None

    async def watch(self) -> None:
        """Let who tells know for some seconds that passing frames are followed. Raises CacheUnavailableError."""
        await _translated(cast("Awaitable[Any]", self._live().set(f"{self._base}:watched", "1", ex=_WATCHED_S)))

    async def is_watched(self) -> bool:
        """Whether any process follows passing frames. Raises CacheUnavailableError."""
        found = await _translated(cast("Awaitable[Any]", self._live().exists(f"{self._base}:watched")))
        return bool(found)

    @asynccontextmanager
    async def subscription(self) -> AsyncIterator[EventSubscription]:
        """Subscribe to the channel; inside, the server has confirmed it. Raises CacheUnavailableError."""
        pubsub = self._live().pubsub()
        try:
            await _translated(pubsub.subscribe(f"{self._base}:now"))
            if await _translated(pubsub.get_message(timeout=self._timeout_s)) is None:
                raise CacheUnavailableError("no answer")
            yield EventSubscription(pubsub)
        finally:
            await _close_quietly(pubsub)

    async def _run(self, script: Any, arguments: Sequence[bytes | str | int]) -> Any:
        self._live()
        return await _translated(script(keys=[f"{self._base}:state", self._base], args=arguments))

    async def _read(self, ask: Any, *, is_newest_first: bool = False) -> Tail:
        pipe: Pipeline
        async with self._live().pipeline(transaction=True) as pipe:
            pipe.hmget(f"{self._base}:state", ["epoch", "last"])
            ask(pipe)
            (epoch, last), rows = await _translated(pipe.execute())
        if epoch is None:
            # Flushed right after we looked.
            return Tail("", Position())
        name = epoch.decode()
        changes = [
            Told(name, row[b"s"].decode(), Position.read(identity.decode()), row[b"p"]) for identity, row in rows
        ]
        return Tail(name, Position.read(last.decode()), tuple(changes[::-1] if is_newest_first else changes))

    def _live(self) -> Redis:
        if self._client is None:
            raise CacheUnavailableError("not connected")
        return self._client

    def _new_client(self) -> Redis:
        if self._is_memory:
            from fakeredis import FakeAsyncRedis, FakeServer  # noqa: PLC0415 - an extra, only in memory mode

            return cast("Redis", FakeAsyncRedis(server=FakeServer()))
        return Redis.from_url(
            self._url,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            retry=Retry(NoBackoff(), 0),
        )


def _told(data: bytes) -> Told:
    head, _, payload = data.partition(b"\n")
    kind, epoch, *rest = head.decode().split(" ")
    if kind == "e":
        return Told(epoch)
    position, subject = rest
    return Told(epoch, subject, Position.read(position) if kind == "s" else None, payload)


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
