"""One Chromium for the tests of a file: its loop outlives a test, and each test must leave the browser as it was."""

import asyncio
from collections.abc import Iterator

import pytest
import tornado.ioloop

from backend.crawl.browser import Browsers
from tests.fixtures.bare_context import BareContext
from tests.fixtures.chromium import a_context, make_browsers
from tests.fixtures.site import Site


@pytest.fixture(scope="package", autouse=True)
def io_loop() -> Iterator[tornado.ioloop.IOLoop]:
    """A loop for the whole folder: a browser lives on the one it was started on."""
    asyncio_loop = asyncio.new_event_loop()
    asyncio.set_event_loop(asyncio_loop)
    loop = tornado.ioloop.IOLoop(asyncio_loop=asyncio_loop, make_current=False)
    yield loop
    asyncio_loop.run_until_complete(asyncio_loop.shutdown_asyncgens())
    asyncio_loop.run_until_complete(asyncio_loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close(all_fds=False)


@pytest.fixture
def context() -> BareContext:
    return a_context()


@pytest.fixture(scope="package")
def shared_browsers(io_loop: tornado.ioloop.IOLoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsers]:
    """A running headless browser."""
    made = make_browsers(tmp_path_factory.mktemp("browser"))

    async def warm_up() -> None:
        await made.start()
        tab = await made.open_tab(a_context(), platform="x", hosts=("127.0.0.1",))
        await tab.close()

    io_loop.run_sync(warm_up)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def browsers(shared_browsers: Browsers, io_loop: tornado.ioloop.IOLoop, site: Site) -> Iterator[Browsers]:
    """The running browser; fails a test that leaves a tab, a call, an asyncio task or a listener behind."""
    before = set(asyncio.all_tasks(io_loop.asyncio_loop))  # type: ignore[attr-defined]
    yield shared_browsers

    async def settle() -> set[asyncio.Task[object]]:
        for _ in range(100):
            left = {one for one in asyncio.all_tasks() - before - {asyncio.current_task()} if not _is_the_sites(one)}
            if not left and shared_browsers.live().tabs == 0:
                break
            await asyncio.sleep(0.01)
        return left

    left = io_loop.run_sync(settle)
    assert not left, [task.get_name() for task in left]
    assert shared_browsers.live().tabs == 0
    assert shared_browsers.live().browsers <= 1


def _is_the_sites(task: "asyncio.Task[object]") -> bool:
    # The stand-in's server keeps the browser's idle connections open, and holds what a test told it to hold.
    return any(name in repr(task.get_coro()) for name in ("HTTP1ServerConnection", "RequestHandler"))
