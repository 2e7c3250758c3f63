"""The part of a frontier that a run holds in memory: what it may start now, and what it has in hand.

The store knows every row; this knows, for each origin, the rows taken up and not started yet, how many requests are
open and when the next may start. Every row in hand has a place under the page limit, so that it is never overshot.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from backend.crawl.robots import RobotRules, RulesUnknown
from backend.domain.task import Lease
from backend.store.frontier import FrontierStore, Row

MAX_AT_ONCE = 64
_TAKEN_PER_SLOT = 4


@dataclass(slots=True)
class Lane:
    """One origin: rows ready to start, requests open, and the earliest moment of the next start (loop time)."""

    origin: str
    ready: deque[Row] = field(default_factory=deque)
    active: int = 0
    is_dry: bool = False
    next_start: float = 0.0
    is_opening: bool = False
    rules: RobotRules | RulesUnknown | None = None


class Frontier:
    """The rows of one run. `store` is reached, so its methods may be awaited on the run's loop."""

    def __init__(self, store: FrontierStore, lease: Lease, *, concurrency: int, max_pages: int) -> None:
        self._store = store
        self._lease = lease
        self._concurrency = concurrency
        self._max_pages = max_pages
        self._lanes: dict[str, Lane] = {}
        self._wet: dict[str, None] = {}
        self._due: list[tuple[datetime, str]] = []
        self._unreserved: set[str] = set()
        self.hand: dict[str, Row] = {}
        self.stored = 0
        self.queued = 0
        self.lost_left = 0

    async def open(self, *, stored: int) -> None:
        """Take over what the store holds: rows of dead runs go back, every origin with rows gets its lane."""
        self.stored = stored
        self.lost_left = await self._store.give_back(self._lease.task_id, below_fence=self._lease.fence)
        origins = await self._store.origins(self._lease.task_id)
        self.note_added(origins, sum(origins.values()))

    def note_added(self, origins: Iterable[str], rows: int) -> None:
        """Note that these origins have rows in the queue, `rows` of them new to us in all."""
        self.queued += rows
        for origin in origins:
            self._lane(origin).is_dry = False
            self._wet[origin] = None

    def note_due(self, origin: str, moment: datetime) -> None:
        """Note that a row of this origin backs off until `moment`."""
        self.queued += 1
        heapq.heappush(self._due, (moment, origin))

    def wake_due(self, now: datetime) -> datetime | None:
        """Look again at the origins whose back-offs have ended; return when the next one ends."""
        while self._due and self._due[0][0] <= now:
            _, origin = heapq.heappop(self._due)
            self._lane(origin).is_dry = False
            self._wet[origin] = None
        return self._due[0][0] if self._due else None

    def lanes(self) -> Iterator[Lane]:
        """Return the lanes that may have something to start, the one served longest ago first."""
        for origin in list(self._wet):
            lane = self._lanes[origin]
            if lane.is_dry and not lane.ready and not lane.active and not lane.is_opening:
                del self._wet[origin]
                continue
            yield lane

    def served(self, lane: Lane) -> None:
        """Put the lane behind all others."""
        self._wet.pop(lane.origin, None)
        self._wet[lane.origin] = None

    @property
    def room(self) -> int:
        """How many more rows may be taken up before the page limit is reached for certain."""
        return self._max_pages - self.stored - (len(self.hand) - len(self._unreserved))

    def free(self, lane: Lane) -> int:
        """How many requests of this origin may be started."""
        return self._concurrency - lane.active

    async def refill(self, lane: Lane) -> None:
        """Take up rows for the lane when it has none ready."""
        if lane.ready or lane.is_dry or self.free(lane) <= 0:
            return
        wanted = _TAKEN_PER_SLOT * self._concurrency
        if self.room > 0:
            rows = await self._store.take(self._lease, lane.origin, min(wanted, self.room))
            lane.is_dry = len(rows) < min(wanted, self.room)
        elif self.lost_left > 0:
            # Their pages may be stored already; those that are not will be skipped at the limit.
            rows = await self._store.take(self._lease, lane.origin, wanted, only_lost=True)
            lane.is_dry = len(rows) < wanted
            self._unreserved.update(row.fingerprint for row in rows)
        else:
            return
        self._hold(lane, rows)

    def is_unreserved(self, fingerprint: str) -> bool:
        """Whether this row was taken up beyond the limit: it counts only if its page is stored already."""
        return fingerprint in self._unreserved

    def let_go(self, fingerprints: Iterable[str]) -> None:
        """Drop rows whose end, or whose return to the queue, is stored."""
        for fingerprint in fingerprints:
            self.hand.pop(fingerprint, None)
            self._unreserved.discard(fingerprint)

    def unstarted(self) -> list[Row]:
        """Return the rows taken up for which nothing was done."""
        return [row for lane in self._lanes.values() for row in lane.ready]

    async def find_more(self) -> bool:
        """Look in the store for rows that this run lost sight of; whether there is anything left to do.

        To be asked when nothing is in hand and every lane is dry.
        """
        task_id = self._lease.task_id
        await self._store.reclaim(self._lease, list(self.hand))
        due = await self._store.next_due(task_id)
        origins = await self._store.origins(task_id)
        self.queued = 0
        self.note_added(origins, sum(origins.values()))
        self._due = [(due[1], due[0])] if due is not None else []
        return bool(origins)

    def _hold(self, lane: Lane, rows: list[Row]) -> None:
        lane.ready.extend(rows)
        self.hand.update({row.fingerprint: row for row in rows})
        self.queued = max(0, self.queued - len(rows))
        self.lost_left = max(0, self.lost_left - sum(row.lost > 0 for row in rows))

    def _lane(self, origin: str) -> Lane:
        if origin not in self._lanes:
            self._lanes[origin] = Lane(origin)
        return self._lanes[origin]
