"""A tab of a real Chromium: what it opens, hears, shows and refuses."""

import asyncio

import pytest

from backend.crawl.browser import Browsers, Listen, Tab
from backend.domain.errors import TaskFailedError
from tests.fixtures.bare_context import BareContext
from tests.fixtures.site import HTML, Site, SitePage, redirect

pytestmark = pytest.mark.browser

HERE = ("127.0.0.1",)
JSON = "application/json"


def html(body: str) -> SitePage:
    return SitePage(f"<!doctype html><title>x</title>{body}".encode(), content_type=HTML)


def asks(*paths: str) -> SitePage:
    return html("".join(f"<script>fetch('{path}')</script>" for path in paths))


async def open_tab(browsers: Browsers, context: BareContext, *listen: Listen, hosts: tuple[str, ...] = HERE) -> Tab:
    return await browsers.open_tab(context, platform="x", listen=listen, hosts=hosts)


async def test_open_returns_the_status_and_html_shows_the_page(
    browsers: Browsers, context: BareContext, site: Site
) -> None:
    site.pages["/gone"] = SitePage("露营".encode(), status=404)

    async with await open_tab(browsers, context) as tab:
        status = await tab.open(site.url("/gone"))
        page = await tab.html()

    assert (status, tab.url) == (404, site.url("/gone"))
    assert "露营" in page


async def test_answer_is_kept_by_method_and_end_of_path(browsers: Browsers, context: BareContext, site: Site) -> None:
    site.pages["/"] = asks("/api/v2/other", "/api/v2/list?page=1")
    site.pages["/api/v2/list?page=1"] = SitePage(b'{"a":1}', status=461, content_type=JSON, headers={"verifytype": "1"})

    async with await open_tab(browsers, context, Listen("GET", "/v2/list"), Listen("POST", "/other")) as tab:
        await tab.open(site.url("/"))
        answer = await tab.next_answer(within_s=20)
        nothing_more = await tab.next_answer(within_s=0.2)

    assert answer is not None
    assert (answer.path, answer.method, answer.status, answer.body) == ("/api/v2/list", "GET", 461, b'{"a":1}')
    assert answer.headers == {"verifytype": "1"}
    assert nothing_more is None


async def test_body_of_the_request_is_kept_with_the_answer(
    browsers: Browsers, context: BareContext, site: Site
) -> None:
    site.pages["/"] = html("""<script>fetch('/search', {method: 'POST', body: '{"keyword":"露营"}'})</script>""")

    async with await open_tab(browsers, context, Listen("POST", "/search")) as tab:
        await tab.open(site.url("/"))
        answer = await tab.next_answer(within_s=20)

    assert answer is not None
    assert answer.request_body == '{"keyword":"露营"}'


@pytest.mark.parametrize("status", [200, 204, 404])
async def test_empty_answer_is_an_answer(browsers: Browsers, context: BareContext, site: Site, status: int) -> None:
    site.pages["/"] = asks("/empty")
    site.pages["/empty"] = SitePage(b"", status=status, content_type=JSON if status != 204 else None)

    async with await open_tab(browsers, context, Listen("GET", "/empty")) as tab:
        await tab.open(site.url("/"))
        answer = await tab.next_answer(within_s=20)

    assert answer is not None
    assert (answer.status, answer.body) == (status, b"")


async def test_answer_with_a_body_above_the_limit_is_dropped_and_said(
    browsers: Browsers, context: BareContext, site: Site
) -> None:
    site.pages["/"] = asks("/big", "/small")
    site.pages["/big"] = SitePage(b"x" * (9 * 1024 * 1024), content_type=JSON)
    site.pages["/small"] = SitePage(b"{}", content_type=JSON)

    async with await open_tab(browsers, context, Listen("GET", "/big"), Listen("GET", "/small")) as tab:
        await tab.open(site.url("/"))
        answer = await tab.next_answer(within_s=20)
        nothing_more = await tab.next_answer(within_s=0.1) if tab.dropped else await tab.next_answer(within_s=5)

    assert answer is not None
    assert (answer.path, nothing_more) == ("/small", None)
    assert sum(tab.dropped.values()) == 1
    assert [level for level, _, _ in context.lines] == ["warning"]


