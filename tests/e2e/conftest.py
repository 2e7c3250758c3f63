"""A real browser on the built page, in front of the real server."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.fixtures.live_app import ROOT, LiveApp, live_app
from tests.fixtures.small_site import SmallSite, small_site

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# Its own five seconds are too few for a machine that runs two browsers and a build.
_TIMEOUT_MS = 60_000
expect.set_options(timeout=_TIMEOUT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder: it needs a browser, and starts a server with its stores."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(autouse=True)
def io_loop() -> None:
    """No loop of ours: Playwright's own runs in this thread for as long as the browser does."""


@pytest.fixture(scope="package")
def built() -> Path:
    """The built page."""
    index = ROOT / "frontend" / "dist" / "index.html"
    if not index.is_file():
        pytest.fail("the frontend is not built: make setup")
    return index


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for the package; each test has a context of its own in it."""
    chosen = os.environ.get("CHROMIUM_PATH")
    path = chosen or next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium on PATH")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def app(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """A server for all tests that do not mind each other's tasks."""
    with live_app(tmp_path_factory.mktemp("e2e"), "e2e-server") as running:
        yield running


@pytest.fixture(scope="package")
def site() -> Iterator[SmallSite]:
    """The site that is crawled."""
    with small_site() as running:
        yield running


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained of; a test that provokes a refusal clears it."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """A tab of its own. A test fails when the page's console has an error or a warning at its end."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="zh-CN")
    yield from _tab(context, complaints)


@pytest.fixture
def phone(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """The same on a telephone, 390 px wide."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, locale="zh-CN")
    yield from _tab(context, complaints)


def _tab(context: BrowserContext, complaints: list[str]) -> Iterator[Page]:
    context.set_default_timeout(_TIMEOUT_MS)
    tab = context.new_page()
    _listen(tab, complaints)
    yield tab
    context.close()
    assert complaints == []


def _listen(tab: Page, complaints: list[str]) -> None:
    """Write the tab's errors and warnings into `complaints`."""

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.type}: {message.text}")

    tab.on("console", note)
    tab.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
