"""A cancel ends a tab wherever it is, at once, and leaves nothing of it in the browser or in this process."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from backend.crawl.browser import Browsers, Listen, Tab
from backend.domain.task import StopReason
from tests.fixtures.bare_context import BareContext
from tests.fixtures.site import HTML, Site, SitePage

pytestmark = pytest.mark.browser

HERE = ("127.0.0.1",)
# The goal is 1 s; a busy machine must not fail the test that looks for what never ends.
BOUND_S = 10.0
BODY = b"<!doctype html><p>x</p><div style='height:90000px'></div><script>fetch('/never')</script>"
SPIN = b"<!doctype html><p>x</p><script>setTimeout(() => { fetch('/spinning'); while (true); }, 200)</script>"

Use = Callable[[Tab, Site], Awaitable[object]]


async def navigate(tab: Tab, site: Site) -> None:
    await tab.open(site.url("/hold"))


async def wait_for_answer(tab: Tab, site: Site) -> None:
    await tab.open(site.url("/"))
    await tab.next_answer(within_s=60)


async def scroll_on(tab: Tab, site: Site) -> None:
    await tab.open(site.url("/"))
    while True:
        await tab.scroll()


async def call_a_hung_page(tab: Tab, site: Site) -> None:
    await tab.open(site.url("/spin"))
    await site.asked_for(2)
    while True:
        await tab.html()


POINTS: dict[str, Use] = {
    "navigation": navigate,
    "body that never ends": wait_for_answer,
    "scrolling": scroll_on,
    "call into a hung page": call_a_hung_page,
}


def prepare(site: Site) -> None:
    site.pages["/"] = SitePage(BODY, content_type=HTML)
    site.pages["/spin"] = SitePage(SPIN, content_type=HTML)
    site.pages["/hold"] = SitePage(b"x", hold="headers")
    site.pages["/never"] = SitePage(b"{}" * 1000, hold="body", content_type="application/json")


@pytest.mark.parametrize("point", POINTS)
async def test_cancel_ends_a_tab_at(browsers: Browsers, context: BareContext, site: Site, point: str) -> None:
    prepare(site)
    ready = asyncio.Event()

    async def work() -> None:
        async with await browsers.open_tab(context, platform="x", listen=[Listen("GET", "/never")], hosts=HERE) as tab:
            asyncio.get_running_loop().call_later(0.8, ready.set)
            await POINTS[point](tab, site)

    body = asyncio.create_task(work())
    await ready.wait()
    began = time.monotonic()
    context.reason = StopReason.USER
    body.cancel()
    await asyncio.wait({body})

    assert body.cancelled()
    assert time.monotonic() - began < BOUND_S
    assert browsers.live().tabs == 0
    assert context.held["connections"] == 0


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4])
async def test_cancel_while_a_tab_opens_leaves_none(browsers: Browsers, context: BareContext, after_s: float) -> None:
    opening = asyncio.create_task(browsers.open_tab(context, platform="x", hosts=HERE))
    await asyncio.sleep(after_s)
    opening.cancel()
    await asyncio.wait({opening})
    if not opening.cancelled():
        await opening.result().close()

    assert browsers.live().tabs == 0
    assert context.held["connections"] == 0


async def test_second_cancel_does_not_cut_the_close_short(browsers: Browsers, context: BareContext, site: Site) -> None:
    prepare(site)
    tab = await browsers.open_tab(context, platform="x", hosts=HERE)
    closing = asyncio.create_task(tab.close())
    await asyncio.sleep(0)

    closing.cancel()
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})

    assert closing.cancelled()
    assert browsers.live().tabs == 0
    assert tab._page is not None
    assert tab._page.is_closed()


async def test_task_beyond_the_tabs_waits_its_turn_and_can_be_cancelled(
    browsers: Browsers, context: BareContext
) -> None:
    browsers._places = asyncio.Semaphore(1)
    first = await browsers.open_tab(context, platform="x", hosts=HERE)
    second = asyncio.create_task(browsers.open_tab(context, platform="x", hosts=HERE))
    third = asyncio.create_task(browsers.open_tab(context, platform="x", hosts=HERE))
    await asyncio.sleep(0)

    second.cancel()
    await asyncio.wait({second})
    open_meanwhile = browsers.live().tabs
    await first.close()
    last = await third
    await last.close()

    assert open_meanwhile == 1
    assert second.cancelled()


async def test_flagged_task_opens_nothing_more(browsers: Browsers, context: BareContext, site: Site) -> None:
    prepare(site)

    async with await browsers.open_tab(context, platform="x", hosts=HERE) as tab:
        context.reason = StopReason.USER
        for call in (tab.open(site.url("/")), tab.scroll(), tab.html(), tab.next_answer(within_s=1)):
            with pytest.raises(asyncio.CancelledError):
                await call

    assert site.asked == 0
