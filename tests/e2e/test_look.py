"""Languages, themes, widths, accessibility: every page, as a person meets it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from tests.fixtures.live_app import ROOT, LiveApp
from tests.fixtures.small_site import SmallSite

PAGES = ("/", "/tasks", "/tasks/new", "/tasks/new?platform=web", "/videos", "/system", "/settings", "/no-such-page")
TABS = ("log", "results", "pages", "artifacts", "params", "events")
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
BACKGROUND = {"light": "rgb(246, 247, 249)", "dark": "rgb(14, 17, 22)"}
WIDE: ViewportSize = {"width": 1440, "height": 900}
NARROW: ViewportSize = {"width": 390, "height": 844}
AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What is wrong in the dark only is its colours.
CHECKS: dict[str, dict[str, object]] = {
    "light": {"type": "tag", "values": WCAG},
    "dark": {"type": "rule", "values": ["color-contrast"]},
}


@pytest.fixture(scope="module")
def paths(app: LiveApp, site: SmallSite) -> list[str]:
    """Every address of the app, with a finished task for those that show one."""
    task_id = app.create("web", {"start_urls": [f"{site.url}/pages/9999"], "max_pages": 1})
    app.wait_for_end(task_id)
    return [*PAGES, *(f"/tasks/{task_id}/{tab}" for tab in TABS)]


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
class Walk:
    """What was found on one way through every page, in one language."""

    words: dict[str, set[str]] = field(default_factory=dict)
    languages: set[str | None] = field(default_factory=set)
    too_wide: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=lambda: {theme: [] for theme in THEMES})


@pytest.fixture(scope="module", params=["zh-CN", "en"])
def walk(request: pytest.FixtureRequest, browser: Browser, app: LiveApp, paths: list[str]) -> Walk:
    """Go to every page once, and look at it wide and narrow, light and dark."""
    found = Walk()
    context = browser.new_context(viewport=WIDE, color_scheme="light", locale="zh-CN")
    tab = context.new_page()
    listen(tab, found.complaints)
    settle(tab, f"{app.url}/?lang={request.param}")
    for path in paths:
        settle(tab, app.url + path)
        look_at(tab, path, found)
    context.close()
    return found


def listen(page: Page, complaints: list[str]) -> None:
    def note(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            complaints.append(said.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))


def look_at(page: Page, path: str, found: Walk) -> None:
    found.words[path] = set(page.locator("body").inner_text().split())
    found.languages.add(page.locator("html").get_attribute("lang"))
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_css("background-color", BACKGROUND[theme])
        found.faults[theme] += serious_faults(page, path, CHECKS[theme])
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(NARROW)
    extra = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if extra > 0:
        found.too_wide.append(f"{path}: {extra} px")
    page.set_viewport_size(WIDE)


def serious_faults(page: Page, path: str, checks: dict[str, object]) -> list[str]:
    page.evaluate("(axe) => window.axe || (0, eval)(axe)", AXE.read_text(encoding="utf-8"))
    faults = page.evaluate("(checks) => axe.run(document, { runOnly: checks })", checks)
    serious = [one for one in faults["violations"] if one["impact"] in {"serious", "critical"}]
    return [f"{path}: {one['id']} {one['nodes'][0]['html'][:160]}" for one in serious]


def test_no_message_key_is_shown(walk: Walk) -> None:
    texts = json.loads((ROOT / "frontend/src/i18n/zh-CN.json").read_text(encoding="utf-8"))

    shown = {path: words.intersection(message_keys(texts)) for path, words in walk.words.items()}

    assert [path for path, keys in shown.items() if keys] == []
    assert len(walk.languages) == 1


@pytest.mark.parametrize("theme", THEMES)
def test_no_page_has_a_serious_accessibility_fault(walk: Walk, theme: str) -> None:
    assert walk.faults[theme] == []


def test_nothing_overflows_at_390_px(walk: Walk) -> None:
    assert walk.too_wide == []


def test_no_page_complains_in_the_console(walk: Walk) -> None:
    assert walk.complaints == []


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

    colour = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    context.close()
    assert colour == BACKGROUND[theme]


def test_chosen_theme_is_kept(page: Page, app: LiveApp) -> None:
    page.goto(f"{app.url}/settings")
    page.get_by_role("radio", name="深色").check()

    page.reload()

    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == BACKGROUND["dark"]


def test_console_is_silent_in_the_built_app_until_asked(page: Page, app: LiveApp) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    settle(page, f"{app.url}/tasks")
    assert said == []

    page.evaluate("localStorage.setItem('debug', '1')")
    settle(page, f"{app.url}/tasks")

    assert "📥 API 响应: /api/v1/tasks" in said


def test_deep_link_is_served_by_the_backend(page: Page, app: LiveApp, paths: list[str]) -> None:
    answer = page.goto(app.url + paths[-1])

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


def test_keyboard_alone_opens_and_leaves_a_task(page: Page, app: LiveApp, paths: list[str]) -> None:
    settle(page, f"{app.url}/tasks")
    page.locator("tr.task").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="← 任务")).to_be_visible()

    page.keyboard.press("Escape")

    page.wait_for_url("**/tasks")
    page.keyboard.press("n")
    page.wait_for_url("**/tasks/new")
