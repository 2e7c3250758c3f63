"""A person makes a task, watches it, stops it."""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.fixtures.live_app import LiveApp, live_app
from tests.fixtures.small_site import HOSTILE_TITLE, PAGES, SmallSite

PAINT_BUDGET_MS = 100
WATCH_PAINT = """() => {
  document.addEventListener('click', () => { window.clickedAt = performance.now() }, true);
  new MutationObserver(() => {
    if (window.paintedAt === undefined && document.querySelector('[data-status=cancelling]'))
      requestAnimationFrame(() => { window.paintedAt = performance.now() });
  }).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""
DONE = """() => {
  const text = document.querySelector('.meter')?.innerText ?? '';
  return Number((/(\\d[\\d,]*)(?:\\/[\\d,]+)? 页/.exec(text) ?? ['', '0'])[1].replaceAll(',', ''));
}"""


def long_crawl(app: LiveApp, site: SmallSite) -> str:
    return app.create("web", {"start_urls": [f"{site.url}/pages/0"], "max_pages": PAGES})


def open_running(page: Page, app: LiveApp, task_id: str) -> None:
    page.goto(f"{app.url}/tasks/{task_id}")
    page.wait_for_function(f"() => ({DONE})() > 0", timeout=30_000)


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
    page.wait_for_function(f"() => ({DONE})() > 0", timeout=30_000)
    before = page.evaluate(DONE)
    page.wait_for_function(f"() => ({DONE})() > {before}")
    app.call("DELETE", f"/tasks/{page.url.rsplit('/', 1)[-1]}", wait="10")


def test_cancel_is_painted_at_once_and_proved_by_the_server(page: Page, app: LiveApp, site: SmallSite) -> None:
    task_id = long_crawl(app, site)
    open_running(page, app, task_id)
    page.evaluate(WATCH_PAINT)

    page.get_by_role("button", name="取消任务").click()

    expect(page.get_by_text("已取消，用时")).to_be_visible()
    painted_ms = page.evaluate("window.paintedAt - window.clickedAt")
    assert painted_ms <= PAINT_BUDGET_MS
    task = app.call("GET", f"/tasks/{task_id}")
    assert task["status"] == "cancelled"
    # Half up, as the page rounds: a binary float has no 0.045.
    seconds = Decimal(task["cancel_latency_ms"]).scaleb(-3).quantize(Decimal("0.01"), ROUND_HALF_UP)
    expect(page.get_by_text(f"已取消，用时 {seconds} 秒，已保存 {task['cancel']['saved']} 条")).to_be_visible()


def test_progress_never_moves_again_after_a_cancel(page: Page, app: LiveApp, site: SmallSite) -> None:
    task_id = long_crawl(app, site)
    open_running(page, app, task_id)
    page.get_by_role("button", name="取消任务").click()
    expect(page.get_by_text("已取消，用时")).to_be_visible()
    asked, done = site.asked, page.evaluate(DONE)

    page.reload()
    expect(page.get_by_text("已取消，用时")).to_be_visible()

    assert (site.asked, page.evaluate(DONE)) == (asked, done)


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

    expect(page.locator('h1 ~ * [data-status="succeeded"]')).to_be_visible(timeout=30_000)


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

    expect(page.get_by_text("重连中")).to_be_visible(timeout=30_000)
    page.context.set_offline(False)
    expect(page.get_by_text("实时")).to_be_visible(timeout=30_000)
    complaints.clear()
