"""One Chromium for the whole folder: its loop outlives a test, and each test must leave the browser as it was."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.http import HttpGate
from backend.crawl.browser import Browsers
from backend.crawl.platform import CrawlTools
from backend.store.artifacts import ArtifactStore
from backend.store.author_salt import AuthorSalt
from backend.store.frontier import FrontierStore
from backend.store.items import ItemStore
from tests.fixtures.chromium import make_browsers
from tests.fixtures.xhs_crawls import XhsCrawl, make_gate, trusting
from tests.fixtures.xhs_site import XhsSite


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


@pytest.fixture(scope="package")
def shared_browsers(io_loop: tornado.ioloop.IOLoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsers]:
    made = make_browsers(tmp_path_factory.mktemp("browser"))
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def site(io_loop: tornado.ioloop.IOLoop) -> Iterator[XhsSite]:
    made = XhsSite(seed=1)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def gate(site: XhsSite, io_loop: tornado.ioloop.IOLoop) -> Iterator[HttpGate]:
    made = make_gate(trusting(site.base_url))
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def browsers(shared_browsers: Browsers, io_loop: tornado.ioloop.IOLoop) -> Iterator[Browsers]:
    """The running browser; fails a test that leaves a tab behind."""
    yield shared_browsers
    io_loop.run_sync(lambda: asyncio.sleep(0))
    assert shared_browsers.live().tabs == 0


@pytest.fixture
def stores(database: Database, clock: Clock, io_loop: tornado.ioloop.IOLoop) -> tuple[ItemStore, FrontierStore]:
    items, frontier = ItemStore(database), FrontierStore(database, clock=clock)
    io_loop.run_sync(items.ensure_indexes)
    io_loop.run_sync(frontier.ensure_indexes)
    return items, frontier


@pytest.fixture
def artifacts(database: Database, tmp_path: Path, clock: Clock) -> ArtifactStore:
    return ArtifactStore(database, tmp_path / "artifacts", clock)


@pytest.fixture
def crawl(  # noqa: PLR0917 - fixtures are called by name
    site: XhsSite,
    browsers: Browsers,
    gate: HttpGate,
    stores: tuple[ItemStore, FrontierStore],
    artifacts: ArtifactStore,
    database: Database,
    clock: Clock,
) -> XhsCrawl:
    tools = CrawlTools(
        *(gate, *stores, clock), browsers=browsers, artifacts=artifacts, author_salt=AuthorSalt(database)
    )
    return XhsCrawl(site.base_url, tools)
