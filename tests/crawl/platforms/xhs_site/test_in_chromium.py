"""The stand-in as a real browser meets it: its own script asks, pages, logs in, and runs into every fault."""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from scripts.devtools.suite import find_browser
from tests.fixtures.server import wait_until
from tests.fixtures.xhs_site import XhsSite
from tests.fixtures.xhs_site.content import Note
from tests.fixtures.xhs_site.thread import xhs_site_in_thread

pytestmark = pytest.mark.browser

KEYWORD = "露营"
SEARCH = "/search/notes"
_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")

FAULTS: dict[str, tuple[dict[str, Any], int, bytes]] = {
    "empty": ({"do": "empty"}, 200, b""),
    "empty data": ({"do": "empty_data"}, 200, b'{"code":0,"success":true,"msg":"\xe6\x88\x90\xe5\x8a\x9f","data":{}}'),
    "garbage": ({"do": "garbage"}, 200, b"<html>"),
    "endless": (
        {"do": "endless"},
        200,
        b'{"code":0,"success":true,"msg":"\xe6\x88\x90\xe5\x8a\x9f","data":{"has_more":true',
    ),
    "refused": ({"do": "refuse"}, 406, b'{"code":-1,"success":false'),
    "account": ({"do": "code", "code": 300011}, 200, b'{"code":300011,"success":false'),
    "network": ({"do": "code", "code": 300012, "status": 403}, 403, b'{"code":300012,"success":false'),
    "gone": ({"do": "code", "code": -510000}, 200, b'{"code":-510000,"success":false'),
    "busy": ({"do": "status", "status": 429, "retry_after": 3}, 429, b"busy"),
    "broken": ({"do": "status", "status": 503}, 503, b"busy"),
    "late": ({"do": "late", "seconds": 0.05}, 200, b'{"code":0,"success":true'),
}


