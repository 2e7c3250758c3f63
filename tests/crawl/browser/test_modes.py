"""A tab in an execution of the real runner, on the server's loop and in a thread: used, cancelled, lost."""

import asyncio
from collections.abc import Iterator

import pytest
import tornado.ioloop

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.crawl.browser import Browsers, Listen
from backend.domain.execution import TaskContext
from backend.domain.task import Ending, StopReason, TaskStatus
from tests.fixtures.scripted import DONE, Bench
from tests.fixtures.site import HTML, Site, SitePage

pytestmark = pytest.mark.browser

HERE = ("127.0.0.1",)
PAGE = b"<!doctype html><p>x</p><div style='height:90000px'></div><script>fetch('/list')</script>"


@pytest.fixture(params=["loop", "thread"])
def bench(
    request: pytest.FixtureRequest, database: Database, cache: Cache, clock: Clock, io_loop: tornado.ioloop.IOLoop
) -> Iterator[Bench]:
    async def make() -> Bench:
        made = Bench(database, cache, clock, use_threads=request.param == "thread")
        await made.runner.start()
        return made

    made = io_loop.run_sync(make)
    yield made
    io_loop.run_sync(made.runner.stop)


def prepare(site: Site) -> None:
    site.pages["/"] = SitePage(PAGE, content_type=HTML)
    site.pages["/list"] = SitePage(b"[1]", content_type="application/json")


async def test_tab_is_reached_and_what_it_returns_is_plain(bench: Bench, browsers: Browsers, site: Site) -> None:
    prepare(site)
    seen: list[object] = []

    async def read(context: TaskContext) -> Ending:
        listen = [Listen("GET", "/list")]
        there = context.reach(browsers)
        async with await there.open_tab(context, platform="x", listen=listen, hosts=HERE) as tab:
            await tab.open(site.url("/"))
            answer = await tab.next_answer(within_s=30)
            await tab.scroll()
            seen.extend([answer and answer.body, tab.url, "<p>x</p>" in await tab.html(), await tab.exists("p")])
        return DONE

    bench.executor.script = read
    await bench.run(await bench.create())

    assert (await bench.read()).status is TaskStatus.SUCCEEDED
    assert seen == [b"[1]", site.url("/"), True, True]


async def test_cancel_in_the_middle_of_scrolling_leaves_no_tab(bench: Bench, browsers: Browsers, site: Site) -> None:
    prepare(site)
    scrolling = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def read(context: TaskContext) -> Ending:
        async with await context.reach(browsers).open_tab(context, platform="x", hosts=HERE) as tab:
            await tab.open(site.url("/"))
            loop.call_soon_threadsafe(scrolling.set)
            while True:
                await tab.scroll()

    bench.executor.script = read
    running = asyncio.create_task(bench.run(await bench.create()))
    await scrolling.wait()
    await bench.tasks.cancel("t_1", by="local", requested_at=bench.clock.now())
    bench.runner.stop_run("t_1", StopReason.USER)
    await running

    task = await bench.read()
    assert task.status is TaskStatus.CANCELLED
    assert browsers.live().tabs == 0
    assert task.cancel is not None
    assert task.cancel.released.connections == 1


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.1, 0.3])
async def test_cancel_while_the_tab_opens_leaves_none(
    bench: Bench, browsers: Browsers, site: Site, after_s: float
) -> None:
    async def read(context: TaskContext) -> Ending:
        async with await context.reach(browsers).open_tab(context, platform="x", hosts=HERE):
            await asyncio.Event().wait()
        return DONE

    bench.executor.script = read
    running = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()
    await asyncio.sleep(after_s)
    await bench.tasks.cancel("t_1", by="local", requested_at=bench.clock.now())
    bench.runner.stop_run("t_1", StopReason.USER)
    await running

    assert (await bench.read()).status is TaskStatus.CANCELLED
    assert browsers.live().tabs == 0
