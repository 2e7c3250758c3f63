import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.devtools import serve


def test_port_of_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=9001\n")

    assert serve.port({"PORT": "9000"}, tmp_path / ".env") == 9000


def test_port_is_read_from_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# PORT=1\nHOST=127.0.0.1\nPORT = '9001'\n")

    assert serve.port({}, tmp_path / ".env") == 9001


@pytest.mark.parametrize("value", ["", "eight", "²"])
def test_port_that_is_none_gives_the_default(tmp_path: Path, value: str) -> None:
    assert serve.port({"PORT": value}, tmp_path / ".env") == 8888


def test_no_browser_is_opened_when_told_so() -> None:
    assert not serve.may_open_browser({"NO_BROWSER": "1", "DISPLAY": ":0"}, "linux")


def test_no_browser_is_opened_without_a_desktop() -> None:
    assert not serve.may_open_browser({}, "linux")


@pytest.mark.parametrize(("platform", "environment"), [("linux", {"DISPLAY": ":0"}), ("darwin", {}), ("win32", {})])
def test_browser_is_opened_on_a_desktop(platform: str, environment: dict[str, str]) -> None:
    assert serve.may_open_browser(environment, platform)


class _Down(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def down_server() -> Iterator[str]:
    """The address of a server that answers 503 to everything."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Down) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_server_that_says_it_is_down_answers(down_server: str) -> None:
    assert serve.answers(f"{down_server}/health")


def test_proxy_of_the_machine_is_not_asked(down_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert serve.answers(f"{down_server}/health")


def test_closed_port_does_not_answer() -> None:
    assert not serve.answers("http://127.0.0.1:1/health")