async def test_wheel_moves_the_page_and_what_it_loads_then_is_heard(
    browsers: Browsers, context: BareContext, site: Site
) -> None:
    script = "addEventListener('scroll', () => fetch('/more'), {once: true})"
    site.pages["/"] = html(f"<div style='height:9000px'></div><script>{script}</script>")
    site.pages["/more"] = SitePage(b"{}", content_type=JSON)

    async with await open_tab(browsers, context, Listen("GET", "/more")) as tab:
        await tab.open(site.url("/"))
        await tab.scroll()
        answer = await tab.next_answer(within_s=20)

    assert answer is not None


async def test_wheel_moves_a_list_that_scrolls_by_itself(browsers: Browsers, context: BareContext, site: Site) -> None:
    script = "document.querySelector('#list').addEventListener('scroll', () => fetch('/more'), {once: true})"
    box = "<div id=list style='height:200px;width:300px;overflow:auto;margin:300px'><div style='height:5000px'>"
    site.pages["/"] = html(f"{box}</div></div><script>{script}</script>")
    site.pages["/more"] = SitePage(b"{}", content_type=JSON)

    async with await open_tab(browsers, context, Listen("GET", "/more")) as tab:
        await tab.open(site.url("/"))
        await tab.scroll(over="#list")
        answer = await tab.next_answer(within_s=20)

    assert answer is not None


async def test_click_hits_what_can_be_seen_and_says_when_there_is_nothing(
    browsers: Browsers, context: BareContext, site: Site
) -> None:
    site.pages["/"] = html("<div style='height:3000px'></div><button onclick='fetch(\"/hit\")'>b</button><i hidden>")
    site.pages["/hit"] = SitePage(b"{}", content_type=JSON)

    async with await open_tab(browsers, context, Listen("GET", "/hit")) as tab:
        await tab.open(site.url("/"))
        clicked = [await tab.click("button"), await tab.click("i"), await tab.click("#none")]
        answer = await tab.next_answer(within_s=20)

    assert clicked == [True, False, False]
    assert answer is not None


async def test_pictures_are_taken_of_the_window_and_of_one_thing(
    browsers: Browsers, context: BareContext, site: Site
) -> None:
    site.pages["/"] = html("<div id=qr style='width:90px;height:90px;background:red'></div>")

    async with await open_tab(browsers, context) as tab:
        await tab.open(site.url("/"))
        window, thing, nothing = await tab.screenshot(), await tab.picture_of("#qr"), await tab.picture_of("#none")

    assert window.startswith(b"\xff\xd8\xff")
    assert (thing or b"").startswith(b"\x89PNG")
    assert nothing is None


async def test_a_picture_of_what_goes_meanwhile_is_none_and_not_waited_for(
    browsers: Browsers, context: BareContext, site: Site
) -> None:
    # A thing that never rests is not taken a picture of before it goes.
    move = "setInterval(() => { q.style.left = `${(n += 7) % 200}px` }, 5)"
    site.pages["/"] = html(
        f"<p id=q style='position:absolute'>x</p><script>let n = 0; {move}; setTimeout(() => q.remove(), 1500)</script>"
    )

    async with await open_tab(browsers, context) as tab:
        await tab.open(site.url("/"))
        async with asyncio.timeout(30):
            while await tab.exists("#q"):
                picture = await tab.picture_of("#q")

    assert picture is None or picture.startswith(b"\x89PNG")


async def test_pages_cache_is_on(browsers: Browsers, context: BareContext, site: Site) -> None:
    site.pages["/"] = html("<script src='/app.js'></script>")
    site.pages["/app.js"] = SitePage(b"1", content_type="text/javascript", headers={"Cache-Control": "max-age=600"})

    async with await open_tab(browsers, context) as tab:
        await tab.open(site.url("/"))
        await tab.open(site.url("/"))

    assert site.hits["/app.js"] == 1


# -- what is not let through -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("file:///etc/passwd", "SCHEME_REFUSED"),
        ("chrome://version/", "SCHEME_REFUSED"),
        ("http://example.org/", "SCHEME_REFUSED"),
        ("https://10.0.0.1/", "PRIVATE_ADDRESS"),
        ("https://example.org/", "BLOCKED"),
    ],
)
async def test_what_may_not_be_opened_is_refused_by_name(
    browsers: Browsers, context: BareContext, url: str, name: str
) -> None:
    async with await open_tab(browsers, context) as tab:
        with pytest.raises(TaskFailedError) as refused:
            await tab.open(url)

    assert refused.value.error_name == name


