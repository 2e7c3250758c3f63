"""Crawls pages from start URLs: one attempt of a task, on a frontier that outlives it.

The body runs a scheduler, one visit for each request and one writer. Rows are taken up only when there is a request
for them soon; a row whose page is not stored when the run is stopped goes back, or is counted as aborted.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TypeVar

from backend.core.both import both
from backend.crawl.endings import ending_of
from backend.crawl.fetch import HTML_TYPES, PageFetcher
from backend.crawl.frontier import MAX_AT_ONCE, Frontier, Lane
from backend.crawl.patience import patiently
from backend.crawl.platform import CrawlTools
from backend.crawl.robots import PASSING, RobotRules, RulesUnknown, read_rules
from backend.crawl.scope import Scope
from backend.crawl.tally import Tally
from backend.crawl.urls import Target
from backend.crawl.visit import Manners, Visitor
from backend.crawl.writer import Visit, Writer
from backend.domain.execution import TaskContext
from backend.domain.item import Page
from backend.domain.task import Books, Ending, Stage, StopReason
from backend.store.frontier import NewRow, Row

_START_PRIORITY = 10
_IDLE_S = 1.0
# At a shutdown: some 0.1 s of writing for each crawl.
_MAX_PARTING_LINKS = 2_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What one task asks for; `max_depth` 0 fetches the start URLs only; `kinds` are the media types that are pages."""

    platform: str
    starts: tuple[Target, ...]
    scope: Scope
    max_pages: int
    max_depth: int
    obey_robots: bool = True
    concurrency: int = 8
    delay_s: float = 0.0
    kinds: Collection[str] = HTML_TYPES


