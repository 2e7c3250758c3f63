import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "test_create_task.sh"

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell script"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


@dataclass
class Received:
    """The requests a stand-in server got."""

    address: str = ""
    paths: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Received]:
    """A stand-in for our server: keeps each request and answers with a line of Chinese."""
    received = Received()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.paths.append(self.path)
            received.bodies.append(json.loads(body.decode("utf-8")))
            received.headers.append(dict(self.headers))
            answer = '{"code": 0, "message": "任务创建成功"}\n'.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as listening:
        received.address = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield received
        listening.shutdown()
        thread.join()


def _create(server: Received, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", SCRIPT, *arguments],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"PATH": os.environ["PATH"], "BASE": server.address, **environment},
        stdin=subprocess.DEVNULL,
    )


def test_first_task_is_the_one_of_the_guide(server: Received) -> None:
    done = _create(server)

    assert done.returncode == 0, done.stderr
    assert server.bodies[0] == {"platform": "xhs", "type": "search", "keywords": ["露营"], "limit": 20}
    assert server.paths[0].split("?")[0] == "/api/v1/tasks"
    assert server.headers[0]["Content-Type"] == "application/json; charset=utf-8"


def test_second_task_reads_the_site_that_was_given(server: Received) -> None:
    _create(server, "http://127.0.0.1:1/docs/")

    assert server.bodies[1]["platform"] == "web"
    assert server.bodies[1]["start_urls"] == ["http://127.0.0.1:1/docs/"]


def test_answers_are_printed(server: Received) -> None:
    done = _create(server)

    assert done.stdout.count("任务创建成功") == 2


def test_token_is_sent_when_there_is_one(server: Received) -> None:
    _create(server, AUTH_TOKEN="a-test-token")

    assert [headers.get("Authorization") for headers in server.headers] == ["Bearer a-test-token"] * 2


def test_server_that_is_not_there_is_named(server: Received) -> None:
    done = _create(server, BASE="http://127.0.0.1:1")

    assert done.returncode == 1
    assert "http://127.0.0.1:1" in done.stderr
