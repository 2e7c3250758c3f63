"""A person makes a task, watches it, stops it."""

import re
from pathlib import Path

import httpx
from playwright.sync_api import Page, Route, expect

from tests.fixtures.live_app import LiveApp, live_app
from tests.fixtures.small_site import HOSTILE_TITLE, PAGES, SmallSite, small_site

CANCELLED = re.compile(r"已取消，用时 ([\d.]+) 秒，已保存 ([\d,]+) 条")
DONE = """() => {
  const text = document.querySelector('.meter')?.innerText ?? '';
  return Number((/(\\d[\\d,]*)(?:\\/[\\d,]+)? 页/.exec(text) ?? ['', '0'])[1].replaceAll(',', ''));
}"""


def long_crawl(app: LiveApp, site: SmallSite) -> str:
    return app.create("web", {"start_urls": [f"{site.url}/pages/0"], "max_pages": PAGES})


def open_running(page: Page, app: LiveApp, task_id: str) -> None:
    page.goto(f"{app.url}/tasks/{task_id}")
    page.wait_for_function(f"() => ({DONE})() > 0", timeout=60_000)


def hold_cancels(page: Page) -> list[Route]:
    """Keep every DELETE of a task from the server; return them as they come."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "DELETE":
            held.append(route)
        else:
            route.continue_()

    page.route("**/api/v1/tasks/*", hold)
    return held


def shown_cancel(said: str) -> tuple[float, int]:
    """The seconds and the results that the page tells of a cancel."""
    match = CANCELLED.search(said)
    assert match is not None, said
    return float(match[1]), int(match[2].replace(",", ""))


def asked_of(site: SmallSite) -> int:
    """How often the site was called, with all that was sent to it before this: it takes one after another."""
    httpx.get(f"{site.url}/hostile", timeout=60, trust_env=False)
    return site.called


def test_empty_database_offers_three_examples_that_run(page: Page, built: Path, tmp_path: Path) -> None:
    with live_app(tmp_path, "e2e-first-run") as fresh:
        page.goto(f"{fresh.url}/tasks")

        expect(page.get_by_text("还没有任务，从这里开始")).to_be_visible()
        expect(page.get_by_role("button", name="运行", exact=True)).to_have_count(3)
        page.goto("about:blank")


def test_crawl_made_in_the_form_moves_without_a_reload(page: Page, app: LiveApp, site: SmallSite) -> None:
    page.goto(f"{app.url}/tasks/new?platform=web")
    page.locator('[data-field="start_urls"] input').fill(f"{site.url}/pages/0")
    page.keyboard.press("Enter")

    page.get_by_role("button", name="创建并开始").click()

    page.wait_for_url("**/tasks/t*")
    page.wait_for_function(f"() => ({DONE})() > 0", timeout=60_000)
    before = page.evaluate(DONE)
    page.wait_for_function(f"() => ({DONE})() > {before}")
    app.call("DELETE", f"/tasks/{page.url.rsplit('/', 1)[-1]}", wait="10")


def test_cancel_is_painted_at_once_and_proved_by_the_server(page: Page, app: LiveApp, site: SmallSite) -> None:
    task_id = long_crawl(app, site)
    open_running(page, app, task_id)
    held = hold_cancels(page)

    page.get_by_role("button", name="取消任务").click()

    # The server has not been asked yet: this is the page's own doing.
    expect(page.locator("h1 ~ * [data-status]")).to_have_attribute("data-status", "cancelling")
    assert app.call("GET", f"/tasks/{task_id}")["status"] == "running"
    assert len(held) == 1
    held[0].continue_()
    said = page.get_by_text(CANCELLED)
    expect(said).to_be_visible()
    task = app.call("GET", f"/tasks/{task_id}")
    assert task["status"] == "cancelled"
    seconds, saved = shown_cancel(said.inner_text())
    assert saved == task["cancel"]["saved"]
    # Two digits, and one from ten seconds on.
    assert abs(seconds - task["cancel_latency_ms"] / 1000) <= 0.051


def test_progress_never_moves_again_after_a_cancel(page: Page, app: LiveApp) -> None:
    with small_site() as own:
        task_id = long_crawl(app, own)
        open_running(page, app, task_id)
        page.get_by_role("button", name="取消任务").click()
        expect(page.get_by_text("已取消，用时")).to_be_visible()
        asked, done = asked_of(own), page.evaluate(DONE)

        page.reload()
        expect(page.get_by_text("已取消，用时")).to_be_visible()

        # Once more, by this test itself.
        assert (asked_of(own), page.evaluate(DONE)) == (asked + 1, done)


def test_cancel_from_the_list_needs_no_detail(page: Page, app: LiveApp, site: SmallSite) -> None:
    task_id = long_crawl(app, site)
    page.goto(f"{app.url}/tasks")
    row = page.locator(f'[data-task="{task_id}"]')

    row.get_by_role("button", name="取消任务").click()

    expect(row.locator('[data-status="cancelled"]')).to_be_visible()
    expect(row).to_contain_text("用时")


def test_cancelled_task_can_be_run_again_and_deleted(page: Page, app: LiveApp, site: SmallSite) -> None:
    task_id = long_crawl(app, site)
    app.call("DELETE", f"/tasks/{task_id}", wait="10")
    page.goto(f"{app.url}/tasks/{task_id}")

    page.get_by_role("button", name="重跑", exact=True).click()

    expect(page.get_by_role("link", name="重跑自另一个任务")).to_be_visible()
    again = page.url.rsplit("/", 1)[-1]
    page.get_by_role("button", name="取消任务").click()
    page.get_by_role("button", name="删除").click()
    page.get_by_role("button", name="连同结果永久删除").click()
    page.wait_for_url("**/tasks")
    assert app.call("GET", "/tasks", ids=again)["items"] == []


def test_held_task_is_started_from_its_page(page: Page, app: LiveApp, site: SmallSite) -> None:
    task_id = app.create("web", {"start_urls": [f"{site.url}/hostile"], "max_pages": 1}, start="manual")
    page.goto(f"{app.url}/tasks/{task_id}")

    page.get_by_role("button", name="开始", exact=True).click()

    expect(page.locator('h1 ~ * [data-status="succeeded"]')).to_be_visible(timeout=60_000)


def test_markup_in_what_was_crawled_stays_text(page: Page, app: LiveApp, site: SmallSite) -> None:
    task_id = app.create("web", {"start_urls": [f"{site.url}/hostile"], "max_pages": 1}, title=HOSTILE_TITLE)
    app.wait_for_end(task_id)

    page.goto(f"{app.url}/tasks/{task_id}/results")

    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE_TITLE)
    expect(page.locator(".item").first).to_contain_text("<img src=x")
    assert page.evaluate("window.wasHarmed") is None
    assert page.locator("img[src=x]").count() == 0


def test_log_pages_and_events_tell_what_happened(page: Page, app: LiveApp, site: SmallSite) -> None:
    task_id = app.create("web", {"start_urls": [f"{site.url}/pages/9999"], "max_pages": 1})
    app.wait_for_end(task_id)

    page.goto(f"{app.url}/tasks/{task_id}/log")
    expect(page.get_by_role("log").locator(".line").first).to_be_visible()
    page.get_by_role("link", name="页面", exact=True).click()
    expect(page.get_by_text(f"{site.url}/pages/9999").first).to_be_visible()
    page.get_by_role("link", name="事件", exact=True).click()

    expect(page.get_by_text("被领取")).to_be_visible()


def test_filters_live_in_the_address(page: Page, app: LiveApp, site: SmallSite) -> None:
    app.create("web", {"start_urls": [f"{site.url}/hostile"]}, title="地址里的筛选")
    page.goto(f"{app.url}/tasks")
    page.get_by_role("searchbox").fill("地址里的筛选")
    page.wait_for_url("**/tasks?q=*")

    page.reload()

    expect(page.locator("tr.task")).to_have_count(1)
    page.get_by_role("searchbox").fill("没有这样的任务")
    expect(page.get_by_text("没有匹配的任务")).to_be_visible()


def test_server_that_is_gone_is_said_and_its_return_noticed(page: Page, app: LiveApp, complaints: list[str]) -> None:
    page.goto(f"{app.url}/tasks")
    expect(page.get_by_text("实时")).to_be_visible()

    page.context.set_offline(True)

    expect(page.get_by_text("重连中")).to_be_visible(timeout=60_000)
    page.context.set_offline(False)
    expect(page.get_by_text("实时")).to_be_visible(timeout=60_000)
    complaints.clear()
