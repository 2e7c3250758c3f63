r"""The log of changes in Redis, and the channel that tells every process of them at once (lifecycle.md §7).

One script adds and tells, so what is told comes in the order of the log, and everything, kept or not, through one
channel. It refuses a change whose version is not above the subject's last one: two processes would otherwise publish
7 before 6 (measured on a prototype), and a page would show "running" for ever.

Keys and channels, all beginning with `mcp:events:<database>`:
    (itself)           stream, the last `KEPT` changes; ids are `n-ms`, n counts from 1 without gaps within an epoch
    :state             hash {epoch, n, last}; the epoch is random, gone with a flush, and made anew by who comes next
    :of:<subject>      hash {version, fence, final} of the last change; expires
    :did:<call>        "1" once a call of the script was carried out; expires
    :watched           "1" while somebody follows the channel's passing frames; expires
    :now               channel; a message is one or more of `KIND EPOCH ID SUBJECT SIZE\nPAYLOAD`: s is a change, f a
                       passing frame, e a new epoch
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis

from backend.core.clock import Clock
from backend.core.redis_door import TIMEOUT_S, RedisDoor, Subscription

KEPT = 2_000
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
  redis.call('PUBLISH', channel, 'e ' .. epoch .. ' - - 0\\n')
end
if not epoch then begin() end
"""
_RENEW = f"{_BEGIN} if epoch ~= ARGV[1] then begin() end"
_LOOK = f"{_BEGIN} return {{epoch, redis.call('HGET', state, 'last')}}"
# A change for good may have the version that was announced before it: pulling a word of `after` raises none.
_ADD = f"""{_BEGIN}
-- The client repeats a call whose connection was cut: what is told in passing has no version to be refused by.
if not redis.call('SET', base .. ':did:' .. ARGV[1], '1', 'NX', 'EX', 60) then return {{}} end
local time = redis.call('TIME')
local ms = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local taken, told = {{}}, {{}}
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
    told[#told + 1] = 's ' .. epoch .. ' ' .. id .. ' ' .. subject .. ' ' .. #payload .. '\\n' .. payload
  elseif take then
    told[#told + 1] = 'f ' .. epoch .. ' - ' .. subject .. ' ' .. #payload .. '\\n' .. payload
  end
  taken[#taken + 1] = take and 1 or 0
end
if #told > 0 then redis.call('PUBLISH', channel, table.concat(told)) end
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

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def next(self, *, timeout_s: float) -> tuple[Told, ...]:
        """Return what comes next, in order, or nothing after `timeout_s`. Raises CacheUnavailableError."""
        message = await self._subscription.next_message(timeout_s=timeout_s)
        return () if message is None else tuple(_told(message))


class EventLog:
    """The log of one database. Every failure is a CacheUnavailableError. In memory mode fakeredis runs the scripts."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        clock: Clock,
        timeout_s: float = TIMEOUT_S,
        is_memory: bool = False,
        kept: int = KEPT,
    ) -> None:
        self._door = RedisDoor(url, clock=clock, timeout_s=timeout_s, is_memory=is_memory, decodes=False)
        self._kept = kept
        self._base = f"mcp:events:{name}"

    def open(self) -> None:
        """Make the client on the running loop; it connects when it is used. Raises CacheUnavailableError."""
        client = self._door.open()
        self._add, self._look, self._renew = (client.register_script(one) for one in (_ADD, _LOOK, _RENEW))

    async def close(self) -> None:
        """Close the client and its connections. Safe to call twice."""
        await self._door.close()

    async def add(self, additions: Sequence[Addition]) -> list[bool]:
        """Add and tell, in this order; say of each whether it was taken. Raises CacheUnavailableError.

        Nothing is said of a call that the client had to repeat, and that had come through.
        """
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
        key = f"{self._base}:watched"
        await self._door.ask(lambda redis: cast("Awaitable[Any]", redis.set(key, "1", ex=_WATCHED_S)))

    async def is_watched(self) -> bool:
        """Whether any process follows passing frames. Raises CacheUnavailableError."""
        key = f"{self._base}:watched"
        return bool(await self._door.ask(lambda redis: cast("Awaitable[Any]", redis.exists(key))))

    @asynccontextmanager
    async def subscription(self) -> AsyncIterator[EventSubscription]:
        """Subscribe to the channel; inside, the server has confirmed it. Raises CacheUnavailableError."""
        async with self._door.subscription(f"{self._base}:now") as heard:
            yield EventSubscription(heard)

    async def _run(self, script: Any, arguments: Sequence[bytes | str | int]) -> Any:
        keys = [f"{self._base}:state", self._base]
        return await self._door.ask(lambda redis: script(keys=keys, args=arguments, client=redis))

    async def _read(self, ask: Callable[[Any], object], *, is_newest_first: bool = False) -> Tail:
        (epoch, last), rows = await self._door.ask(lambda redis: self._state_and_rows(redis, ask))
        if epoch is None:
            # Flushed right after we looked.
            return Tail("", Position())
        name = epoch.decode()
        changes = [
            Told(name, row[b"s"].decode(), Position.read(identity.decode()), row[b"p"]) for identity, row in rows
        ]
        return Tail(name, Position.read(last.decode()), tuple(changes[::-1] if is_newest_first else changes))

    async def _state_and_rows(self, redis: Redis, ask: Callable[[Any], object]) -> Any:
        async with redis.pipeline(transaction=True) as pipe:
            pipe.hmget(f"{self._base}:state", ["epoch", "last"])
            ask(pipe)
            return await pipe.execute()


def _told(message: bytes) -> Iterator[Told]:
    start = 0
    while start < len(message):
        end = message.index(b"\n", start)
        kind, epoch, position, subject, size = message[start:end].decode().split(" ")
        start = end + 1 + int(size)
        if kind == "e":
            yield Told(epoch)
        else:
            yield Told(epoch, subject, Position.read(position) if kind == "s" else None, message[end + 1 : start])
