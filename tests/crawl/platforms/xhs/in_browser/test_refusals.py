"""What the stand-in answers instead, and what becomes of the task: blocked, tried again, waiting, cancelled, killed."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from backend.domain.challenge import ChallengeKind
from backend.domain.errors import NeedsPersonError
from backend.domain.task import StopReason, TaskStatus
from tests.fixtures.bare_context import BareContext, Carried
from tests.fixtures.xhs_crawls import KEYWORD, XhsCrawl
from tests.fixtures.xhs_site import XhsSite

pytestmark = pytest.mark.browser

LIST_ONLY = {"details": False}
# A profile of its own: its cookies would be a session that has ended to the sites of other tests.
LOGGED_IN = {**LIST_ONLY, "account": "logged-in"}


def found(site: XhsSite) -> list[str]:
    return [note.note_id for note in site.world.notes(KEYWORD)]


def failed_as(carried: Carried) -> str | None:
    if carried.error is not None:
        raise carried.error
    assert carried.books is not None
    assert carried.books.adds_up
    assert carried.ending is not None
    assert carried.ending.status is TaskStatus.FAILED
    return carried.ending.error.name if carried.ending.error is not None else None


@pytest.mark.parametrize("fault", ["empty", "garbage"])
async def test_empty_or_refused_search_is_blocked_and_never_no_results(
    crawl: XhsCrawl, site: XhsSite, fault: str
) -> None:
    site.is_rendered = False
    site.plan("search", fault, times=0)

    carried = await crawl.run(LIST_ONLY)

    assert failed_as(carried) == "BLOCKED"
    assert carried.books is not None
    assert (carried.books.blocked, carried.books.requested, carried.books.stored) == (1, 1, 0)


async def test_page_that_says_the_network_is_restricted_is_believed(crawl: XhsCrawl, site: XhsSite) -> None:
    site.plan("search_page", "restricted", times=0)

    carried = await crawl.run(LIST_ONLY)

    assert failed_as(carried) == "BLOCKED"
    assert carried.ending is not None
    assert "300012" in carried.ending.message.zh


async def test_restriction_stops_the_task_at_its_first_word(crawl: XhsCrawl, site: XhsSite) -> None:
    site.is_rendered = False
    site.plan("search", "code", code=300011, times=0)

    carried = await crawl.run({**LIST_ONLY, "keywords": [KEYWORD, "帐篷"]})

    assert failed_as(carried) == "BLOCKED"
    assert (site.asked("search"), carried.books and carried.books.queued_left) == (1, 1)


@pytest.mark.parametrize(
    "fault", [{"do": "status", "status": 429, "retry_after": 1}, {"do": "reset"}], ids=["429", "reset"]
)
async def test_passing_failure_is_tried_again_and_counted_once(
    crawl: XhsCrawl, site: XhsSite, fault: dict[str, Any]
) -> None:
    site.plan("search", nth=1, times=1, **fault)

    carried = await crawl.run({**LIST_ONLY, "limit": 25})

    assert carried.error is None
    assert carried.books is not None
    assert (carried.books.ok, carried.books.requested, carried.books.stored) == (2, 2, 25)
    assert await crawl.ids() == set(found(site)[:25])


async def test_answer_that_never_comes_ends_its_unit_and_not_the_task(crawl: XhsCrawl, site: XhsSite) -> None:
    crawl.patience = replace(crawl.patience, answer_s=1.0)
    site.plan("search", "hang", times=0)

    carried = await crawl.run({**LIST_ONLY, "limit": 100})
    site.release()

    assert carried.ending is not None
    assert carried.ending.status is TaskStatus.PARTIAL
    assert (await crawl.ids(), carried.books and carried.books.failed) == (set(found(site)[:20]), 1)


async def test_captcha_waits_for_a_person_and_goes_on_at_the_same_unit(crawl: XhsCrawl, site: XhsSite) -> None:
    site.plan("search", "captcha", status=461, nth=2, times=1)

    stopped = await crawl.run({**LIST_ONLY, "limit": 65})
    saved = await crawl.ids()
    site.solve()
    resumed = await crawl.run({**LIST_ONLY, "limit": 65})

    assert isinstance(stopped.error, NeedsPersonError)
    assert (stopped.error.code, saved) == ("NEEDS_CAPTCHA", set(found(site)[:40]))
    assert stopped.error.challenge is not None
    assert stopped.error.challenge.kind is ChallengeKind.CAPTCHA
    assert stopped.error.challenge.screenshot is not None
    assert resumed.ending is not None
    assert resumed.books is not None
    assert (resumed.ending.status, resumed.books.requested, resumed.books.ok) == (TaskStatus.SUCCEEDED, 4, 4)
    assert await crawl.ids() == set(found(site)[:65])


async def run_and_scan(crawl: XhsCrawl, site: XhsSite, context: BareContext) -> Carried:
    """Run; scan the code as soon as one is shown."""
    is_shown = asyncio.Event()
    context.on_log = lambda message: is_shown.set() if "扫码" in message else None
    running = asyncio.ensure_future(crawl.carry_out(context))
    shown = asyncio.ensure_future(is_shown.wait())
    await asyncio.wait({running, shown}, return_when=asyncio.FIRST_COMPLETED)
    shown.cancel()
    site.scan()
    return await running


@pytest.mark.parametrize("login", ["redirect", "modal"])
async def test_login_wall_shows_its_code_and_goes_on_when_it_is_scanned(
    crawl: XhsCrawl, site: XhsSite, login: str
) -> None:
    site.set_login(login)
    context = crawl.context({**LOGGED_IN, "limit": 5})

    carried = await run_and_scan(crawl, site, context)

    if carried.error is not None:
        raise carried.error
    assert context.challenges[0].kind is ChallengeKind.QR
    assert context.challenges[0].qr is not None
    assert await crawl.ids() == set(found(site)[:5])


async def test_login_that_ends_on_the_way_is_renewed_at_the_same_unit(crawl: XhsCrawl, site: XhsSite) -> None:
    site.plan("search", "expired", nth=1)
    context = crawl.context({**LOGGED_IN, "limit": 45})

    carried = await run_and_scan(crawl, site, context)

    if carried.error is not None:
        raise carried.error
    # A code that grew old while the machine was busy is shown anew.
    assert {one.kind for one in context.challenges} == {ChallengeKind.QR}
    assert carried.books is not None
    # Not how many pages were ok: on a starved machine one may run out of its own patience.
    assert carried.books.adds_up
    assert site.asked("search") >= 2
    assert await crawl.ids() <= set(found(site)[:45])


async def test_cancel_while_scrolling_leaves_nothing_and_asks_nothing_more(crawl: XhsCrawl, site: XhsSite) -> None:
    context = crawl.context({**LIST_ONLY, "limit": 65})

    running = asyncio.ensure_future(crawl.carry_out(context))
    await site.until_asked("search", 1)
    context.stop(StopReason.USER)
    carried = await running
    asked = site.asked("search")
    await asyncio.sleep(0.3)

    assert carried.books is not None
    assert carried.books.adds_up
    assert (sum(context.held.values()), site.asked("search")) == (0, asked)
    assert crawl.tools.browsers is not None
    assert crawl.tools.browsers.live().tabs == 0


async def test_killed_task_goes_on_to_the_same_notes_and_comments(crawl: XhsCrawl, site: XhsSite) -> None:
    params = {"limit": 3, "comments": True, "comments_limit": 15}
    whole = [note.note_id for note in site.world.notes(KEYWORD)[:3]]
    for stop_after in (2, 5):
        context = crawl.context(params)
        left = [stop_after]

        def count(context: Any = context, left: list[int] = left) -> None:
            # Some checks after the first unit is stored.
            left[0] -= context.body is not None and bool(context.checkpoints)
            if left[0] < 0:
                context.stop(StopReason.LEASE_LOST)

        context.on_check = count
        await crawl.carry_out(context, is_killed=True)

    carried = await crawl.run(params)

    assert carried.books is not None
    assert carried.books.adds_up
    assert await crawl.ids() == set(whole)
    truth = {one.comment_id for note_id in whole for one in site.world.comments(note_id)[:15]}
    assert await crawl.ids("comment") == truth
    assert carried.books.requested == carried.books.ok
