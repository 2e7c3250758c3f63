"""The page lives on the stream: what happens elsewhere is on the screen at once, and every outage is survived."""

import re
import socket
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Page, Request, Route, expect

from tests.fixtures.fault_proxy import FaultProxy
from tests.fixtures.live_app import LiveApp
from tests.fixtures.server import ServerProcess
from tests.fixtures.small_site import PAGES, SmallSite

OUTAGE_MS = 60_000
LIVE = '[data-connection="live"]'
POLLING = '[data-connection="polling"]'
DONE = """() => {
  const text = document.querySelector('.meter')?.innerText ?? '';
  return Number((/(\\d[\\d,]*)(?:\\/[\\d,]+)? 页/.exec(text) ?? ['', '0'])[1].replaceAll(',', ''));
}"""
# The statuses that a task's chip has shown.
WATCH_CHIP = """(selector) => {
  window.seen = [];
  const look = () => {
    const status = document.querySelector(selector)?.dataset.status;
    if (status && window.seen.at(-1) !== status) window.seen.push(status);
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  look();
}"""


@dataclass(frozen=True)
class House:
    """A server that can be stopped and started at its address, and the wire to its Redis."""

    server: ServerProcess
    redis: FaultProxy
    redis_url: str

    @property
    def app(self) -> LiveApp:
        return LiveApp(self.server.base, self.server.log_path)


@pytest.fixture(scope="module")
def house(built: Path, mongo_url: str, redis_url: str) -> Iterator[House]:
    with socket.socket() as probe, tempfile.TemporaryDirectory(prefix="mcp-") as folder:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        with FaultProxy(redis_url.removeprefix("unix://").partition("?")[0]) as wire:
            environ = {
                "PORT": str(port),
                "MONGODB_URL": mongo_url,
                "REDIS_URL": f"redis://127.0.0.1:{wire.port}",
                "MONGODB_DATABASE": f"test_{uuid.uuid4().hex[:12]}",
            }
            server = ServerProcess(Path(folder) / "data", Path(folder) / "server.log", environ)
            try:
                yield House(server.start(), wire, redis_url)
            finally:
                server.end()


def long_crawl(app: LiveApp, site: SmallSite, **more: object) -> str:
    return app.create("web", {"start_urls": [f"{site.url}/pages/0"], "max_pages": PAGES}, **more)