async def test_redirect_to_another_host_is_not_followed(
    browsers: Browsers, context: BareContext, site: Site, other_site: Site
) -> None:
    elsewhere = other_site.url("/").replace("127.0.0.1", "localhost")
    site.pages["/away"] = redirect(elsewhere)

    async with await open_tab(browsers, context) as tab:
        with pytest.raises(TaskFailedError) as refused:
            await tab.open(site.url("/away"))

    assert (refused.value.error_name, refused.value.url) == ("BLOCKED", elsewhere)
    assert other_site.asked == 0


async def test_frames_and_popups_of_other_hosts_are_not_loaded(
    browsers: Browsers, context: BareContext, site: Site, other_site: Site
) -> None:
    elsewhere = other_site.url("/").replace("127.0.0.1", "localhost")
    site.pages["/"] = html(f"<iframe src='{elsewhere}frame'></iframe><script>open('{elsewhere}popup')</script><p>x</p>")

    async with await open_tab(browsers, context) as tab:
        await tab.open(site.url("/"))
        await asyncio.sleep(1)
        pages = len(tab._process.context.pages)

    assert other_site.asked == 0
    assert pages == 2  # the blank one it started with, and ours


async def test_dialog_is_dismissed_and_download_refused(browsers: Browsers, context: BareContext, site: Site) -> None:
    site.pages["/"] = html("<script>if (!confirm('?')) fetch('/dismissed')</script><a href='/file' download>f</a>")
    site.pages["/file"] = SitePage(b"data", content_type="application/octet-stream")
    site.pages["/dismissed"] = SitePage(b"{}", content_type=JSON)

    async with await open_tab(browsers, context, Listen("GET", "/dismissed")) as tab:
        await tab.open(site.url("/"))
        answer = await tab.next_answer(within_s=20)
        await tab.click("a")
        await asyncio.sleep(0.2)
        still_there = await tab.exists("a")

    assert answer is not None
    assert still_there


async def test_service_workers_are_blocked(browsers: Browsers, context: BareContext, site: Site) -> None:
    script = "navigator.serviceWorker.register('/sw.js').finally(() => fetch('/registered'))"
    site.pages["/"] = html(f"<script>{script}</script>")
    site.pages["/sw.js"] = SitePage(b"1", content_type="text/javascript")

    async with await open_tab(browsers, context, Listen("GET", "/registered")) as tab:
        await tab.open(site.url("/"))
        answer = await tab.next_answer(within_s=20)

    assert answer is not None
    assert site.hits["/sw.js"] == 0


# -- a tab that is gone ------------------------------------------------------------------------------------------


async def test_crashed_tab_is_a_named_error_to_be_tried_again(
    browsers: Browsers, context: BareContext, site: Site
) -> None:
    site.pages["/"] = html("<p>x</p>")

    async with await open_tab(browsers, context) as tab:
        await tab.open(site.url("/"))
        waiting = asyncio.create_task(tab.next_answer(within_s=60))
        session = await tab._process.context.new_cdp_session(tab._page)  # type: ignore[arg-type]
        crash = asyncio.create_task(session.send("Page.crash"))
        with pytest.raises(TaskFailedError) as gone:
            await waiting
        crash.cancel()
        with pytest.raises(TaskFailedError):
            await tab.html()

    assert (gone.value.error_name, gone.value.can_retry) == ("BROWSER_NOT_CONNECTED", True)


async def test_tab_closed_by_a_person_is_a_named_error(browsers: Browsers, context: BareContext, site: Site) -> None:
    site.pages["/slow"] = SitePage(hold="headers")

    async with await open_tab(browsers, context) as tab:
        opening = asyncio.create_task(tab.open(site.url("/slow")))
        await site.reached.wait()
        assert tab._page is not None
        await tab._page.close()
        with pytest.raises(TaskFailedError) as gone:
            await opening

    assert gone.value.error_name == "BROWSER_NOT_CONNECTED"


async def test_tab_is_counted_as_a_connection_until_it_is_closed(browsers: Browsers, context: BareContext) -> None:
    tab = await open_tab(browsers, context)
    held = context.held["connections"]
    await tab.close()
    await tab.close()

    assert (held, context.held["connections"]) == (1, 0)