@pytest.fixture(autouse=True)
def io_loop() -> None:
    """No loop of ours: Playwright's own runs in this thread for as long as the browser does."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_browser(os.environ)
    if path is None:
        pytest.skip("no Chromium on PATH")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def site() -> Iterator[XhsSite]:
    with xhs_site_in_thread() as running:
        running.poll_ms = 30
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def results(site: XhsSite) -> str:
    return f"{site.base_url}/search_result?keyword={KEYWORD}"


def note_url(site: XhsSite, note: Note) -> str:
    return f"{site.base_url}/explore/{note.note_id}?xsec_token={note.token}&xsec_source=pc_search"


def listen(page: Page, suffix: str) -> list[Response]:
    heard: list[Response] = []
    page.on("response", lambda answer: heard.append(answer) if suffix in answer.url else None)
    return heard


def scroll(page: Page, x: int = 700) -> None:
    page.mouse.move(x, 500)
    page.mouse.wheel(0, 4_000)


def scroll_to_answer(page: Page, suffix: str, x: int = 700) -> Response:
    # A turn of the wheel before the page has grown asks for nothing.
    for last in (False,) * 9 + (True,):
        with contextlib.ExitStack() as patient:
            if not last:
                patient.enter_context(contextlib.suppress(PlaywrightTimeoutError))
            with page.expect_response(lambda answer: suffix in answer.url, timeout=3_000) as waited:
                scroll(page, x)
            answer: Response = waited.value
            return answer
    raise AssertionError


def ids_in_state(page: Page) -> list[str]:
    ids: list[str] = page.evaluate("() => window.__INITIAL_STATE__.search.feeds._rawValue.map((item) => item.id)")
    return ids


def data_of(answer: Response) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(answer.body())["data"]
    return told


def test_search_by_scrolling_brings_every_note_once_told(site: XhsSite, page: Page) -> None:
    page.goto(results(site))
    page.wait_for_selector("section.note-item")
    found = ids_in_state(page)

    has_more = True
    while has_more:
        data = data_of(scroll_to_answer(page, SEARCH))
        found += [item["id"] for item in data["items"]]
        has_more = data["has_more"]

    hits = {one for one in found if "#" not in one}
    assert hits == {note.note_id for note in site.world.notes(KEYWORD)}
    assert len(found) > len(hits)
    assert (site.asked("search"), site.unsigned) == (3, [])
    page.wait_for_selector(".end-container")


def test_comments_by_scrolling_and_replies_by_clicking(site: XhsSite, page: Page) -> None:
    note = site.world.notes(KEYWORD)[0]
    comments, replies = listen(page, "/comment/page"), listen(page, "/comment/sub/page")
    page.goto(note_url(site, note))
    page.wait_for_selector(".parent-comment")
    while not page.locator(".end-container").count():
        # The comments scroll in a pane of their own, to the right.
        scroll(page, 1_100)
        page.wait_for_timeout(30)
    while page.locator(".show-more").count():
        with page.expect_response(lambda answer: "/comment/sub/page" in answer.url):
            page.locator(".show-more").first.click()
        page.wait_for_timeout(20)

    threads = [one for answer in comments for one in data_of(answer)["comments"]]
    below = [one["id"] for thread in threads for one in thread["sub_comments"]]
    below += [one["id"] for answer in replies for one in data_of(answer)["comments"]]
    assert [one["id"] for one in threads] == [one.comment_id for one in site.world.comments(note.note_id)]
    assert sorted(below) == sorted(one.comment_id for one in site.world.replies(note.note_id))


def test_creators_notes_by_scrolling(site: XhsSite, page: Page) -> None:
    creator = next(iter(site.world.creators.values()))
    page.goto(f"{site.base_url}/user/profile/{creator.user_id}?xsec_token={creator.token}")
    page.wait_for_selector("section.note-item")
    scroll_to_answer(page, "/user_posted")
    scroll_to_answer(page, "/user_posted")

    page.wait_for_selector(".end-container")
    links = page.locator("a.cover").evaluate_all("all => all.map((one) => one.pathname.split('/').pop())")

    assert links == [note.note_id for note in site.world.posted(creator.user_id)]


def test_what_is_not_rendered_is_asked_for(site: XhsSite, page: Page) -> None:
    site.is_rendered = False
    note = site.world.notes(KEYWORD)[0]

    for url in (results(site), note_url(site, note)):
        page.goto(url)
        page.wait_for_selector("section.note-item, .parent-comment")

    assert (site.asked("search"), site.asked("feed")) == (1, 1)


def test_a_click_on_a_card_opens_the_note_over_the_list(site: XhsSite, page: Page) -> None:
    page.goto(results(site))

    with page.expect_response(lambda answer: "/v1/feed" in answer.url) as waited:
        page.locator("section.note-item a.cover").first.click()
    page.wait_for_selector(".note-detail-mask .parent-comment")
    page.keyboard.press("Escape")

    assert data_of(waited.value)["items"][0]["id"] == site.world.notes(KEYWORD)[0].note_id
    assert page.locator(".note-detail-mask").count() == 0
    assert "/search_result" in page.url


def test_filters_change_what_the_page_asks(site: XhsSite, page: Page) -> None:
    page.goto(results(site))
    page.hover(".filter")

    with page.expect_response(lambda answer: SEARCH in answer.url) as waited:
        page.click(".filter-panel .filters:nth-child(1) .tags:nth-child(2)")

    newest = site.world.notes(KEYWORD, sort="time_descending")[:20]
    hits = [item["id"] for item in data_of(waited.value)["items"] if item["model_type"] == "note"]
    assert hits == [note.note_id for note in newest]


@pytest.mark.parametrize("login", ["modal", "redirect"])
def test_login_wall_goes_when_its_code_is_scanned(site: XhsSite, page: Page, login: str) -> None:
    site.set_login(login)
    page.goto(results(site))
    page.wait_for_selector("img.qrcode-img[src^='data:image/png']")
    before = page.locator("section.note-item").count()
    site.wait(site.until_asked("qrcode_status"), 30)

    site.scan(is_confirmed=False)
    page.wait_for_selector("text=请在手机上确认")
    site.scan()

    page.wait_for_selector("section.note-item")
    assert (before, "/search_result" in page.url) == (0, True)
    assert page.evaluate("() => window.__INITIAL_STATE__.user.loggedIn") is True


def test_old_code_is_made_anew_by_a_click(site: XhsSite, page: Page) -> None:
    page.goto(f"{site.base_url}/login")
    site.wait(site.until_asked("qrcode_status"), 30)
    site.expire_codes()
    page.wait_for_selector("text=二维码已过期")

    page.click("img.qrcode-img")
    site.wait(site.until_asked("qrcode_create", 2), 30)

    assert site.scan() == 1


def test_expired_session_is_refused_and_the_page_asks_to_log_in(site: XhsSite, page: Page) -> None:
    page.context.add_cookies([site.log_in()])  # type: ignore[list-item]
    page.goto(results(site))
    site.plan("search", "expired")

    answer = scroll_to_answer(page, SEARCH)

    page.wait_for_selector(".login-container img.qrcode-img")
    assert answer.json()["code"] == -100


def test_captcha_is_met_solved_and_left(site: XhsSite, page: Page) -> None:
    page.goto(results(site))
    site.plan("search", "captcha", status=471)

    answer = scroll_to_answer(page, SEARCH)
    page.wait_for_selector(".captcha-container")
    site.solve()
    page.wait_for_selector("section.note-item")

    assert (answer.status, "verifyuuid" in answer.headers) == (471, True)


def test_page_behind_a_captcha_is_reached_by_pulling_the_slider(site: XhsSite, page: Page) -> None:
    site.plan("search_page", "captcha")
    page.goto(results(site))

    page.focus(".red-captcha-slider")
    page.keyboard.press("End")

    page.wait_for_selector("section.note-item")
    assert "/search_result" in page.url


def test_faults_reach_the_page_as_they_are(site: XhsSite, page: Page) -> None:
    page.goto(results(site))
    page.hover(".filter")
    met: dict[str, bool] = {}

    for name, (fault, status, body) in FAULTS.items():
        site.plan("search", **fault)
        with page.expect_response(lambda answer: SEARCH in answer.url) as waited:
            page.click(".filters:nth-child(1) .tags:nth-child(2)")
        answer = waited.value
        retry_after = str(fault["retry_after"]) if "retry_after" in fault else None
        met[name] = (answer.status, answer.headers.get("retry-after")) == (status, retry_after)
        met[name] &= answer.body().startswith(body)

    assert met == dict.fromkeys(FAULTS, True)


def test_page_goes_on_after_a_server_error(site: XhsSite, page: Page) -> None:
    page.goto(results(site))
    site.plan("search", "status", status=502, times=2)

    statuses = [scroll_to_answer(page, SEARCH).status for _ in range(3)]

    assert statuses == [502, 502, 200]


def test_nothing_found_is_told_from_a_wall(site: XhsSite, page: Page) -> None:
    page.goto(f"{site.base_url}/search_result?keyword=没有结果")
    page.wait_for_selector("text=没找到相关内容")
    site.plan("search_page", "login_modal")
    page.goto(results(site))
    page.wait_for_selector("text=登录后查看搜索结果")

    site.plan("search_page", "restricted")
    page.goto(results(site))

    assert "code: 300012" in page.inner_text("body")


def test_loop_brings_the_same_notes_for_ever(site: XhsSite, page: Page) -> None:
    page.goto(results(site))
    site.plan("search", "loop", times=0)

    pages = [data_of(scroll_to_answer(page, SEARCH)) for _ in range(4)]

    assert {tuple(item["id"] for item in one["items"]) for one in pages} == {tuple(ids_in_state(page))}
    assert all(one["has_more"] for one in pages)


@pytest.mark.parametrize("how", ["hang", "hang_body"])
def test_hung_answer_ends_with_its_tab(site: XhsSite, page: Page, how: str) -> None:
    page.goto(results(site))
    site.plan("search", how)
    scroll(page)
    site.wait(site.holding.wait(), 30)
    during = site.answering
    site.mark()

    page.close()

    wait_until(lambda: site.answering == 0, within_s=5)
    assert (during, [one for one in site.since_mark if one.kind == "search"]) == (1, [])


def test_signature_counts_once(site: XhsSite, page: Page) -> None:
    page.goto(results(site))
    sent = scroll_to_answer(page, SEARCH).request
    again = {"headers": {name: sent.headers[name] for name in ("x-s", "x-t")}, "body": sent.post_data}

    status = page.evaluate(
        "([url, more]) => fetch(url, {method: 'POST', ...more}).then((a) => a.status)", [sent.url, again]
    )

    assert status == 461


def test_frozen_page_answers_nothing_and_can_be_closed(site: XhsSite, page: Page) -> None:
    site.plan("search_page", "freeze")
    page.goto(results(site), wait_until="domcontentloaded")

    with pytest.raises(PlaywrightTimeoutError):
        page.screenshot(timeout=700)

    page.close()


def test_page_that_never_finishes_has_its_content_all_the_same(site: XhsSite, page: Page) -> None:
    site.plan("search_page", "never_loads")

    with pytest.raises(PlaywrightTimeoutError):
        page.goto(results(site), timeout=700)

    assert len(ids_in_state(page)) == 21


def test_any_name_of_loopback_will_do(site: XhsSite, page: Page) -> None:
    site.base_url = site.origin.replace("127.0.0.1", "localhost")
    page.goto(results(site))

    answer = scroll_to_answer(page, SEARCH)

    cover = data_of(answer)["items"][0]["note_card"]["cover"]["url_default"]
    assert (answer.status, cover.startswith(f"{site.base_url}/media/")) == (200, True)
