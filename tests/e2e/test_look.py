"""Languages, themes, widths, accessibility: every page, as a person meets it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from tests.fixtures.live_app import ROOT, LiveApp
from tests.fixtures.small_site import SmallSite

PAGES = ("/", "/tasks", "/tasks/new", "/tasks/new?platform=web", "/videos", "/system", "/settings", "/no-such-page")
TABS = ("log", "results", "pages", "artifacts", "params", "events")
CHINESE_VIEWS = [("zh-CN", path) for path in (*PAGES, *(f"/tasks/{{}}/{tab}" for tab in TABS))]
VIEWS = [*CHINESE_VIEWS, *(("en", path) for _, path in CHINESE_VIEWS)]
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
BACKGROUND = {"light": "rgb(246, 247, 249)", "dark": "rgb(14, 17, 22)"}
WIDE: ViewportSize = {"width": 1440, "height": 900}
NARROW: ViewportSize = {"width": 390, "height": 844}
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What is wrong in the dark only is its colours.
CHECKS: dict[str, dict[str, object]] = {
    "light": {"type": "tag", "values": WCAG},
    "dark": {"type": "rule", "values": ["color-contrast"]},
}


@pytest.fixture(scope="module")
def finished(app: LiveApp, site: SmallSite) -> str:
    """The id of a task that has ended."""
    task_id = app.create("web", {"start_urls": [f"{site.url}/pages/9999"], "max_pages": 1})
    app.wait_for_end(task_id)
    return task_id


def settle(page: Page, url: str) -> None:
    """Open a page and wait until it is all there; the network is never idle, the stream stays open."""
    page.goto(url)
    expect(page.locator("h1").first).to_be_visible()
    expect(page.locator('[data-connection="live"]')).to_be_visible()
    expect(page.locator("[data-loading]")).to_have_count(0)


def message_keys(node: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in node.items():
        found += message_keys(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
    return found


@dataclass
class View:
    """What was found on one page, in one language."""

    words: set[str]
    language: str | None
    faults: dict[Literal["light", "dark"], list[str]]
    extra_px: int
    complaints: list[str]


@pytest.fixture(scope="module")
def view(request: pytest.FixtureRequest, browser: Browser, app: LiveApp, finished: str) -> View:
    """Go to a page once, and look at it wide and narrow, and in Chinese also light and dark."""
    locale, path = request.param
    context = browser.new_context(viewport=WIDE, color_scheme="light", locale="zh-CN")
    complaints: list[str] = []
    tab = context.new_page()
    listen(tab, complaints)
    settle(tab, f"{app.url}{path.format(finished)}{'&' if '?' in path else '?'}lang={locale}")
    words = set(tab.locator("body").inner_text().split())
    language = tab.locator("html").get_attribute("lang")
    faults = {theme: serious_faults(tab, theme) for theme in THEMES if locale == "zh-CN"}
    tab.set_viewport_size(NARROW)
    # What a narrow window shows is drawn in the frame after the one that finds it narrow.
    tab.wait_for_function(TWO_FRAMES)
    assert tab.evaluate("innerWidth") == NARROW["width"]
    extra = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()
    return View(words, language, faults, extra, complaints)


def listen(page: Page, complaints: list[str]) -> None:
    def note(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            complaints.append(said.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))


def serious_faults(page: Page, theme: Literal["light", "dark"]) -> list[str]:
    page.emulate_media(color_scheme=theme)
    expect(page.locator("html")).to_have_css("background-color", BACKGROUND[theme])
    page.evaluate("(axe) => window.axe || (0, eval)(axe)", AXE.read_text(encoding="utf-8"))
    found = page.evaluate("(checks) => axe.run(document, { runOnly: checks })", CHECKS[theme])
    serious = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
    return [f"{one['id']} {one['nodes'][0]['html'][:160]}" for one in serious]


@pytest.mark.parametrize("view", VIEWS, indirect=True, ids=" ".join)
def test_no_message_key_is_shown(view: View) -> None:
    texts = json.loads((ROOT / "frontend/src/i18n/zh-CN.json").read_text(encoding="utf-8"))

    assert view.words.intersection(message_keys(texts)) == set()


@pytest.mark.parametrize("view", VIEWS, indirect=True, ids=" ".join)
def test_language_of_the_address_is_spoken(view: View, request: pytest.FixtureRequest) -> None:
    assert view.language == request.node.callspec.params["view"][0]


@pytest.mark.parametrize("view", CHINESE_VIEWS, indirect=True, ids=" ".join)
def test_no_page_has_a_serious_accessibility_fault(view: View) -> None:
    assert view.faults == {"light": [], "dark": []}


@pytest.mark.parametrize("view", VIEWS, indirect=True, ids=" ".join)
def test_nothing_overflows_at_390_px(view: View) -> None:
    assert view.extra_px == 0


@pytest.mark.parametrize("view", VIEWS, indirect=True, ids=" ".join)
def test_no_page_complains_in_the_console(view: View) -> None:
    assert view.complaints == []


def test_language_is_switched_and_kept(page: Page, app: LiveApp) -> None:
    page.goto(f"{app.url}/tasks")
    page.get_by_role("button", name="EN").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")

    page.reload()

    expect(page.get_by_role("heading", level=1)).to_have_text("Tasks")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("任务")


@pytest.mark.parametrize("theme", THEMES)
def test_theme_follows_the_system(
    browser: Browser, app: LiveApp, tmp_path: Path, theme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=theme)
    tab = context.new_page()
    settle(tab, f"{app.url}/tasks")
    tab.screenshot(path=tmp_path / f"tasks-{theme}.png")

    expect(tab.locator("html")).to_have_css("background-color", BACKGROUND[theme])
    context.close()


def test_chosen_theme_is_kept(page: Page, app: LiveApp) -> None:
    page.goto(f"{app.url}/settings")
    page.get_by_role("radio", name="深色").check()

    page.reload()

    expect(page.locator("html")).to_have_css("background-color", BACKGROUND["dark"])


def test_console_is_silent_in_the_built_app_until_asked(page: Page, app: LiveApp) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    settle(page, f"{app.url}/tasks")
    assert said == []

    page.evaluate("localStorage.setItem('debug', '1')")
    with page.expect_console_message(lambda message: message.text == "📥 API 响应: /api/v1/tasks"):
        settle(page, f"{app.url}/tasks")


def test_deep_link_is_served_by_the_backend(page: Page, app: LiveApp, finished: str) -> None:
    answer = page.goto(f"{app.url}/tasks/{finished}/events")

    assert answer is not None
    assert answer.status == 200
    expect(page.get_by_role("link", name="事件")).to_have_attribute("aria-current", "page")


def test_missing_asset_is_a_404_and_never_a_page(page: Page, app: LiveApp) -> None:
    answer = page.request.get(f"{app.url}/assets/index-gone.js")

    assert answer.status == 404
    assert "<html" not in answer.text()


def test_page_older_than_the_server_asks_to_be_reloaded(page: Page, app: LiveApp, complaints: list[str]) -> None:
    page.route("**/assets/SystemPage-*.js", lambda route: route.fulfill(status=404))
    settle(page, f"{app.url}/tasks")

    page.get_by_role("link", name="系统").click()

    expect(page.get_by_text("有新版本，刷新后使用。")).to_be_visible()
    assert [one for one in complaints if one.startswith("exception")] == []
    complaints.clear()


def test_unknown_task_says_so_with_a_request_id(page: Page, app: LiveApp, complaints: list[str]) -> None:
    page.goto(f"{app.url}/tasks/t_unknown")

    expect(page.get_by_text("TASK_NOT_FOUND")).to_be_visible()
    expect(page.get_by_text("请求编号")).to_be_visible()
    complaints.clear()


def test_keyboard_alone_opens_and_leaves_a_task(page: Page, app: LiveApp, finished: str) -> None:
    settle(page, f"{app.url}/tasks")
    page.locator("tr.task").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="← 任务")).to_be_visible()

    page.keyboard.press("Escape")

    # The keys of the list are heard once it is there.
    expect(page.locator("tr.task").first).to_be_visible()
    page.keyboard.press("n")
    page.wait_for_url("**/tasks/new")
