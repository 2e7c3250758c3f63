"""The life of browser processes: shared, idle, killed, hung, left behind by a server that was killed."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import tornado.ioloop

from backend.core.http import NetworkPolicy
from backend.crawl.browser import BrowserOptions, Browsers, Limits, Listen, Tab
from backend.crawl.browser.bound import noted_in
from backend.domain.errors import NeedsPersonError, ShuttingDownError, TaskFailedError
from tests.fixtures.chromium import LOOPBACK, PATIENT, a_context, make_browsers, own_children
from tests.fixtures.site import HTML, Site, SitePage

pytestmark = pytest.mark.browser

HERE = ("127.0.0.1",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "browser"


@pytest.fixture
def pool(io_loop: tornado.ioloop.IOLoop, folder: Path) -> Iterator[Browsers]:
    """Browsers of a test's own; nothing of them is left at its end."""
    before = own_children()
    made = make_browsers(folder)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)
    assert own_children() <= before
    assert not list((folder / ".run").glob("*"))
    assert made.live().browsers == 0


async def open_tab(browsers: Browsers, *listen: Listen, account: str = "a") -> Tab:
    return await browsers.open_tab(a_context(), platform="x", account=account, listen=listen, hosts=HERE)


def pid_of(browsers: Browsers, role: str) -> int:
    shared = next(iter(browsers._shared.values()))
    return noted_in(shared.process._plan.folder, role)[0].pid


async def test_no_process_runs_before_the_first_tab_and_one_serves_many(pool: Browsers) -> None:
    before = own_children()

    tabs = await asyncio.gather(*(open_tab(pool) for _ in range(3)))
    live = pool.live()
    for tab in tabs:
        await tab.close()

    assert own_children() - before
    assert (live.tabs, live.browsers) == (3, 1)


@pytest.mark.parametrize("role", ["browser", "driver"])
async def test_killed_browser_is_a_named_error_and_the_next_tab_starts_a_new_one(pool: Browsers, role: str) -> None:
    tab = await open_tab(pool)
    waiting = asyncio.create_task(tab.next_answer(within_s=120))
    await asyncio.sleep(0)

    os.kill(pid_of(pool, role), signal.SIGKILL)
    with pytest.raises(TaskFailedError) as gone:
        await waiting
    await tab.close()
    again = await open_tab(pool)
    text = await again.html()
    await again.close()

    assert (gone.value.error_name, gone.value.can_retry) == ("BROWSER_NOT_CONNECTED", True)
    assert "<html" in text
    assert pool.live().browsers == 1


async def test_hung_browser_is_killed_when_a_tab_cannot_be_closed(io_loop: object, folder: Path) -> None:
    before = own_children()
    pool = make_browsers(folder, limits=Limits(call_s=60, launch_s=60, close_s=0.5, leave_s=0.5, kill_s=5))
    await pool.start()
    tab = await open_tab(pool)

    for one in psutil.Process(pid_of(pool, "browser")).children(recursive=True):
        one.suspend()
    os.kill(pid_of(pool, "browser"), signal.SIGSTOP)
    await tab.close()
    left = own_children() - before
    await pool.stop()

    assert left == set()
    assert pool.live().browsers == 0


async def test_hung_driver_is_killed_at_the_stop(io_loop: object, folder: Path) -> None:
    before = own_children()
    pool = make_browsers(folder, limits=Limits(call_s=60, launch_s=60, close_s=0.5, leave_s=0.5, kill_s=5))
    await pool.start()
    await open_tab(pool)

    os.kill(pid_of(pool, "driver"), signal.SIGSTOP)
    await pool.stop()

    assert own_children() <= before
    assert pool.live().tabs == 0


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.3, 0.8, 1.5, 3.0])
async def test_cancel_while_the_browser_starts_leaves_none(pool: Browsers, after_s: float) -> None:
    before = own_children()
    opening = asyncio.create_task(open_tab(pool))
    await asyncio.sleep(after_s)

    opening.cancel()
    await asyncio.wait({opening})
    if not opening.cancelled():
        await opening.result().close()
    else:
        await asyncio.sleep(0)

    assert pool.live().tabs == 0
    assert pool.live().browsers == 0 or own_children() - before


async def test_cancel_of_one_who_waits_for_the_start_leaves_it_to_the_others(pool: Browsers) -> None:
    first, second = (asyncio.create_task(open_tab(pool)) for _ in range(2))
    await asyncio.sleep(0.1)

    first.cancel()
    tab = await second
    await tab.close()

    assert first.cancelled()
    assert pool.live().browsers == 1


async def test_idle_browser_is_closed_and_started_again(io_loop: object, folder: Path) -> None:
    before = own_children()
    pool = make_browsers(folder, idle_s=0.05)
    await pool.start()

    await (await open_tab(pool)).close()
    process = pool._processes["x-a"][0]
    await process.ended.wait()
    left = own_children() - before
    await (await open_tab(pool)).close()
    await pool.stop()

    assert left == set()


