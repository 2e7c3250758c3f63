"""A start that MongoDB refuses: one line that says what to do, and no traceback."""

import pytest

from backend.core.database import Database
from tests.fixtures.server import NewServer

pytestmark = pytest.mark.slow


async def test_index_in_the_way_stops_the_start_in_one_clear_line(
    new_server: NewServer, database: Database, mongo_url: str, redis_url: str
) -> None:
    tasks = database.collection("tasks")
    await database.do(tasks.create_index("title", name="status_1_run_at_1"))
    environ = {"MONGODB_URL": mongo_url, "REDIS_URL": redis_url, "MONGODB_DATABASE": tasks.database.name}

    server = new_server(environ)
    code = server.launch().wait_exit(within_s=30)

    assert code == 2
    assert "refused an index" in server.log_text
    assert "status_1_run_at_1" in server.log_text
    assert "Traceback" not in server.log_text