class SiteCrawl:
    """One attempt of one task (domain/execution.py: Execution)."""

    def __init__(
        self, context: TaskContext, tools: CrawlTools, plan: SitePlan, *, manners: Manners, chance: random.Random
    ) -> None:
        self._context = context
        self._tools = tools
        self._plan = plan
        self._manners = manners
        self._rows = context.reach(tools.frontier)
        self._items = context.reach(tools.items)
        client = tools.gate.outside
        self._user_agent = client.headers["user-agent"]
        self._fetcher = context.reach(PageFetcher(client, limits=manners.limits, clock=tools.clock, kinds=plan.kinds))
        self._frontier = Frontier(self._rows, context.lease, concurrency=plan.concurrency, max_pages=plan.max_pages)
        self._visitor = Visitor(
            context,
            platform=plan.platform,
            scope=plan.scope,
            max_depth=plan.max_depth,
            fetcher=self._fetcher,
            clock=tools.clock,
            manners=manners,
            chance=chance,
        )
        self._writer = Writer(context, frontier=self._frontier, rows=self._rows, items=self._items)
        self._active = 0
        self._tally = Tally(Books())
        self._wake = asyncio.Event()
        self._reported_at = self._noted_at = 0.0
        self._noted_stored = 0

    async def run(self) -> Ending:
        """Crawl until nothing is left or the page limit is reached."""
        await self._open()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._writer.run(self._note_stored), name=f"writer:{self._context.task.task_id}")
                await self._schedule(group)
                self._writer.close()
        except BaseExceptionGroup as errors:
            raise _first_of(errors) from errors
        return await self._ended()

    async def conclude(self, context: TaskContext, reason: StopReason | None) -> Books:
        """Store the pages that were fetched in full, settle the rows in hand, and count."""
        lease = context.lease
        # What was being written may be stored in part; once more changes nothing.
        left = [*self._writer.writing, *self._writer.waiting]
        rows, items = self._tools.frontier, self._tools.items
        is_final = reason in {StopReason.USER, StopReason.DEADLINE}
        writer = Writer(
            context,
            frontier=self._frontier,
            rows=rows,
            items=items,
            keeps_links=not is_final,
        )
        # Rows that were never started are none of those that are stored.
        await both(
            writer.store(left if is_final else _few_links(left)), rows.put_back(lease, self._frontier.unstarted())
        )
        if is_final:
            await rows.abort(lease)
        else:
            await rows.release(lease)
        is_over = reason is not StopReason.SHUTDOWN
        stored, books = await both(items.count(lease.task_id), rows.books(lease.task_id, is_over=is_over))
        # Told at most every so often while it ran: the end says what the books say.
        context.progress(done=stored)
        return replace(books, stored=stored, fetched_unique=stored)

    async def _open(self) -> None:
        lease = self._context.lease
        self._context.progress(unit="page", stage=Stage.FETCH)
        stored = self._noted_stored = await self._patiently(lambda: self._items.count(lease.task_id))
        await self._patiently(lambda: self._frontier.open(stored=stored))
        self._tally = Tally(await self._patiently(lambda: self._rows.books(lease.task_id, is_over=False)))
        starts = [
            NewRow(target.fingerprint, target.url, target.origin, 0, _START_PRIORITY) for target in self._plan.starts
        ]
        added = await self._patiently(lambda: self._rows.add_many(lease, starts))
        self._frontier.note_added({row.origin for row in starts}, added)
        if added:
            self._context.log("info", f"开始抓取，{added} 个起始网址")
        else:
            self._context.log("info", f"继续抓取，已保存 {stored} 页，队列 {self._frontier.queued}")

    async def _schedule(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._context.check()
            self._wake.clear()
            due = self._frontier.wake_due(self._tools.clock.now())
            next_start = await self._start_what_may(group)
            await self._report()
            if not self._frontier.hand and not self._active and due is None and next_start is None:
                if await self._is_over():
                    return
                continue
            now = asyncio.get_running_loop().time()
            waits = [_IDLE_S]
            if due is not None:
                waits.append((due - self._tools.clock.now()).total_seconds())
            if next_start is not None:
                waits.append(next_start - now)
            await self._woken(max(0.0, min(waits)))

    async def _woken(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _is_over(self) -> bool:
        """Whether nothing is left to be done; asked when nothing is in hand and nothing is waited for."""
        if self._frontier.room <= 0 and self._frontier.lost_left <= 0:
            return True
        return not await self._patiently(self._frontier.find_more)

    async def _start_what_may(self, group: asyncio.TaskGroup) -> float | None:
        """Start every request that may start now; return when (loop time) the next one may."""
        soonest: float | None = None
        for lane in self._frontier.lanes():
            if self._active >= MAX_AT_ONCE:
                break
            if lane.rules is None:
                self._open_lane(group, lane)
                continue
            next_start = await self._start_lane(group, lane, lane.rules)
            if next_start is not None:
                soonest = next_start if soonest is None else min(soonest, next_start)
        return soonest

    async def _start_lane(self, group: asyncio.TaskGroup, lane: Lane, rules: RobotRules | RulesUnknown) -> float | None:
        if lane.is_dry and not lane.ready:
            return None
        now = asyncio.get_running_loop().time()
        if now < lane.next_start:
            return lane.next_start
        await self._patiently(lambda: self._frontier.refill(lane))
        delay_s = max(self._plan.delay_s, rules.delay_s if isinstance(rules, RobotRules) else 0.0)
        while lane.ready and self._frontier.free(lane) > 0 and self._active < MAX_AT_ONCE:
            self._start_visit(group, lane, lane.ready.popleft(), rules)
            self._frontier.served(lane)
            if delay_s > 0:
                lane.next_start = now + delay_s
                return lane.next_start
        return None

    def _start_visit(self, group: asyncio.TaskGroup, lane: Lane, row: Row, rules: RobotRules | RulesUnknown) -> None:
        self._tally.requested += not row.was_taken
        lane.active += 1
        self._active += 1
        group.create_task(self._visited(lane, row, rules), name=f"visit:{self._context.task.task_id}")

    async def _visited(self, lane: Lane, row: Row, rules: RobotRules | RulesUnknown) -> None:
        try:
            visit = await self._visitor.visit(row, rules)
            if visit.pause_s:
                lane.next_start = max(lane.next_start, asyncio.get_running_loop().time() + visit.pause_s)
            await self._writer.put(visit)
        finally:
            lane.active -= 1
            self._active -= 1
            self._wake.set()

    def _open_lane(self, group: asyncio.TaskGroup, lane: Lane) -> None:
        if not self._plan.obey_robots or not lane.origin:
            lane.rules = RobotRules(None, self._user_agent)
            self._wake.set()
        elif not lane.is_opening:
            lane.is_opening = True
            self._active += 1
            group.create_task(self._opened(lane), name=f"robots:{self._context.task.task_id}")

    async def _opened(self, lane: Lane) -> None:
        try:
            lane.rules = await self._rules_of(lane.origin)
            if isinstance(lane.rules, RulesUnknown):
                self._context.log("warning", f"robots.txt 无法读取: {lane.rules.error}", url=lane.origin)
        finally:
            lane.is_opening = False
            self._active -= 1
            self._wake.set()

    async def _rules_of(self, origin: str) -> RobotRules | RulesUnknown:
        attempts = 0
        while True:
            self._context.check()
            with self._context.hold("connections"):
                answer = await self._fetcher.fetch_start(f"{origin}/robots.txt")
            attempts += 1
            rules = await asyncio.to_thread(read_rules, answer, self._user_agent)
            wait_s = self._visitor.wait_s(attempts, answer.retry_after_s)
            if isinstance(rules, RobotRules) or rules.error not in PASSING or wait_s is None:
                return rules
            self._context.log(
                "warning", f"robots.txt: {answer.status or rules.error}，{wait_s:.0f}s 后再试", url=origin
            )
            await self._context.sleep(wait_s)

    def _note_stored(self, visits: list[Visit]) -> None:
        self._tally.add(visit.result for visit in visits if visit.retry_at is None)
        self._wake.set()

    async def _report(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._reported_at < self._manners.report_every_s:
            return
        self._reported_at = now
        stored, queued = self._frontier.stored, self._frontier.queued
        total = min(self._plan.max_pages, stored + queued + len(self._frontier.hand))
        books = self._tally.books(stored=stored, queued_left=queued)
        self._context.progress(done=stored, total=total, unit="page", stage=Stage.FETCH, books=books)
        # A checkpoint says that there was progress: it forgives the leases lost before it.
        if now - self._noted_at >= self._manners.note_every_s and stored > self._noted_stored:
            self._noted_at, self._noted_stored = now, stored
            note = f"{stored} pages, frontier {queued}"
            await self._patiently(lambda: self._context.checkpoint({"stored": stored}, note))

    async def _ended(self) -> Ending:
        lease = self._context.lease
        await self._patiently(lambda: self._rows.skip_rest(lease))
        stored = await self._patiently(lambda: self._items.count(lease.task_id))
        books = await self._patiently(lambda: self._rows.books(lease.task_id, is_over=True))
        books = replace(books, stored=stored, fetched_unique=stored)
        self._context.progress(done=stored, total=stored, stage=Stage.DONE, books=books)
        return ending_of(books, await self._first_wrong(), now=self._tools.clock.now())

    async def _first_wrong(self) -> Page | None:
        found: list[Page] = []
        for outcome in ("failed", "blocked"):
            task_id = self._context.lease.task_id
            found += (await self._rows.list(task_id, limit=1, outcome=outcome)).pages
        return min(found, key=lambda page: page.depth, default=None)

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        return await patiently(self._context, step)


def _few_links(visits: list[Visit]) -> list[Visit]:
    """Return the first visits whose links can be stored while the server waits to leave; others are made again."""
    links = accumulate(len(visit.links) for visit in visits)
    return [visit for visit, sum_ in zip(visits, links, strict=True) if sum_ <= _MAX_PARTING_LINKS]


def _first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
