"""The slots that servers take together: one sorted set in Redis for each capped platform (lifecycle.md §8)."""

from collections.abc import Sequence

from backend.core.cache import Cache

# Scores are ms of Redis's own clock: the one clock that all servers share. KEYS[1] the set; ARGV: ms that a slot
# lasts without being prolonged, then the cap and the member (take), or the members (prolong).
_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lasts = tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
"""
_TAKE = f"""{_NOW}
if not redis.call('ZSCORE', KEYS[1], ARGV[3]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + lasts, ARGV[3])
redis.call('PEXPIRE', KEYS[1], 2 * lasts)
return 1
"""
_PROLONG = f"""{_NOW}
for index = 2, #ARGV do
  redis.call('ZADD', KEYS[1], now + lasts, ARGV[index])
end
redis.call('PEXPIRE', KEYS[1], 2 * lasts)
return #ARGV - 1
"""
_GIVE_BACK = "return redis.call('ZREM', KEYS[1], unpack(ARGV))"
_AT_ONCE = 1_000


class SlotBoard:
    """Sorted sets `mcp:slots:<database>:<platform>`: members are takers, scores the end of their lease.

    Every step may be repeated. What nobody prolongs falls out by its score: the slots of a server that was killed come
    back with its leases. Every method raises CacheUnavailableError.
    """

    def __init__(self, cache: Cache, *, database: str, lease_s: float) -> None:
        self._cache = cache
        self._prefix = f"mcp:slots:{database}"
        self._lasts_ms = int(lease_s * 1000)

    async def take(self, platform: str, member: str, *, cap: int) -> bool:
        """Take a slot of the platform in one step; False when all `cap` of them are taken by others."""
        arguments = (self._lasts_ms, cap, member)
        return bool(await self._cache.evaluate(_TAKE, [self._key(platform)], arguments))

    async def prolong(self, platform: str, members: Sequence[str]) -> None:
        """Keep these slots for one more lease; those that Redis has forgotten are there again."""
        for start in range(0, len(members), _AT_ONCE):
            some = members[start : start + _AT_ONCE]
            await self._cache.evaluate(_PROLONG, [self._key(platform)], (self._lasts_ms, *some))

    async def give_back(self, platform: str, members: Sequence[str]) -> None:
        """Free these slots."""
        for start in range(0, len(members), _AT_ONCE):
            await self._cache.evaluate(_GIVE_BACK, [self._key(platform)], members[start : start + _AT_ONCE])

    async def probe(self) -> None:
        """Prove that Redis answers."""
        await self._cache.measure()

    def _key(self, platform: str) -> str:
        return f"{self._prefix}:{platform}"