async def test_session_is_kept_from_one_start_to_the_next_and_apart_from_other_accounts(
    io_loop: object, folder: Path, site: Site
) -> None:
    site.pages["/"] = SitePage(b"<p>x</p>", content_type=HTML, headers={"Set-Cookie": "who=me; Max-Age=6000"})
    site.pages["/ask"] = SitePage(b"<script>document.write(document.cookie)</script>", content_type=HTML)

    async def ask(pool: Browsers, account: str, *paths: str) -> str:
        async with await open_tab(pool, account=account) as tab:
            for path in paths:
                await tab.open(site.url(path))
            return await tab.html()

    for paths in (["/"], []):
        pool = make_browsers(folder)
        await pool.start()
        mine = await ask(pool, "a", *paths, "/ask")
        if not paths:
            others = await ask(pool, "b", "/ask")
        await pool.stop()

    assert "who=me" in mine
    assert "who=me" not in others


async def test_second_server_on_the_same_profile_is_told_who_has_it(pool: Browsers, folder: Path) -> None:
    other = make_browsers(folder)
    await other.start()
    tab = await open_tab(pool)

    with pytest.raises(NeedsPersonError) as refused:
        await open_tab(other)
    await tab.close()
    await other.stop()

    assert refused.value.code == "BROWSER_NOT_CONNECTED"


async def test_program_that_is_no_browser_needs_a_person(io_loop: object, folder: Path) -> None:
    before = own_children()
    options = BrowserOptions(mode="headless", path=Path("/bin/false"))
    pool = Browsers(options, folder=folder, policy=LOOPBACK, limits=PATIENT)
    await pool.start()

    with pytest.raises(NeedsPersonError) as refused:
        await open_tab(pool)
    left = own_children() - before
    await pool.stop()

    assert refused.value.code == "BROWSER_NOT_CONNECTED"
    assert left == set()


async def test_driver_that_cannot_start_needs_a_person(
    io_loop: object, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = own_children()
    # As a Node.js does that misses a library.
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", "/bin/false")
    pool = make_browsers(folder)
    await pool.start()

    with pytest.raises(NeedsPersonError) as refused:
        await open_tab(pool)
    left = own_children() - before
    await pool.stop()

    assert refused.value.code == "BROWSER_NOT_CONNECTED"
    assert left == set()


@pytest.mark.parametrize(("trusted", "other"), [("localhost", "127.0.0.1"), ("127.0.0.1", "localhost")])
async def test_page_reaches_no_private_address_but_the_one_that_settings_name(  # noqa: PLR0917
    io_loop: object, folder: Path, site: Site, other_site: Site, trusted: str, other: str
) -> None:
    here = f"http://{trusted}:{site.port}"
    elsewhere = f"http://{other}:{other_site.port}/"
    script = f"fetch('{elsewhere}', {{mode: 'no-cors'}}).then(() => fetch('/reached'), () => fetch('/refused'))"
    picture = f"<img src='{elsewhere}picture'>"
    site.pages["/"] = SitePage(f"{picture}<script>{script}</script>".encode(), content_type=HTML)
    pool = make_browsers(folder, policy=NetworkPolicy(trusted_origins=frozenset({here})))
    await pool.start()

    async with await open_tab(pool, Listen("GET", "/reached"), Listen("GET", "/refused")) as tab:
        await tab.open(f"{here}/")
        answer = await tab.next_answer(within_s=60)
    await pool.stop()

    assert answer is not None
    assert answer.path == "/refused"
    assert other_site.asked == 0


async def test_stopped_browsers_open_nothing(io_loop: object, folder: Path) -> None:
    pool = make_browsers(folder)

    with pytest.raises(ShuttingDownError):
        await open_tab(pool)


_SERVER = """
import asyncio, sys
from pathlib import Path
from tests.fixtures.chromium import a_context, make_browsers

async def main():
    pool = make_browsers(Path(sys.argv[1]))
    await pool.start()
    await pool.open_tab(a_context(), platform="x", hosts=("127.0.0.1",))
    print("up", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def start_server(folder: Path) -> "subprocess.Popen[str]":
    server = subprocess.Popen([sys.executable, "-c", _SERVER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdout.readline() == "up\n"
    return server


def kill(server: "subprocess.Popen[str]") -> None:
    server.kill()
    server.wait()
    assert server.stdout is not None
    server.stdout.close()


def running_after(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until none of them runs; return those that still do. Zombies do not: it is init that reaps them."""
    until = time.monotonic() + seconds
    while True:
        running = [one for one in processes if one.is_running() and _status(one) != psutil.STATUS_ZOMBIE]
        if not running or time.monotonic() > until:
            return running
        time.sleep(0.02)


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return str(psutil.STATUS_ZOMBIE)


def test_nothing_of_a_killed_server_runs_on(folder: Path) -> None:
    server = start_server(folder)
    everything = psutil.Process(server.pid).children(recursive=True)

    kill(server)

    assert len(everything) > 3
    assert running_after(everything, 30) == []


async def test_hung_browser_of_a_killed_server_is_ended_by_the_next_start(io_loop: object, folder: Path) -> None:
    server = start_server(folder)
    everything = psutil.Process(server.pid).children(recursive=True)
    noted = (program for one in (folder / ".run").glob("*/*") for program in noted_in(one, "browser"))
    hung = psutil.Process(next(noted).pid)
    hung.suspend()
    kill(server)

    pool = make_browsers(folder)
    await pool.start()
    alive = running_after(everything, 30)
    await (await open_tab(pool, account="default")).close()
    await pool.stop()

    assert alive == []
