from collections.abc import Iterator

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.store.author_salt import AuthorSalt


@pytest.fixture(params=["mongod", "memory"])
def stored_in(request: pytest.FixtureRequest, io_loop: tornado.ioloop.IOLoop) -> Iterator[Database]:
    if request.param == "mongod":
        yield request.getfixturevalue("database")
        return
    memory = Database("", "test", clock=Clock(), is_memory=True)
    io_loop.run_sync(memory.connect)
    yield memory
    io_loop.run_sync(memory.close)


async def test_salt_is_made_once_for_all_servers_of_an_installation(stored_in: Database) -> None:
    salts = {await AuthorSalt(stored_in).salt() for _ in range(3)}

    assert [len(salt) for salt in salts] == [32]
