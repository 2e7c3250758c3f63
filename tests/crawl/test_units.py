"""A crawl of units on the real mongod: a site of numbered pages that a test scripts, read without a browser."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.http import HttpGate
from backend.crawl.platform import CrawlTools
from backend.crawl.refusal import EMPTY_ANSWER, NO_ANSWER, Refusal
from backend.crawl.unit import Reading, UnitManners
from backend.crawl.units import UnitCrawl
from backend.domain.errors import NeedsPersonError, TaskFailedError
from backend.domain.item import Item
from backend.domain.task import Lease, StopReason, TaskStatus
from backend.domain.text import Text
from backend.store.frontier import FrontierStore, NewRow, Row
from backend.store.items import ItemStore
from tests.fixtures.bare_context import BareContext, Carried, carry_out, crawl_task

NOW = datetime(2026, 11, 22, tzinfo=UTC)
MANNERS = UnitManners(back_off_s=0.001, longest_wait_s=10, report_every_s=0, note_every_s=0)
GONE = Refusal("HTTP_STATUS", Text("没有了", "gone"), outcome="failed")


def item(number: int) -> Item:
    return Item(
        *("t_1", "x", "post", str(number), f"https://x.example/{number}", None, None),
        first_seen_at=NOW,
        content_hash="sha256:0",
        source="x",
    )


def page_row(number: int) -> NewRow:
    return NewRow(f"page:{number}", f"https://x.example/?page={number}", "pages", 0, -number, {"part": number})


@dataclass
class Pages:
    """Reads `pages` pages of ten items up to `limit`; `answers` are what some readings bring instead, in turn."""

    pages: int = 3
    limit: int = 1_000
    answers: dict[int, list[Reading | Exception]] = field(default_factory=dict)
    on_read: Callable[[int], None] = lambda _: None
    read_pages: list[int] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)
    resets: int = 0
    is_closed: bool = False
    items: ItemStore | None = None

    def starts(self) -> Sequence[NewRow]:
        return [page_row(1)]

    async def load(self) -> None:
        assert self.items is not None
        self.stored = set(await self.items.ids_of("t_1", "x", "post"))

    def next_lane(self, queued: Mapping[str, int]) -> str | None:
        return "pages" if queued.get("pages") and len(self.stored) < self.limit else None

    async def read(self, row: Row) -> Reading:
        assert row.data is not None
        number = int(row.data["part"])
        self.read_pages.append(number)
        self.on_read(number)
        if self.answers.get(number):
            answer = self.answers[number].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        ids = [one for one in range(number * 10, number * 10 + 10) if str(one) not in self.stored]
        found = (page_row(number + 1),) if number < self.pages else ()
        return Reading("ok", items=tuple(item(one) for one in ids[: self.limit - len(self.stored)]), found=found)

    def note_stored(self, row: Row, reading: Reading) -> None:
        self.stored |= {one.item_id for one in reading.items}

    def expected(self) -> int | None:
        return self.limit

    async def reported_total(self, items: ItemStore) -> int | None:
        return 1_234

    async def reset(self) -> None:
        self.resets += 1

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class Rig:
    tools: CrawlTools
    runs: int = 0

    def context(self) -> BareContext:
        self.runs += 1
        return BareContext(crawl_task("x", "search", {}), Lease("t_1", f"w_{self.runs}", self.runs))

    async def run(
        self,
        pages: Pages,
        *,
        context: BareContext | None = None,
        manners: UnitManners = MANNERS,
        is_killed: bool = False,
    ) -> Carried:
        pages.items = self.tools.items
        made = context or self.context()
        return await carry_out(
            made,
            lambda given: UnitCrawl(given, self.tools, pages, manners=manners, chance=random.Random(1)),
            is_killed=is_killed,
        )

    async def ids(self) -> set[int]:
        return {int(one) for one in await self.tools.items.ids_of("t_1", "x", "post")}


@pytest.fixture
def rig(crawl_gate: HttpGate, database: Database, clock: Clock, io_loop: tornado.ioloop.IOLoop) -> Rig:
    items, frontier = ItemStore(database), FrontierStore(database, clock=clock)
    io_loop.run_sync(items.ensure_indexes)
    io_loop.run_sync(frontier.ensure_indexes)
    return Rig(CrawlTools(crawl_gate, items, frontier, clock))


async def test_every_unit_is_counted_once_and_the_books_balance(rig: Rig) -> None:
    pages = Pages()

    carried = await rig.run(pages)

    assert carried.ending is not None
    assert carried.books is not None
    assert carried.ending.status is TaskStatus.SUCCEEDED
    books = carried.books
    assert (books.requested, books.ok, books.stored, books.fetched_unique, books.reported_total) == (
        3,
        3,
        30,
        30,
        1_234,
    )
    assert books.adds_up
    assert pages.is_closed


async def test_limit_is_never_overshot_and_units_beyond_it_stay_in_the_queue(rig: Rig) -> None:
    carried = await rig.run(Pages(limit=15))

    assert await rig.ids() == set(range(10, 25))
    assert carried.books is not None
    assert (carried.books.requested, carried.books.queued_left, carried.books.stored) == (2, 1, 15)


async def test_what_may_pass_is_tried_again_and_counts_once(rig: Rig) -> None:
    pages = Pages(answers={2: [Reading("failed", refusal=NO_ANSWER), Reading("failed", refusal=NO_ANSWER)]})
    context = rig.context()

    carried = await rig.run(pages, context=context)

    assert pages.read_pages == [1, 2, 2, 2, 3]
    assert carried.books is not None
    assert (carried.books.requested, carried.books.ok) == (3, 3)
    assert sum(level == "warning" for level, _, _ in context.lines) == 2
    rows = (await rig.tools.frontier.list("t_1", limit=10)).pages
    assert [row.attempts for row in rows] == [1, 3, 1]


async def test_wait_that_was_asked_for_is_kept(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    throttled = replace(NO_ANSWER, error="THROTTLED", retry_after_s=7.0)
    context, slept = rig.context(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(context, "sleep", sleep)
    await rig.run(Pages(answers={1: [Reading("blocked", refusal=throttled)]}), context=context)

    assert slept == [7.0]


async def test_site_that_asks_to_wait_too_long_is_not_asked_again(rig: Rig) -> None:
    throttled = replace(NO_ANSWER, error="THROTTLED", outcome="blocked", retry_after_s=11.0)
    pages = Pages(answers={1: [Reading("blocked", refusal=throttled)]})

    carried = await rig.run(pages)

    assert pages.read_pages == [1]
    assert carried.ending is not None
    assert carried.ending.error is not None
    assert (carried.ending.status, carried.ending.error.name) == (TaskStatus.FAILED, "THROTTLED")


async def test_unit_that_fails_makes_the_task_partial_and_is_named(rig: Rig) -> None:
    carried = await rig.run(Pages(answers={2: [Reading("failed", found=(page_row(3),), refusal=GONE)]}))

    assert carried.ending is not None
    assert (carried.ending.status, "没有了" in carried.ending.message.zh) == (TaskStatus.PARTIAL, True)
    assert await rig.ids() == {*range(10, 20), *range(30, 40)}


async def test_refusal_of_everything_stops_the_task(rig: Rig) -> None:
    whole = replace(EMPTY_ANSWER, may_pass=False, is_whole=True)
    pages = Pages(answers={1: [Reading("blocked", found=(page_row(2),), refusal=whole)]})

    carried = await rig.run(pages)

    assert pages.read_pages == [1]
    assert carried.books is not None
    assert (carried.books.blocked, carried.books.queued_left) == (1, 1)


async def test_five_failures_in_a_row_stop_the_task(rig: Rig) -> None:
    wrong: dict[int, list[Reading | Exception]] = {
        number: [Reading("blocked", found=(page_row(number + 1),), refusal=replace(EMPTY_ANSWER, may_pass=False))]
        for number in range(1, 20)
    }
    pages = Pages(pages=30, answers=wrong)

    await rig.run(pages)

    assert pages.read_pages == [1, 2, 3, 4, 5]


async def test_source_without_results_succeeds_with_nothing(rig: Rig) -> None:
    carried = await rig.run(Pages(answers={1: [Reading("empty")]}))

    assert carried.ending is not None
    assert (carried.ending.status, "没有结果" in carried.ending.message.zh) == (TaskStatus.SUCCEEDED, True)


async def test_page_that_hangs_ends_its_unit_and_is_left(rig: Rig) -> None:
    hung = TaskFailedError("DEADLINE", Text("没有响应", "hung"), where="fetch", can_retry=True)
    pages = Pages(answers={1: [hung]})

    carried = await rig.run(pages)

    assert (pages.resets, pages.read_pages) == (1, [1, 1, 2, 3])
    assert carried.books is not None
    assert carried.books.ok == 3


async def test_browser_that_is_gone_ends_the_attempt_and_the_unit_goes_back(rig: Rig) -> None:
    gone = TaskFailedError("BROWSER_NOT_CONNECTED", Text("浏览器没了", "gone"), where="fetch", can_retry=True)
    pages = Pages(answers={2: [gone]})

    first = await rig.run(pages)
    second = await rig.run(Pages())

    assert isinstance(first.error, TaskFailedError)
    assert pages.is_closed
    assert second.books is not None
    assert (second.books.requested, second.books.ok, second.books.stored) == (3, 3, 30)


async def test_person_that_is_needed_finds_the_task_at_the_same_unit(rig: Rig) -> None:
    wall = NeedsPersonError("NEEDS_LOGIN", Text("登录", "log in"))

    first = await rig.run(Pages(answers={2: [wall]}))
    pages = Pages()
    second = await rig.run(pages)

    assert isinstance(first.error, NeedsPersonError)
    assert pages.read_pages == [2, 3]
    assert second.books is not None
    assert (second.books.requested, second.books.ok, second.books.adds_up) == (3, 3, True)


@pytest.mark.parametrize("reason", [StopReason.USER, StopReason.DEADLINE])
async def test_stop_in_the_middle_of_a_unit_counts_it_as_aborted(rig: Rig, reason: StopReason) -> None:
    context = rig.context()

    def stop(number: int) -> None:
        if number == 2:
            context.stop(reason)
            context.check()

    carried = await rig.run(Pages(on_read=stop), context=context)

    assert carried.books is not None
    books = carried.books
    assert (books.requested, books.ok, books.aborted, books.stored, books.adds_up) == (2, 1, 1, 10, True)
    assert context.shown.done == books.stored


async def test_shutdown_gives_the_unit_back(rig: Rig) -> None:
    context = rig.context()

    def stop(number: int) -> None:
        if number == 2:
            context.stop(StopReason.SHUTDOWN)
            context.check()

    await rig.run(Pages(on_read=stop), context=context)
    carried = await rig.run(Pages())

    assert carried.books is not None
    assert (carried.books.requested, carried.books.ok, carried.books.stored) == (3, 3, 30)


@pytest.mark.parametrize(("killed_at", "limit"), [*zip(range(1, 32), [25, 1_000] * 16, strict=False)])
async def test_crawl_killed_anywhere_ends_with_the_same_items(rig: Rig, killed_at: int, limit: int) -> None:
    context = rig.context()
    checks = [0]

    def kill() -> None:
        checks[0] += 1
        if checks[0] == killed_at:
            context.stop(StopReason.LEASE_LOST)

    context.on_check = kill
    await rig.run(Pages(limit=limit), context=context, is_killed=True)

    carried = await rig.run(Pages(limit=limit))

    assert await rig.ids() == set(range(10, min(40, 10 + limit)))
    assert carried.books is not None
    assert (carried.books.adds_up, carried.books.requested, carried.books.stored) == (True, 3, min(30, limit))
    assert carried.ending is not None
    assert carried.ending.status is TaskStatus.SUCCEEDED


async def test_checkpoint_says_that_there_was_progress(rig: Rig) -> None:
    context = rig.context()

    await rig.run(Pages(), context=context)

    assert [state["stored"] for state, _ in context.checkpoints] == [10, 20, 30]
