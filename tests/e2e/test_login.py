"""A person in front of a server that asks for its token."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.live_app import LiveApp, live_app
from tests.fixtures.small_site import SmallSite

TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def guarded(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """A server with AUTH_TOKEN."""
    with live_app(tmp_path_factory.mktemp("e2e-login"), "e2e-login", AUTH_TOKEN=TOKEN) as running:
        yield running


def log_in(page: Page, token: str) -> None:
    page.get_by_label("访问令牌").fill(token)
    page.get_by_role("button", name="登录").click()


def test_token_opens_the_page_and_the_session_makes_and_cancels_a_task(
    page: Page, guarded: LiveApp, site: SmallSite
) -> None:
    page.goto(f"{guarded.url}/tasks/new?platform=web")
    expect(page.get_by_role("heading", name="登录 MediaCrawer Pro")).to_be_visible()

    log_in(page, TOKEN)

    page.wait_for_url("**/tasks/new?platform=web")
    page.locator('[data-field="start_urls"] input').fill(f"{site.url}/pages/0")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="创建并开始").click()
    page.wait_for_url("**/tasks/t*")
    # The cookie of the session carries the stream too.
    expect(page.locator('[data-connection="live"]')).to_be_visible()
    page.get_by_role("button", name="取消任务").click()
    expect(page.get_by_text("已取消，用时")).to_be_visible()


def test_wrong_token_is_told_and_the_next_try_leads_on(page: Page, guarded: LiveApp, complaints: list[str]) -> None:
    page.goto(guarded.url)

    log_in(page, "wrong-token")

    expect(page.get_by_role("alert")).to_have_text("访问令牌不正确")
    complaints.clear()
    log_in(page, TOKEN)
    page.wait_for_url(f"{guarded.url}/")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_session_that_ends_under_an_open_page_leads_to_the_form(
    page: Page, guarded: LiveApp, complaints: list[str]
) -> None:
    page.goto(f"{guarded.url}/tasks")
    log_in(page, TOKEN)
    expect(page.get_by_text("还没有任务").or_(page.locator("tr.task")).first).to_be_visible()

    page.context.clear_cookies()
    page.get_by_role("link", name="视频").click()

    expect(page.get_by_label("访问令牌")).to_be_visible(timeout=60_000)
    assert page.url == f"{guarded.url}/login?next=%2Fvideos"
    complaints.clear()


def test_link_on_another_site_needs_no_second_login(page: Page, guarded: LiveApp) -> None:
    page.goto(guarded.url)
    log_in(page, TOKEN)
    page.wait_for_url(f"{guarded.url}/")
    chat = f'<link rel="icon" href="data:,"><a href="{guarded.url}/tasks?status=running">running</a>'
    page.route("http://chat.example/", lambda route: route.fulfill(body=chat, content_type="text/html"))
    page.goto("http://chat.example/")

    page.get_by_role("link", name="running").click()

    page.wait_for_url(f"{guarded.url}/tasks?status=running")
    expect(page.get_by_label("访问令牌")).to_have_count(0)
