"""One visit to one URL: allowed, fetched, judged, read; or put off for another attempt."""

import asyncio
import functools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from backend.core.clock import Clock
from backend.crawl.extract import Extracted, extract
from backend.crawl.fetch import Answer, FetchLimits, PageFetcher, Verdict, judge
from backend.crawl.robots import RobotRules, RulesUnknown
from backend.crawl.scope import Scope
from backend.crawl.urls import Target, canonical_of, target_of
from backend.crawl.writer import Visit
from backend.domain.execution import TaskContext
from backend.domain.item import Item, Media
from backend.store.frontier import Row, RowResult

# For all crawls of the process. The parser works in Python as much as outside it: a second one only makes the loop wait
# for its turn. (Measured while a site with 100 links a page is stored: cancels took 57 ms at the median with two, 43 ms
# with one; with two for each of four crawls 1,024 ms.)
_PARSERS_AT_ONCE = 1
_JITTER = (0.5, 1.5)


def _make_parsers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_PARSERS_AT_ONCE, thread_name_prefix="parser")


@dataclass(frozen=True, slots=True)
class Manners:
    """Bounds and waits that no task sets; tests shorten them. `back_off_s` doubles with each attempt.

    `longest_wait_s`: a site that asks to wait longer (Retry-After) is not asked again by this task. `parsers` are
    shared by all crawls that have these manners.
    """

    limits: FetchLimits = field(default_factory=FetchLimits)
    max_attempts: int = 3
    back_off_s: float = 1.0
    longest_wait_s: float = 120.0
    report_every_s: float = 0.5
    note_every_s: float = 2.0
    parsers: ThreadPoolExecutor = field(default_factory=_make_parsers)


