"""A crawl that is stopped, killed and taken up again: nothing runs on, nothing is lost, stored twice or miscounted."""

import asyncio
import gc
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.crawl import visit as visit_module
from backend.crawl.extract import extract
from backend.crawl.urls import target_of
from backend.crawl.writer import Visit, Writer
from backend.domain.errors import LeaseLostError, StoreUnavailableError
from backend.domain.task import Books, Lease, StopReason, TaskStatus
from backend.store.frontier import RowResult
from tests.fixtures.bare_context import BareContext
from tests.fixtures.crawls import Crawl
from tests.fixtures.site import SitePage, page


def random_graph(seed: int, pages: int = 60) -> dict[str, list[str]]:
    chance = random.Random(seed)
    paths = ["/", *(f"/{number}" for number in range(1, pages))]
    graph = {path: [chance.choice(paths) for _ in range(3)] for path in paths}
    for parent, path in itertools.pairwise(paths):
        graph[parent if chance.random() < 0.5 else "/"].append(path)
    return graph


def reachable(graph: dict[str, list[str]], *, max_depth: int) -> list[str]:
    """The pages a crawl must find, computed without a crawler."""
    level, found = {"/"}, {"/"}
    for _ in range(max_depth):
        level = {link for path in level for link in graph[path]} - found
        found |= level
    return sorted(found)


def assert_exact(crawl: Crawl, books: Books | None, *, is_over: bool = True) -> Books:
    assert books is not None
    if is_over:
        assert books.adds_up, books
    assert books.stored == books.ok
    assert crawl.tools.gate.live().requests == 0
    return books


def held_at(crawl: Crawl, hold: str) -> None:
    crawl.site.pages = {"/": page("/a", "/b"), "/a": page("/c", hold=hold), "/b": page(hold=hold), "/c": page()}


@pytest.mark.parametrize("hold", ["headers", "body"])
@pytest.mark.parametrize("reason", [StopReason.USER, StopReason.DEADLINE])
async def test_cancel_while_a_page_is_awaited_aborts_that_page(crawl: Crawl, hold: str, reason: StopReason) -> None:
    held_at(crawl, hold)
    context = crawl.context({})
    running = await crawl.start(context)

    context.stop(reason)
    books = assert_exact(crawl, (await running).books)

    asked = crawl.site.asked
    assert books.requested == books.ok + books.aborted == asked
    assert books.aborted in {1, 2}
    assert context.held["connections"] == 0


async def test_nothing_is_asked_for_after_a_cancel(crawl: Crawl) -> None:
    held_at(crawl, "headers")
    context = crawl.context({})
    running = await crawl.start(context)
    context.stop(StopReason.USER)
    await running
    asked = sum(crawl.site.hits.values())

    crawl.site.let_go.set()
    await asyncio.sleep(0.05)

    assert sum(crawl.site.hits.values()) == asked
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(("visit:", "writer:", "robots:"))]


async def test_cancel_during_robots_has_taken_nothing_up(crawl: Crawl) -> None:
    crawl.site.pages = {"/robots.txt": SitePage(hold="headers"), "/": page()}
    context = crawl.context({"obey_robots": True})
    running = await crawl.start(context)

    context.stop(StopReason.USER)
    books = assert_exact(crawl, (await running).books)

    assert (books.requested, books.queued_left, crawl.site.asked) == (0, 1, 0)


async def test_cancel_during_back_off_aborts_the_waiting_page(crawl: Crawl) -> None:
    crawl.slower(back_off_s=60.0, longest_wait_s=600.0)
    crawl.site.pages = {"/": SitePage(status=503)}
    context = crawl.context({})
    backs_off = asyncio.Event()
    context.on_log = lambda message: backs_off.set() if "重试" in message else None
    running = asyncio.ensure_future(crawl.carry_out(context))
    await backs_off.wait()

    context.stop(StopReason.USER)
    books = assert_exact(crawl, (await running).books)

    assert (books.requested, books.aborted) == (1, 1)


