import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from backend.core.asking import ask


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    seen: ClassVar[list[tuple[str, str | None, str | None]]] = []

    def do_GET(self) -> None:
        self.seen.append((self.command, self.headers["Authorization"], self.headers["X-Mine"]))
        self.send_response(418)
        self.send_header("X-Kind", "echo")
        self.end_headers()
        self.wfile.write(b'{"a": 1}' if self.path == "/json" else b"no json")

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def echo() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_answer_has_status_headers_and_body() -> None:
    Echo.seen.clear()
    with echo() as port:
        told = ask("127.0.0.1", port, "/json", method="POST", token="tok", headers={"X-Mine": "1"}, timeout_s=60)
        plain = ask("127.0.0.1", port, "/", timeout_s=60)

    assert told is not None
    assert plain is not None
    assert (told.status, told.headers["x-kind"], told.json()) == (418, "echo", {"a": 1})
    assert plain.json() is None
    assert Echo.seen == [("POST", "Bearer tok", "1"), ("GET", None, None)]


def test_nobody_there_is_no_answer() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))

        assert ask("127.0.0.1", one.getsockname()[1], "/", timeout_s=60) is None


@pytest.mark.parametrize("words", [b"", b"SSH-2.0-x\r\n"])
def test_who_speaks_no_whole_http_gives_no_answer(words: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(words)

        thread = threading.Thread(target=answer)
        thread.start()
        found = ask("127.0.0.1", listener.getsockname()[1], "/", timeout_s=60)
        thread.join()

    assert found is None
