"""SIGTERM while neither store answers: the server leaves in its time, in order, and says nothing it should not."""

import shutil
import signal
import tempfile
import time
import uuid
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.fixtures.fault_proxy import FaultProxy
from tests.fixtures.server import ServerProcess, wait_until
from tests.fixtures.small_site import small_site

pytestmark = pytest.mark.slow

GRACE_S = 4.0
# What a machine that is busy adds.
MARGIN_S = 1.5


def test_server_without_its_stores_leaves_within_the_grace(mongo_url: str, redis_url: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="mcp-"))
    mongo_socket = unquote(mongo_url.removeprefix("mongodb://").partition("/")[0])
    with (
        FaultProxy(mongo_socket) as mongo,
        FaultProxy(redis_url.removeprefix("unix://")) as redis,
        small_site() as site,
    ):
        environ = {
            "MONGODB_URL": f"mongodb://127.0.0.1:{mongo.port}/?directConnection=true",
            "REDIS_URL": f"redis://127.0.0.1:{redis.port}",
            "MONGODB_DATABASE": f"test_{uuid.uuid4().hex[:12]}",
            "SHUTDOWN_GRACE_S": str(GRACE_S),
        }
        server = ServerProcess(folder / "data", folder / "server.log", environ).start()
        try:
            server.create({"start_urls": [f"{site.url}/pages/0"], "max_pages": 10_000, "obey_robots": False})
            wait_until(lambda: site.asked)
            mongo.behave(is_silent=True)
            redis.behave(is_silent=True)
            begun = time.monotonic()

            code = server.stop(signal.SIGTERM)

            took_s = time.monotonic() - begun
        finally:
            server.end()
            problems, said = server.leftovers(), server.log_text
            shutil.rmtree(folder, ignore_errors=True)
    assert (code, problems) == (0, [])
    assert took_s < GRACE_S + MARGIN_S
    assert "Traceback" not in said