class Visitor:
    """Makes visits for one run of one task."""

    def __init__(
        self,
        context: TaskContext,
        *,
        platform: str,
        scope: Scope,
        max_depth: int,
        fetcher: PageFetcher,
        clock: Clock,
        manners: Manners,
        chance: random.Random,
    ) -> None:
        self._context = context
        self._platform = platform
        self._scope = scope
        self._max_depth = max_depth
        self._fetcher = fetcher
        self._clock = clock
        self._manners = manners
        self._chance = chance
        self._parsers = manners.parsers

    async def visit(self, row: Row, rules: RobotRules | RulesUnknown) -> Visit:
        """Return what became of the row; nothing is stored yet."""
        if isinstance(rules, RulesUnknown):
            outcome = "blocked" if rules.error == "THROTTLED" else "failed"
            return Visit(row, RowResult(row.fingerprint, outcome, row.attempts, error=rules.error))
        if not await _allowed(rules, row.url):
            return Visit(row, RowResult(row.fingerprint, "skipped", row.attempts, reason="robots"))
        self._context.check()
        with self._context.hold("connections"):
            answer = await self._fetcher.fetch(row.url)
        self._context.check()
        return await self._judged(row, answer, rules)

    def wait_s(self, attempts: int, asked_s: float | None = None) -> float | None:
        """Return the seconds before the next attempt after so many, or None when there is to be none."""
        if attempts >= self._manners.max_attempts or (asked_s or 0.0) > self._manners.longest_wait_s:
            return None
        return max(self._manners.back_off_s * 2.0 ** (attempts - 1) * self._chance.uniform(*_JITTER), asked_s or 0.0)

    async def _judged(self, row: Row, answer: Answer, rules: RobotRules) -> Visit:
        verdict = judge(answer)
        if verdict.may_pass:
            wait_s = self.wait_s(row.attempts + 1, answer.retry_after_s)
            if wait_s is not None:
                return self._put_off(row, answer, verdict, wait_s)
        final = _redirected(row, answer)
        if final is not None and verdict.outcome is None:
            verdict = self._where_it_led(final, rules)
        if verdict.outcome is None:
            return await self._read(row, answer, final)
        if verdict.error is not None:
            self._context.log("warning", f"{verdict.error} {answer.status or ''}".strip(), url=row.url)
        return Visit(row, self._result(row, answer, verdict))

    def _where_it_led(self, final: Target, rules: RobotRules) -> Verdict:
        if not self._scope.is_home(final.url):
            return Verdict("skipped", reason="scope")
        return Verdict(None) if rules.is_heavy or rules.allows(final.url) else Verdict("skipped", reason="robots")

    def _put_off(self, row: Row, answer: Answer, verdict: Verdict, wait_s: float) -> Visit:
        attempts = row.attempts + 1
        what = answer.status or verdict.error
        self._context.log("warning", f"{what}，{wait_s:.0f}s 后第 {attempts} 次重试", url=row.url)
        # A site that asks everybody to wait is not asked for other pages meanwhile.
        pause_s = wait_s if answer.retry_after_s is not None else 0.0
        retry_at = self._clock.now() + timedelta(seconds=wait_s)
        return Visit(row, self._result(row, answer, verdict), retry_at=retry_at, pause_s=pause_s)

    async def _read(self, row: Row, answer: Answer, final: Target | None) -> Visit:
        url = final.url if final is not None else row.url
        scope = self._scope if row.depth < self._max_depth else None
        found = await self._parsed(answer, url, scope)
        if found is None:
            self._context.log("warning", "PARSE_FAILED", url=row.url)
            return Visit(row, self._result(row, answer, Verdict("failed", error="PARSE_FAILED")))
        if found.is_blank:
            return Visit(row, self._result(row, answer, Verdict("empty")))
        item = self._item(url, found)
        result = self._result(row, answer, Verdict("ok"), item_id=item.item_id)
        return Visit(row, result, item=item, links=found.links, final=final.fingerprint if final else None)

    async def _parsed(self, answer: Answer, url: str, scope: Scope | None) -> Extracted | None:
        stopped = threading.Event()
        read = functools.partial(extract, content_type=answer.content_type, url=url, scope=scope)
        job = self._parsers.submit(read, answer.body or b"", is_stopped=stopped.is_set)
        work = asyncio.wrap_future(job)
        try:
            return await asyncio.shield(work)
        except ValueError:
            return None
        except asyncio.CancelledError:
            if not job.cancel():
                # A thread is told, and waited for: none is left when the task has ended.
                stopped.set()
                await asyncio.wait({work})
            if not work.cancelled():
                # Nobody else reads it; an unread error would be logged as a fault.
                work.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise

    def _item(self, url: str, found: Extracted) -> Item:
        return Item(
            task_id=self._context.task.task_id,
            platform=self._platform,
            kind="page",
            item_id=canonical_of(url),
            url=url,
            title=found.title,
            text=found.text,
            lang=found.lang,
            published_at=found.published_at,
            first_seen_at=self._clock.now(),
            content_hash=found.content_hash,
            source="html:text",
            media=(Media("image", found.image),) if found.image else (),
            tags=found.tags,
            extra=found.extra,
        )

    def _result(self, row: Row, answer: Answer, verdict: Verdict, *, item_id: str | None = None) -> RowResult:
        return RowResult(
            row.fingerprint,
            verdict.outcome or "failed",
            row.attempts + 1,
            reason=verdict.reason,
            error=verdict.error,
            http_status=answer.status,
            final_url=answer.url if answer.status is not None else None,
            size_bytes=len(answer.body) if answer.body is not None else None,
            fetched_at=self._clock.now(),
            item_id=item_id,
        )


async def _allowed(rules: RobotRules, url: str) -> bool:
    return await asyncio.to_thread(rules.allows, url) if rules.is_heavy else rules.allows(url)


def _redirected(row: Row, answer: Answer) -> Target | None:
    """Return the final URL when it is another page than the row's."""
    if answer.url == row.url:
        return None
    final = target_of(answer.url)
    return final if final is not None and final.fingerprint != row.fingerprint else None
