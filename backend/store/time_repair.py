"""Mends what a time of day that was set back has left in the future (lifecycle.md §3, Clocks).

Leases and starts are moments by MongoDB's clock. Set back by days (a machine whose clock ran ahead, put right), it
would leave due tasks waiting for days, and the lease of a dead server running for as long.
"""

import math
from datetime import timedelta

from backend.core.clock import Clock
from backend.core.database import Database
from backend.store.task_updates import OWNED

# Servers write with clocks that follow MongoDB's within 2 s: what was written so far ahead, was before a jump.
_AHEAD = timedelta(seconds=60)
# A held task keeps its start for when it is let go, a waiting one for when it is resumed.
_IDLE = ["held", "pending", "waiting"]


class TimeRepair:
    """Looks once after a start, and again whenever the clock has jumped. `longest_lease_s`: no lease is longer."""

    def __init__(self, database: Database, *, clock: Clock, lease_s: float, longest_lease_s: float) -> None:
        self._database = database
        self._clock = clock
        self._lease = timedelta(seconds=lease_s)
        self._longest = timedelta(seconds=longest_lease_s)
        self._looked_at = -math.inf

    async def run(self) -> int:
        """Put starts and leases back by what the clock was; return how many tasks. Raises StoreUnavailableError."""
        elapsed, steady_s = self._clock.elapsed(), self._clock.steady_s
        if self._database.is_memory or elapsed - steady_s < self._looked_at:
            return 0
        mended = await self._bring_starts_forward() + await self._shorten_leases()
        self._looked_at = elapsed
        return mended

    async def _bring_starts_forward(self) -> int:
        """Let an idle task wait as long as it had to when it was last written, counted from now."""
        now = self._clock.now()
        query = {"status": {"$in": _IDLE}, "updated_at": {"$gt": now + _AHEAD}}
        waits_ms = {"$subtract": ["$run_at", "$updated_at"]}
        values = {"run_at": {"$add": [now, waits_ms]}, "updated_at": now, "version": {"$add": ["$version", 1]}}
        result = await self._database.do(self._database.collection("tasks").update_many(query, [{"$set": values}]))
        return int(result.modified_count)

    async def _shorten_leases(self) -> int:
        """Give every owner one lease from now: who lives beats within it, who is gone is found after it."""
        now = self._clock.now()
        query = {"status": {"$in": OWNED}, "lease_until": {"$gt": now + self._longest}}
        update = {"$set": {"lease_until": now + self._lease}}
        result = await self._database.do(self._database.collection("tasks").update_many(query, update))
        return int(result.modified_count)
