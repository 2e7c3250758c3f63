from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tornado.ioloop

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.settings import Settings
from tests.fixtures.api_server import ApiServer, StartApi


@pytest.fixture
def start_api(
    database: Database, cache: Cache, clock: Clock, tmp_path: Path, io_loop: tornado.ioloop.IOLoop
) -> Iterator[StartApi]:
    """Start a server with these settings; it is stopped after the test."""
    started: list[ApiServer] = []

    async def start(**settings: Any) -> ApiServer:
        made = ApiServer(database, cache, clock, tmp_path, Settings(**settings))
        await made.start()
        started.append(made)
        return made

    yield start
    for one in started:
        io_loop.run_sync(one.stop)


@pytest.fixture
def api(start_api: StartApi, io_loop: tornado.ioloop.IOLoop) -> ApiServer:
    made: ApiServer = io_loop.run_sync(start_api)
    return made