async def test_cancel_while_a_page_is_parsed_leaves_no_thread(crawl: Crawl, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    parsing, ended = asyncio.Event(), []
    complaints: list[object] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))

    def slow_extract(*arguments: object, is_stopped: Callable[[], bool], **named: object) -> object:
        loop.call_soon_threadsafe(parsing.set)
        while not is_stopped():
            time.sleep(0.001)
        try:
            return extract(*arguments, is_stopped=is_stopped, **named)  # type: ignore[arg-type]
        finally:
            ended.append(True)

    monkeypatch.setattr(visit_module, "extract", slow_extract)
    crawl.site.add({"/": []})
    context = crawl.context({})
    running = asyncio.ensure_future(crawl.carry_out(context))
    await parsing.wait()

    context.stop(StopReason.USER)
    books = assert_exact(crawl, (await running).books)

    gc.collect()
    assert len(ended) == 1
    assert complaints == []
    assert (books.requested, books.aborted) == (1, 1)


@pytest.mark.parametrize("step", ["add_many", "upsert_many", "finish"])
async def test_cancel_while_pages_are_stored_keeps_them(
    crawl: Crawl, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl.site.add({"/": ["/a"], "/a": []})
    context = crawl.context({})
    store = crawl.tools.items if step == "upsert_many" else crawl.tools.frontier
    real = getattr(store, step)
    has_stopped = False

    async def stopping(*arguments: object) -> object:
        nonlocal has_stopped
        # The start URLs are added before there is anything to store.
        is_first = not has_stopped and crawl.site.asked > 0
        has_stopped = has_stopped or is_first
        if is_first:
            context.stop(StopReason.USER)
        return await real(*arguments)

    monkeypatch.setattr(store, step, stopping)
    books = assert_exact(crawl, (await crawl.carry_out(context)).books)

    assert has_stopped
    assert (books.ok, books.aborted) == (1, 0)
    assert await crawl.paths() == ["/"]


async def test_nothing_is_stored_any_more_when_the_end_of_a_crawl_fails(
    crawl: Crawl, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_at(crawl, "headers")
    context = crawl.context({})
    running = await crawl.start(context)
    real, begun, ended = Writer.store, asyncio.Event(), []

    async def store(writer: Writer, visits: list[Visit]) -> list[Visit]:
        begun.set()
        await asyncio.sleep(0.01)
        ended.append(True)
        return await real(writer, visits)

    async def put_back(*_: object) -> None:
        await begun.wait()
        raise StoreUnavailableError("away")

    monkeypatch.setattr(Writer, "store", store)
    monkeypatch.setattr(crawl.tools.frontier, "put_back", put_back)
    context.stop(StopReason.USER)
    with pytest.raises(StoreUnavailableError):
        await running

    assert ended == [True]


async def test_cancel_swept_over_every_check_keeps_exact_books(crawl: Crawl) -> None:
    graph = random_graph(7, pages=12)
    crawl.site.add(graph)
    nth, ended = 1, False
    while not ended:
        context = crawl.context({})
        context.task = replace(context.task, task_id=f"t_{nth}")
        context.lease = Lease(f"t_{nth}", "w", 1)
        count = 0

        def stop_at_nth(context: BareContext = context, nth: int = nth) -> None:
            nonlocal count
            count += 1
            if count == nth:
                context.stop(StopReason.USER)

        context.on_check = stop_at_nth
        carried = await crawl.carry_out(context)
        books = assert_exact(crawl, carried.books)
        assert context.shown.done == books.stored
        ended = count < nth
        if not ended:
            assert books.requested == books.ok + books.aborted + books.skipped
        nth += 1

    assert nth > 20


@pytest.mark.parametrize("seed", range(6))
async def test_killed_crawl_ends_with_the_same_pages_as_an_undisturbed_one(crawl: Crawl, seed: int) -> None:
    graph = random_graph(seed)
    crawl.site.add(graph)
    chance = random.Random(seed)
    ending = None
    while ending is None:
        context = crawl.context({"max_pages": 1_000, "max_depth": 100})
        if len(crawl.runs) <= 6:
            asyncio.get_running_loop().call_later(chance.random() * 0.15, context.stop, StopReason.LEASE_LOST)
        carried = await crawl.carry_out(context, is_killed=len(crawl.runs) <= 6)
        ending = carried.ending

    books = assert_exact(crawl, await _stored_books(crawl))

    assert await crawl.paths() == reachable(graph, max_depth=100)
    assert books.requested == books.ok == len(graph)
    assert ending.status is TaskStatus.SUCCEEDED


@pytest.mark.parametrize("seed", range(6))
async def test_page_limit_is_not_passed_over_many_kills(crawl: Crawl, seed: int) -> None:
    crawl.site.add(random_graph(seed))
    chance = random.Random(seed)
    ending = None
    while ending is None:
        context = crawl.context({"max_pages": 25, "max_depth": 100})
        if len(crawl.runs) <= 5:
            asyncio.get_running_loop().call_later(chance.random() * 0.1, context.stop, StopReason.LEASE_LOST)
        ending = (await crawl.carry_out(context, is_killed=len(crawl.runs) <= 5)).ending
        assert len(await crawl.items()) <= 25

    books = await _stored_books(crawl)

    assert books.adds_up
    assert (books.stored, books.ok) == (25, 25)


@pytest.mark.parametrize("seed", range(3))
async def test_finished_crawl_matches_the_graph_computed_by_hand(crawl: Crawl, seed: int) -> None:
    graph = random_graph(seed)
    crawl.site.add(graph)

    books = assert_exact(crawl, (await crawl.run({"max_pages": 1_000, "max_depth": 100})).books)

    assert await crawl.paths() == reachable(graph, max_depth=100)
    assert (books.requested, books.ok, books.queued_left) == (len(graph), len(graph), 0)
    assert crawl.site.asked == len(graph)


async def test_drained_crawl_gives_its_pages_back_and_goes_on(crawl: Crawl) -> None:
    held_at(crawl, "headers")
    context = crawl.context({})
    running = await crawl.start(context)

    context.stop(StopReason.SHUTDOWN)
    drained = (await running).books
    crawl.site.let_go.set()
    resumed = assert_exact(crawl, (await crawl.run()).books)

    assert drained is not None
    assert drained.aborted == 0
    assert (resumed.requested, resumed.ok) == (4, 4)
    assert {row.attempts for row in (await crawl.pages()).values()} == {1}


async def test_run_whose_lease_was_lost_stores_no_end(crawl: Crawl) -> None:
    held_at(crawl, "headers")
    old = crawl.context({})
    running = await crawl.start(old, is_killed=True)
    await crawl.tools.frontier.give_back("t_1", below_fence=2)

    crawl.site.let_go.set()
    carried = await running

    assert isinstance(carried.error, LeaseLostError)


async def test_books_of_a_task_that_nobody_runs_count_open_pages_as_aborted(crawl: Crawl) -> None:
    held_at(crawl, "headers")
    context = crawl.context({})
    running = await crawl.start(context, is_killed=True)
    context.stop(StopReason.LEASE_LOST)
    await running

    books = await crawl.recount(context.task)

    assert books.adds_up
    assert (books.ok, books.stored) == (1, 1)
    assert books.aborted >= 1


async def test_page_that_ends_after_its_task_no_longer_changes_the_books(crawl: Crawl) -> None:
    held_at(crawl, "headers")
    context = crawl.context({})
    running = await crawl.start(context, is_killed=True)
    context.stop(StopReason.LEASE_LOST)
    await running
    ended = replace(context.task, status=TaskStatus.CANCELLED)
    left = next(page for page in (await crawl.pages()).values() if page.state == "in_flight")
    target = target_of(left.url)
    assert target is not None

    books = await crawl.recount(ended)
    await crawl.tools.frontier.finish(context.lease, [RowResult(target.fingerprint, "ok", 1)])

    assert (await crawl.pages())[left.url.removeprefix(crawl.site.origin)].outcome == "aborted"
    assert await crawl.recount(ended) == books


async def _stored_books(crawl: Crawl) -> Books:
    return await crawl.recount(crawl.runs[-1].task)
