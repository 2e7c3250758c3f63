"""Crawls of units: one call for one page of results each (a page of a search, a note, a page of its comments).

One attempt of one task. Units are rows of the frontier, taken one after the other; a killed task goes on with the
unit it had in hand. Which unit comes next, and how one is read, is the platform's (UnitReader).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from backend.core.crash_points import crash_point
from backend.core.journal import ahead_of_journal
from backend.crawl.patience import patiently
from backend.crawl.platform import CrawlTools
from backend.crawl.refusal import Refusal
from backend.crawl.tally import Tally
from backend.crawl.unit import Reading, UnitManners, UnitReader
from backend.crawl.unit_endings import ending_of_units
from backend.domain.errors import TaskFailedError
from backend.domain.execution import TaskContext
from backend.domain.task import Books, Ending, Stage, StopReason
from backend.store.frontier import FrontierStore, Row, RowResult
from backend.store.items import ItemStore

T = TypeVar("T")

UNIT = "item"
_JITTER = (0.5, 1.5)
# Failures of one page: another may be had all the same.
_OF_ONE_PAGE = frozenset(
    {
        *("DEADLINE", "NO_ANSWER", "BROKEN_ANSWER", "DNS_FAILED", "CONNECT_FAILED", "TLS_FAILED", "TOO_MANY_REDIRECTS"),
        *("BLOCKED", "PRIVATE_ADDRESS", "SCHEME_REFUSED"),
    }
)


class UnitCrawl:
    """One attempt of one task (domain/execution.py: Execution)."""

    def __init__(
        self,
        context: TaskContext,
        tools: CrawlTools,
        reader: UnitReader,
        *,
        manners: UnitManners,
        chance: random.Random,
    ) -> None:
        self._context = context
        self._tools = tools
        self._reader = reader
        self._manners = manners
        self._chance = chance
        self._rows = context.reach(tools.frontier)
        self._items = context.reach(tools.items)
        self._queued: dict[str, int] = {}
        self._tally = Tally(Books())
        self._writing: tuple[Row, Reading] | None = None
        self._stored = self._noted_stored = 0
        self._reported_at = self._noted_at = 0.0
        self._wrong_in_a_row = 0
        self._refusal: Refusal | None = None

    async def run(self) -> Ending:
        """Read units until none is wanted any more, or the source refuses everything."""
        try:
            await self._open()
            while not self._is_refused():
                row = await self._take()
                if row is None:
                    break
                reading = await self._read(row)
                self._writing = row, reading
                await self._patiently(lambda: self._store(row, reading, self._rows, self._items))  # noqa: B023
                self._writing = None
                self._note(row, reading)
                await self._report()
            return await self._ended()
        finally:
            await self._reader.close()

    async def conclude(self, context: TaskContext, reason: StopReason | None) -> Books:
        """Store what was read in full, settle the unit in hand, and count."""
        lease = context.lease
        rows, items = self._tools.frontier, self._tools.items
        is_final = reason in {StopReason.USER, StopReason.DEADLINE}
        if self._writing is not None:
            # It may be stored in part; once more changes nothing.
            row, reading = self._writing
            await self._store(row, replace(reading, found=()) if is_final else reading, rows, items)
        if is_final:
            await rows.abort(lease)
        else:
            await rows.release(lease)
        books = await self._books(rows, items, is_over=reason is not StopReason.SHUTDOWN)
        # Told at most every so often while it ran: the end says what the books say.
        context.progress(done=books.stored)
        return books

    async def _open(self) -> None:
        lease = self._context.lease
        self._context.progress(unit=UNIT, stage=Stage.FETCH)
        await self._patiently(lambda: self._rows.give_back(lease.task_id, below_fence=lease.fence))
        added = await self._patiently(lambda: self._rows.add_many(lease, self._reader.starts()))
        self._stored = self._noted_stored = await self._patiently(lambda: self._items.count(lease.task_id))
        self._tally = Tally(await self._patiently(lambda: self._rows.books(lease.task_id, is_over=False)))
        await self._patiently(self._reader.load)
        await self._count_queue()
        self._context.progress(done=self._stored, total=self._reader.expected())
        if added:
            self._context.log("info", "开始采集")
        else:
            self._context.log("info", f"继续采集，已保存 {self._stored} 条")

    async def _take(self) -> Row | None:
        """Return the next unit, or None when no more is wanted."""
        has_looked_again = False
        while True:
            self._context.check()
            lane = self._reader.next_lane(self._queued)
            if lane is None and has_looked_again:
                return None
            if lane is not None:
                found = await self._patiently(lambda: self._rows.take(self._context.lease, lane, 1))  # noqa: B023
                if found:
                    self._queued[lane] -= 1
                    self._tally.requested += not found[0].was_taken
                    return found[0]
            # A take whose answer was lost left its row in nobody's hands.
            await self._patiently(lambda: self._rows.reclaim(self._context.lease, []))
            await self._count_queue()
            if lane is not None and has_looked_again:
                await self._context.sleep(self._manners.back_off_s)
            has_looked_again = True

    async def _read(self, row: Row) -> Reading:
        attempts = row.attempts
        while True:
            self._context.check()
            reading = await self._tried(row)
            attempts += 1
            wait_s = self._wait_s(attempts, reading.refusal)
            if wait_s is None:
                return replace(reading, attempts=attempts)
            said = reading.refusal.message.zh if reading.refusal is not None else ""
            self._context.log("warning", f"{said}，{wait_s:.0f}s 后第 {attempts} 次重试", url=row.url)
            await self._context.sleep(wait_s)

    async def _tried(self, row: Row) -> Reading:
        try:
            return await self._reader.read(row)
        except TaskFailedError as error:
            if error.error_name not in _OF_ONE_PAGE:
                raise
            await self._reader.reset()
            outcome = "blocked" if error.error_name == "BLOCKED" else "failed"
            refusal = Refusal(error.error_name, error.message, error.advice, outcome=outcome, may_pass=error.can_retry)
            return Reading(outcome, refusal=refusal)

    def _wait_s(self, attempts: int, refusal: Refusal | None) -> float | None:
        if refusal is None or not refusal.may_pass or attempts >= self._manners.max_attempts:
            return None
        asked_s = refusal.retry_after_s or 0.0
        if asked_s > self._manners.longest_wait_s:
            return None
        return max(self._manners.back_off_s * 2.0 ** (attempts - 1) * self._chance.uniform(*_JITTER), asked_s)

    async def _store(self, row: Row, reading: Reading, rows: FrontierStore, items: ItemStore) -> None:
        """Store a unit: what follows from it, its items, its end. Doing it twice changes nothing more."""
        lease = self._context.lease
        with ahead_of_journal() as ahead:
            # The row's end below is journalled, and with it everything before.
            await rows.add_many(lease, reading.found)
            await items.upsert_many(lease, reading.items)
        crash_point("mid_store")
        await rows.finish(lease, [self._result(row, reading)])
        ahead.check()

    def _result(self, row: Row, reading: Reading) -> RowResult:
        return RowResult(
            row.fingerprint,
            reading.outcome,
            reading.attempts,
            reason=reading.reason,
            http_status=reading.http_status,
            size_bytes=reading.size_bytes,
            error=reading.refusal.error if reading.refusal is not None else None,
            fetched_at=self._tools.clock.now(),
            item_id=reading.item_id,
        )

    def _note(self, row: Row, reading: Reading) -> None:
        self._tally.add([self._result(row, reading)])
        self._reader.note_stored(row, reading)
        if reading.refusal is None:
            self._wrong_in_a_row = 0
            return
        self._context.log("warning", reading.refusal.message.zh, url=row.url, error=reading.refusal.error)
        self._refusal = reading.refusal
        # A note that is gone says nothing about the next one.
        if reading.outcome == "blocked" or reading.refusal.may_pass:
            self._wrong_in_a_row += 1

    def _is_refused(self) -> bool:
        is_whole = self._refusal is not None and self._refusal.is_whole
        return is_whole or self._wrong_in_a_row >= self._manners.wrong_in_a_row

    async def _count_queue(self) -> None:
        self._queued = await self._patiently(lambda: self._rows.origins(self._context.lease.task_id))

    async def _report(self) -> None:
        lease = self._context.lease
        # Items that were there already are not new: only the store knows.
        self._stored = await self._patiently(lambda: self._items.count(lease.task_id))
        await self._count_queue()
        now = asyncio.get_running_loop().time()
        if now - self._reported_at >= self._manners.report_every_s:
            self._reported_at = now
            expected = self._reader.expected()
            total = None if expected is None else max(expected, self._stored)
            books = self._tally.books(stored=self._stored, queued_left=sum(self._queued.values()))
            self._context.progress(done=self._stored, total=total, unit=UNIT, stage=Stage.FETCH, books=books)
        # A checkpoint says that there was progress: it forgives the leases lost before it.
        if now - self._noted_at >= self._manners.note_every_s and self._stored > self._noted_stored:
            self._noted_at, self._noted_stored = now, self._stored
            note = f"{self._stored} items, frontier {sum(self._queued.values())}"
            await self._patiently(lambda: self._context.checkpoint({"stored": self._stored}, note))

    async def _ended(self) -> Ending:
        lease = self._context.lease
        # Units of an earlier attempt that no limit leaves room for any more.
        await self._patiently(lambda: self._rows.skip_rest(lease))
        books = await self._patiently(lambda: self._books(self._rows, self._items, is_over=True))
        self._context.progress(done=books.stored, total=books.stored, stage=Stage.DONE, books=books)
        wrong = await self._patiently(self._first_wrong)
        return ending_of_units(books, self._refusal, wrong, now=self._tools.clock.now())

    async def _first_wrong(self) -> str | None:
        """Return the name of an error that some unit ended with, of earlier attempts too."""
        for outcome in ("blocked", "failed"):
            pages = (await self._rows.list(self._context.lease.task_id, limit=1, outcome=outcome)).pages
            if pages:
                return pages[0].error
        return None

    async def _books(self, rows: FrontierStore, items: ItemStore, *, is_over: bool) -> Books:
        task_id = self._context.lease.task_id
        stored = await items.count(task_id)
        books = await rows.books(task_id, is_over=is_over)
        reported = await self._reader.reported_total(items)
        return replace(books, stored=stored, fetched_unique=stored, reported_total=reported)

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        return await patiently(self._context, step)
