"""Writes what a crawl found, in the one order that survives a kill: new links, then items, then the rows' ends.

Whatever has gathered while one batch was being written is the next batch: at low speed a page is stored at once, at
high speed many share a journal write.
"""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from backend.core.crash_points import crash_point
from backend.core.journal import ahead_of_journal
from backend.crawl.frontier import Frontier
from backend.crawl.patience import patiently
from backend.crawl.urls import Target
from backend.domain.execution import TaskContext
from backend.domain.item import Item
from backend.store.frontier import FrontierStore, NewRow, Row, RowResult
from backend.store.items import ItemStore, with_id

_BATCH = 50
_MAX_WAITING = 100
# A write cannot be stopped once it is sent: a cancel waits for one slice of links, not for the links of fifty pages.
_LINKS_AT_ONCE = 250
# Some 10 ms of work for the loop.
_LINKS_A_BATCH = 5_000
_MAX_SEEN = 200_000
_GATHER_S = 0.02


@dataclass(frozen=True, slots=True)
class Visit:
    """What became of one row in hand: an end, or (with `retry_at`) another attempt.

    `final` is the fingerprint of the final URL when the row was redirected; `pause_s` is how long the site asked
    to be left alone.
    """

    row: Row
    result: RowResult
    item: Item | None = None
    links: tuple[Target, ...] = ()
    final: str | None = None
    retry_at: datetime | None = None
    pause_s: float = 0.0


class Writer:
    """Owns the visits that are done and not stored; `conclude` of the crawl stores them when the run was stopped.

    `keeps_links` is False where nobody will follow them any more.
    """

    def __init__(
        self,
        context: TaskContext,
        *,
        frontier: Frontier,
        rows: FrontierStore,
        items: ItemStore,
        keeps_links: bool = True,
    ) -> None:
        self._context = context
        self._frontier = frontier
        self._rows = rows
        self._items = items
        self._keeps_links = keeps_links
        self._seen: set[str] = set()
        self._has_work = asyncio.Event()
        self._has_space = asyncio.Event()
        self._is_closing = False
        self.waiting: list[Visit] = []
        self.writing: list[Visit] = []

    async def put(self, visit: Visit) -> None:
        """Hand over a visit; waits while too many are not stored yet."""
        while len(self.waiting) >= _MAX_WAITING:
            self._has_space.clear()
            await self._has_space.wait()
        self.waiting.append(visit)
        self._has_work.set()

    async def run(self, on_stored: Callable[[list[Visit]], None]) -> None:
        """Store batches until `close`, and everything handed over before it; tell of each."""
        while self.waiting or not self._is_closing:
            if not self.waiting:
                self._has_work.clear()
                await self._has_work.wait()
                continue
            if len(self.waiting) < min(_BATCH, len(self._frontier.hand)):
                # Others are on their way: a moment's wait makes one journal write of many.
                await asyncio.sleep(_GATHER_S)
            size = _batch_size(self.waiting)
            self.writing, self.waiting = self.waiting[:size], self.waiting[size:]
            self._has_space.set()
            stored = await patiently(
                self._context, functools.partial(self.store, self.writing), after_failure=self._recount
            )
            self.writing = []
            on_stored(stored)

    def close(self) -> None:
        """Let `run` end when everything is stored."""
        self._is_closing = True
        self._has_work.set()

    async def _recount(self) -> None:
        # What the interrupted batch has stored already is not reported as new again.
        self._frontier.stored = await self._items.count(self._context.lease.task_id)

    async def store(self, visits: list[Visit]) -> list[Visit]:
        """Store a batch and return it as it was judged in the end; doing it twice changes nothing more.

        Raises LeaseLostError when a row is no longer ours.
        """
        lease = self._context.lease
        with ahead_of_journal() as ahead:
            # The rows' ends below are journalled, and with them everything before.
            judged = await self._within_limit(await self._without_duplicates(visits))
            await self._add_links(judged)
            new = await self._items.upsert_many(lease, [visit.item for visit in judged if visit.item is not None])
        crash_point("mid_store")
        ended = [visit for visit in judged if visit.retry_at is None]
        await self._rows.finish(lease, [visit.result for visit in ended])
        for visit in judged:
            if visit.retry_at is not None:
                await self._rows.requeue(lease, visit.row, visit.retry_at)
                self._frontier.note_due(visit.row.origin, visit.retry_at)
        ahead.check()
        self._frontier.stored += new
        self._frontier.let_go(visit.row.fingerprint for visit in judged)
        return judged

    async def _without_duplicates(self, visits: list[Visit]) -> list[Visit]:
        """Keep one row for each final URL: the first that claimed it, or the one that has it as its own."""
        finals = {visit.row.fingerprint: visit.final for visit in visits if visit.final is not None}
        if not finals:
            return visits
        refused = await self._rows.claim_final(self._context.lease, finals)
        return [_skipped(visit, "duplicate") if visit.row.fingerprint in refused else visit for visit in visits]

    async def _within_limit(self, visits: list[Visit]) -> list[Visit]:
        """Skip pages beyond the limit: of rows taken up without a place, only stored pages count."""
        beyond = {
            visit.row.fingerprint: with_id(visit.item).id
            for visit in visits
            if visit.item is not None and self._frontier.is_unreserved(visit.row.fingerprint)
        }
        if not beyond:
            return visits
        existing = await self._items.existing(list(beyond.values()))
        over = {fingerprint for fingerprint, item_id in beyond.items() if item_id not in existing}
        return [_skipped(visit, "limit") if visit.row.fingerprint in over else visit for visit in visits]

    async def _add_links(self, visits: list[Visit]) -> None:
        if not self._keeps_links:
            return
        fresh: dict[str, NewRow] = {}
        for visit in visits:
            for link in visit.links:
                if link.fingerprint not in self._seen and link.fingerprint not in fresh:
                    depth = visit.row.depth + 1
                    fresh[link.fingerprint] = NewRow(link.fingerprint, link.url, link.origin, depth)
        if not fresh:
            return
        rows, added = list(fresh.values()), 0
        for start in range(0, len(rows), _LINKS_AT_ONCE):
            added += await self._rows.add_many(self._context.lease, rows[start : start + _LINKS_AT_ONCE])
        if len(self._seen) > _MAX_SEEN:
            # Only a shortcut: the store refuses what it knows.
            self._seen.clear()
        self._seen.update(fresh)
        self._frontier.note_added({row.origin for row in fresh.values()}, added)


def _batch_size(visits: list[Visit]) -> int:
    """Return how many of the first visits make one batch: at most fifty, and few enough links not to hold the loop."""
    links = accumulate(len(visit.links) for visit in visits[:_BATCH])
    return max(1, sum(1 for sum_ in links if sum_ <= _LINKS_A_BATCH))


def _skipped(visit: Visit, reason: str) -> Visit:
    result = replace(visit.result, outcome="skipped", reason=reason, item_id=None)
    return replace(visit, result=result, item=None, links=())
