"""The user's own Chrome: attached to over CDP, never closed, and none of its tabs touched but ours."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import tornado.ioloop

from backend.crawl.browser import BrowserOptions, Browsers, Limits
from backend.domain.errors import NeedsPersonError, TaskFailedError
from tests.fixtures.chromium import LOOPBACK, QUICK, a_context, chromium, own_children
from tests.fixtures.site import HTML, Site, SitePage, redirect

pytestmark = pytest.mark.browser

HERE = ("127.0.0.1",)


@dataclass(frozen=True)
class Chrome:
    url: str
    pid: int


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A Chrome as a user would run it, with remote debugging allowed; its address."""
    profile = tmp_path_factory.mktemp("users-own")
    flags = ("--headless", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank")
    running = subprocess.Popen([str(chromium()), *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    port_file = profile / "DevToolsActivePort"
    until = time.monotonic() + 60
    while not (port_file.is_file() and "\n" in port_file.read_text()):
        assert running.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    yield Chrome(f"http://127.0.0.1:{port_file.read_text().split()[0]}", running.pid)
    assert running.poll() is None, "it was closed"
    running.terminate()
    running.wait()


def attached_to(url: str, folder: Path, *, attach_s: float = 60) -> Browsers:
    options = BrowserOptions(mode="attach", cdp_url=url)
    limits = Limits(attach_s=attach_s, call_s=60, launch_s=60, navigate_s=60, close_s=30)
    return Browsers(options, folder=folder, policy=LOOPBACK, pace=QUICK, limits=limits)


@pytest.fixture
def pool(io_loop: tornado.ioloop.IOLoop, chrome: Chrome, tmp_path: Path) -> Iterator[Browsers]:
    before = own_children(but=chrome.pid)
    made = attached_to(chrome.url, tmp_path / "browser")
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)
    assert own_children(but=chrome.pid) <= before


async def targets(pool: Browsers) -> set[str]:
    """The pages of the whole browser."""
    shared = next(iter(pool._shared.values()))
    return {page.url for page in shared.process.context.pages}


async def test_only_our_tabs_are_closed_and_the_users_stay_as_they_are(pool: Browsers, site: Site) -> None:
    site.pages["/"] = SitePage(b"<p>x</p>", content_type=HTML)
    site.pages["/users"] = SitePage(b"<p>users</p>", content_type=HTML)
    first = await pool.open_tab(a_context(), platform="x", hosts=HERE)
    users = await pool._shared["attached"].process.context.new_page()
    await users.goto(site.url("/users"))

    await first.open(site.url("/"))
    while_open = await targets(pool)
    await first.close()
    after = await targets(pool)
    await users.goto(site.url("/"))

    assert site.url("/") in while_open
    assert site.url("/") not in after
    assert site.url("/users") in after
    await users.close()


async def test_only_our_own_tabs_documents_are_judged(pool: Browsers, site: Site, other_site: Site) -> None:
    elsewhere = other_site.url("/").replace("127.0.0.1", "localhost")
    site.pages["/away"] = redirect(elsewhere)
    other_site.pages["/"] = SitePage(b"<p>x</p>", content_type=HTML)

    async with await pool.open_tab(a_context(), platform="x", hosts=HERE) as tab:
        with pytest.raises(TaskFailedError) as refused:
            await tab.open(site.url("/away"))
        users = await pool._shared["attached"].process.context.new_page()
        await users.goto(elsewhere)
        await users.close()

    assert refused.value.error_name == "BLOCKED"
    assert other_site.hits["/"] == 1


async def test_all_accounts_share_the_attached_browser(pool: Browsers) -> None:
    one = await pool.open_tab(a_context(), platform="x", account="a")
    two = await pool.open_tab(a_context(), platform="y", account="b")
    live = pool.live()
    await one.close()
    await two.close()

    assert (live.tabs, live.browsers) == (2, 1)


async def test_browser_that_is_not_there_needs_a_person(io_loop: object, tmp_path: Path) -> None:
    pool = attached_to("http://127.0.0.1:1", tmp_path)
    await pool.start()

    with pytest.raises(NeedsPersonError) as refused:
        await pool.open_tab(a_context(), platform="x")
    await pool.stop()

    assert refused.value.code == "BROWSER_NOT_CONNECTED"
    assert refused.value.advice is not None


async def test_attach_that_hangs_ends_at_its_limit(io_loop: object, chrome: Chrome, site: Site, tmp_path: Path) -> None:
    before = own_children(but=chrome.pid)
    site.pages["/json/version/"] = SitePage(hold="headers")
    pool = attached_to(site.origin, tmp_path, attach_s=0.5)
    await pool.start()

    with pytest.raises(NeedsPersonError) as refused:
        await pool.open_tab(a_context(), platform="x")
    left = own_children(but=chrome.pid) - before
    await pool.stop()

    assert refused.value.code == "BROWSER_NOT_CONNECTED"
    assert left == set()


async def test_cancel_while_attaching_leaves_nothing(
    io_loop: object, chrome: Chrome, site: Site, tmp_path: Path
) -> None:
    before = own_children(but=chrome.pid)
    site.pages["/json/version/"] = SitePage(hold="headers")
    pool = attached_to(site.origin, tmp_path, attach_s=600)
    await pool.start()
    opening = asyncio.create_task(pool.open_tab(a_context(), platform="x"))
    await site.reached.wait()

    opening.cancel()
    await asyncio.wait({opening})
    left = own_children(but=chrome.pid) - before
    await pool.stop()

    assert opening.cancelled()
    assert left == set()
