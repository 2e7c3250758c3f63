from collections.abc import Iterator

import pytest
import tornado.ioloop

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from tests.fixtures.scripted import Bench


@pytest.fixture
def bench(database: Database, cache: Cache, clock: Clock, io_loop: tornado.ioloop.IOLoop) -> Iterator[Bench]:
    async def make() -> Bench:
        made = Bench(database, cache, clock)
        await made.tasks.ensure_indexes()
        await made.runner.start()
        return made

    made = io_loop.run_sync(make)
    yield made
    io_loop.run_sync(made.runner.stop)
