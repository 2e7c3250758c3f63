"""Logging in by a QR code on the page, in front of the real server, whose own Chromium is on the stand-in's login."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.chromium import chromium
from tests.fixtures.live_app import LiveApp, live_app
from tests.fixtures.server import wait_until
from tests.fixtures.xhs_site import XhsSite
from tests.fixtures.xhs_site.thread import xhs_site_in_thread

# A real Chromium is started for each login, beside the one that shows the page.
PATIENCE_MS = 90_000
PROGRAMS = ("chrom", "node")


@pytest.fixture(scope="module")
def red() -> Iterator[XhsSite]:
    with xhs_site_in_thread(login="redirect") as running:
        running.poll_ms = 50
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accounts")


@pytest.fixture(scope="module")
def server(built: Path, folder: Path, red: XhsSite) -> Iterator[LiveApp]:
    environ = {"XHS_BASE_URL": red.base_url, "BROWSER_MODE": "headless", "BROWSER_PATH": str(chromium())}
    with live_app(folder, "accounts-server", STORES="memory", XHS_MIN_INTERVAL_S="0", **environ) as running:
        yield running


def browsers_of(server: LiveApp) -> list[psutil.Process]:
    """The programs of the server's own browsers that run now."""
    pid = httpx.get(f"{server.url}/health").json()["pid"]
    found = []
    for one in psutil.Process(pid).children(recursive=True):
        try:
            if one.status() != psutil.STATUS_ZOMBIE and one.name().startswith(PROGRAMS):
                found.append(one)
        except psutil.NoSuchProcess:
            continue
    return found


def begin_login(server: LiveApp, page: Page) -> None:
    page.goto(f"{server.url}/accounts")
    page.get_by_role("region", name="小红书").get_by_role("button", name="登录").first.click()
    expect(page.get_by_alt_text("要扫描的二维码")).to_be_visible(timeout=PATIENCE_MS)


LOADED = "() => [...document.images].some((image) => image.alt === '要扫描的二维码' && image.naturalWidth > 100)"


def test_a_login_that_a_person_gives_up_leaves_nothing(server: LiveApp, page: Page, folder: Path) -> None:
    begin_login(server, page)
    page.wait_for_function(LOADED)

    page.get_by_role("button", name="取消登录").click()

    wait_until(lambda: not browsers_of(server), within_s=60)
    wait_until(lambda: not (folder / "data" / "browser" / "xhs-default").exists(), within_s=60)
    assert server.call("GET", "/accounts")["items"] == []
    wait_until(lambda: server.call("GET", "/system")["live"]["children"] == 0, within_s=60)


def test_a_browser_that_dies_is_named_and_the_login_begun_again(server: LiveApp, page: Page) -> None:
    begin_login(server, page)

    for one in browsers_of(server):
        one.kill()

    expect(page.get_by_text("BROWSER_NOT_CONNECTED")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="重试").click()
    expect(page.get_by_alt_text("要扫描的二维码")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="取消登录").click()
    wait_until(lambda: not browsers_of(server), within_s=60)


def test_a_scanned_code_logs_in_and_an_ended_session_stops_tasks_before_they_begin(
    server: LiveApp, page: Page, red: XhsSite, folder: Path
) -> None:
    begin_login(server, page)
    red.scan()
    expect(page.get_by_text("登录成功。")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="关闭").click()
    row = page.locator("[data-account]")
    expect(row.locator("[data-state]")).to_have_attribute("data-state", "ok")
    wait_until(lambda: not browsers_of(server), within_s=60)

    # The profile is lost, as in a new container: what is sealed logs in.
    wait_until((folder / "data" / "browser" / "xhs-default").exists, within_s=60)
    (folder / "data" / "browser" / "xhs-default").rename(folder / "lost")
    row.get_by_role("button", name="检查").click()
    expect(row.get_by_role("button", name="检查")).to_be_enabled(timeout=PATIENCE_MS)
    expect(row.locator("[data-state]")).to_have_attribute("data-state", "ok")

    red.expire_login()
    row.get_by_role("button", name="检查").click()
    expect(row.locator("[data-state]")).to_have_attribute("data-state", "expired", timeout=PATIENCE_MS)
    red.mark()
    task_id = server.create("xhs", {"keywords": ["露营"], "limit": 5})

    wait_until(lambda: server.call("GET", f"/tasks/{task_id}")["status"] == "waiting", within_s=60)
    task = server.call("GET", f"/tasks/{task_id}")
    assert task["attempt"] == 0
    assert task["notice"]["code"] == "NEEDS_LOGIN"
    assert list(red.since_mark) == []
    sessions = [one for one in red.people.sessions if one in server.log.read_text(encoding="utf-8")]
    assert sessions == []
