"""Fixtures every test may use: one fresh event loop a test, and proof that it is left empty."""

import asyncio
from collections.abc import Iterator

import pytest
import tornado.ioloop

pytest_plugins = [
    "tests.fixtures.stores",
    "tests.fixtures.generation",
    "tests.fixtures.storyboard",
    "tests.fixtures.site",
    "tests.fixtures.crawls",
    "tests.fixtures.server",
    "tests.fixtures.task_desk",
    "tests.fixtures.office",
]


@pytest.fixture(autouse=True)
def io_loop() -> Iterator[tornado.ioloop.IOLoop]:
    """One new asyncio loop per test, current for pytest-tornasync; no task may outlive the test."""
    asyncio_loop = asyncio.new_event_loop()
    asyncio.set_event_loop(asyncio_loop)
    loop = tornado.ioloop.IOLoop(asyncio_loop=asyncio_loop, make_current=False)
    yield loop
    left = [task for task in asyncio.all_tasks(asyncio_loop) if not task.done()]
    for task in left:
        task.cancel()
    if left:
        asyncio_loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    asyncio_loop.run_until_complete(asyncio_loop.shutdown_asyncgens())
    asyncio_loop.run_until_complete(asyncio_loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    loop.close(all_fds=False)
    assert not left, f"tasks left running after the test: {[task.get_name() for task in left]}"