def questions(page: Page) -> list[str]:
    """Return what the page asks about tasks from now on, as it goes on asking."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/api/v1/tasks" in request.url:
            asked.append(f"{request.method} {request.url}")

    page.on("request", note)
    return asked


def leave_unanswered(_: Route) -> None:
    """Keep a question of the page from the server, and any answer from the page."""


def open_live(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator(LIVE)).to_be_visible()


def test_task_made_elsewhere_appears_without_being_asked_for(page: Page, app: LiveApp) -> None:
    app.create("web", {"start_urls": ["http://127.0.0.1:9/"]}, start="manual")
    open_live(page, f"{app.url}/tasks")
    asked = questions(page)

    task_id = app.create("web", {"start_urls": ["http://127.0.0.1:9/"]}, title="从别处来", start="manual")

    expect(page.locator(f'[data-task="{task_id}"]')).to_have_count(1)
    # Only how many there are of each status is the server's to say.
    assert [one for one in asked if "facets=true" not in one] == []


def test_progress_moves_and_log_grows_without_a_question(page: Page, app: LiveApp, site: SmallSite) -> None:
    task_id = long_crawl(app, site)
    open_live(page, f"{app.url}/tasks/{task_id}")
    page.wait_for_function(f"() => ({DONE})() > 0", timeout=60_000)
    asked = questions(page)

    for _ in range(5):
        before = page.evaluate(DONE)
        page.wait_for_function(f"() => ({DONE})() > {before}")

    # At most its history, after it went from pending to running.
    assert len(asked) <= 1, asked
    app.call("DELETE", f"/tasks/{task_id}")


def test_cancel_by_another_is_told_by_the_stream_and_never_taken_back(
    page: Page, app: LiveApp, site: SmallSite
) -> None:
    task_id = long_crawl(app, site)
    open_live(page, f"{app.url}/tasks/{task_id}")
    page.wait_for_function(f"() => ({DONE})() > 0", timeout=60_000)
    page.evaluate(WATCH_CHIP, "h1 ~ * [data-status]")

    # Nothing that the page asks is answered: what it knows, it was told.
    page.route(re.compile("/api/v1/tasks"), leave_unanswered)
    app.call("DELETE", f"/tasks/{task_id}", wait="10")

    expect(page.get_by_text("已取消，用时")).to_be_visible()
    assert [status for status in page.evaluate("window.seen") if status not in {"running", "cancelling"}] == [
        "cancelled"
    ]
    page.unroute_all(behavior="ignoreErrors")
    page.reload()
    expect(page.get_by_text("已取消，用时")).to_be_visible()


def test_three_of_six_are_chosen_and_cancelled(page: Page, app: LiveApp) -> None:
    params: dict[str, object] = {"start_urls": ["http://127.0.0.1:9/"]}
    ids = [app.create("web", params, title=f"挑选 {number}", start="manual") for number in range(6)]
    open_live(page, f"{app.url}/tasks?q=挑选")
    boxes = page.locator("tr.task input[type=checkbox]")
    expect(boxes).to_have_count(6)

    boxes.nth(1).click()
    boxes.nth(3).click(modifiers=["Shift"])
    page.get_by_role("button", name="取消所选 3").click()
    expect(page.get_by_role("dialog")).to_contain_text("将取消 3 个任务")
    page.get_by_role("button", name="取消 3 个任务").click()

    expect(page.get_by_text("已取消 3 个任务。")).to_be_visible()
    expect(page.locator('tr.task [data-status="cancelled"]')).to_have_count(3)
    # Newest first: the second to the fourth row.
    assert [app.call("GET", f"/tasks/{one}")["status"] for one in ids] == ["held"] * 2 + ["cancelled"] * 3 + ["held"]


def test_all_that_match_are_cancelled_from_the_keyboard(page: Page, app: LiveApp) -> None:
    params: dict[str, object] = {"start_urls": ["http://127.0.0.1:9/"]}
    for number in range(4):
        app.create("web", params, title=f"全部符合 {number}", start="manual")
    open_live(page, f"{app.url}/tasks?q=全部符合")
    page.locator("tr.task").first.focus()
    page.keyboard.press("x")

    page.get_by_role("button", name="取消全部符合条件的 4").press("Enter")
    expect(page.get_by_role("button", name="先不取消")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_text("已取消 4 个任务。")).to_be_visible()
    expect(page.locator('tr.task [data-status="cancelled"]')).to_have_count(4)


def test_each_address_becomes_a_task_of_its_own(page: Page, app: LiveApp) -> None:
    page.goto(f"{app.url}/tasks/new?platform=web")
    entry = page.locator('[data-field="start_urls"] input')
    for name in ("one", "two", "three"):
        entry.fill(f"https://{name}.apart.example/")
        entry.press("Enter")
    page.get_by_label("只创建，稍后手动开始").check()
    page.get_by_label("拆成 3 个任务").check()

    page.get_by_role("button", name="创建", exact=True).click()

    expect(page.get_by_text("已创建 3 个任务。")).to_be_visible()
    made = app.call("GET", "/tasks", q="apart.example")["items"]
    assert {task["status"] for task in made} == {"held"}
    assert len(made) == 3


def test_without_redis_the_page_asks_and_then_is_live_again(page: Page, house: House, site: SmallSite) -> None:
    task_id = long_crawl(house.app, site)
    open_live(page, f"{house.app.url}/tasks/{task_id}")
    page.wait_for_function(f"() => ({DONE})() > 0", timeout=60_000)

    house.redis.refuse()
    expect(page.locator(POLLING)).to_contain_text("轮询", timeout=OUTAGE_MS)
    before = page.evaluate(DONE)
    page.wait_for_function(f"() => ({DONE})() > {before}", timeout=OUTAGE_MS)
    house.redis.behave()

    expect(page.locator(LIVE)).to_contain_text("实时", timeout=OUTAGE_MS)
    house.app.call("DELETE", f"/tasks/{task_id}", wait="10")
    expect(page.get_by_text("已取消，用时")).to_be_visible()


def test_end_that_was_missed_is_shown_after_a_resync(page: Page, house: House, site: SmallSite) -> None:
    task_id = long_crawl(house.app, site)
    open_live(page, f"{house.app.url}/tasks")
    chip = f'[data-task="{task_id}"] [data-status]'
    expect(page.locator(chip)).to_have_attribute("data-status", "running")
    page.evaluate(WATCH_CHIP, chip)

    house.redis.refuse()
    house.app.call("DELETE", f"/tasks/{task_id}", wait="10")
    redis.Redis.from_url(house.redis_url).flushall()
    house.redis.behave()

    expect(page.locator(chip)).to_have_attribute("data-status", "cancelled", timeout=OUTAGE_MS)
    expect(page.locator(LIVE)).to_be_visible(timeout=OUTAGE_MS)
    again = house.app.create("web", {"start_urls": ["http://127.0.0.1:9/"]}, start="manual")
    expect(page.locator(f'[data-task="{again}"]')).to_have_count(1)
    assert page.evaluate("window.seen.at(-1)") == "cancelled"


def test_page_goes_on_after_a_restart_and_doubles_nothing(
    page: Page, house: House, site: SmallSite, complaints: list[str]
) -> None:
    task_id = long_crawl(house.app, site)
    open_live(page, f"{house.app.url}/tasks/{task_id}/log")
    page.wait_for_function(f"() => ({DONE})() > 0", timeout=60_000)

    house.server.stop()
    expect(page.get_by_text("重连中")).to_be_visible(timeout=OUTAGE_MS)
    house.server.start()

    expect(page.locator(LIVE)).to_be_visible(timeout=OUTAGE_MS)
    before = page.evaluate(DONE)
    page.wait_for_function(f"() => ({DONE})() > {before}", timeout=OUTAGE_MS)
    house.app.call("DELETE", f"/tasks/{task_id}", wait="10")
    expect(page.get_by_text("已取消，用时")).to_be_visible()
    told = house.app.call("GET", f"/tasks/{task_id}/logs")["items"]
    expect(page.locator(".line .seq", has_text=str(told[-1]["seq"]))).to_be_visible()
    shown = [int(seq) for seq in page.locator(".line .seq").all_inner_texts()]
    # The lines in view: each one more than the one before.
    assert shown == list(range(shown[0], shown[0] + len(shown)))
    assert [line["seq"] for line in told] == list(range(told[0]["seq"], told[-1]["seq"] + 1))
    page.get_by_role("link", name="← 任务").click()
    expect(page.locator(f'[data-task="{task_id}"]')).to_have_count(1)
    complaints.clear()
