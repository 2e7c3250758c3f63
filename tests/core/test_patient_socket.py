"""Running out of file descriptors: accepting pauses, what is open goes on, and all recovers."""

import asyncio
import contextlib
import itertools
import os
import resource
import socket
from collections.abc import Iterator

import httpx
import pytest
import tornado.httpserver
import tornado.ioloop
import tornado.web

from backend.core.logs import captured_log
from backend.core.port import bind


class _Hello(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write("hello")


@pytest.fixture
def port(io_loop: tornado.ioloop.IOLoop) -> Iterator[int]:
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", _Hello)], log_function=lambda _: None))
    sockets = bind("127.0.0.1", 0)

    async def start() -> None:
        server.add_sockets(sockets)

    io_loop.run_sync(start)
    yield sockets[0].getsockname()[1]
    server.stop()
    io_loop.run_sync(server.close_all_connections)


@contextlib.contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Only so many more may be opened inside."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = {int(name) for name in os.listdir("/proc/self/fd")}  # noqa: PTH208 - names, no paths
    free = (number for number in itertools.count() if number not in taken)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next(itertools.islice(free, count, None)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def fill(port: int) -> list[socket.socket]:
    """Connect until no descriptor is left to connect with."""
    made = []
    with contextlib.suppress(OSError):
        while True:
            made.append(socket.create_connection(("127.0.0.1", port)))
    return made


async def turns(seconds: float) -> int:
    """Count how often a sleeper of 10 ms is woken: a loop that is kept busy turns it rarely."""
    end, count = asyncio.get_running_loop().time() + seconds, 0
    while asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.01)
        count += 1
    return count


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")  # noqa: PTH112
async def test_exhausted_descriptors_are_told_once_and_pass(port: int) -> None:
    with captured_log() as lines:
        with descriptors_left(40):
            callers = fill(port)
            await turns(0.3)
            told = [line for line in lines if "too many open files" in line]
        for caller in callers:
            caller.close()
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/")

    assert len(told) == 1
    assert not [line for line in lines if "Exception in callback" in line]
    assert answer.text == "hello"
    assert any("accepting connections again" in line for line in lines)


async def test_connection_that_would_take_a_reserved_descriptor_is_closed(port: int) -> None:
    with descriptors_left(80):
        callers = []
        for _ in range(9):
            # Each takes two, one at either end.
            callers += [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(4)]
            await turns(0.03)
        for caller in callers:
            caller.setblocking(False)
        closed = [caller for caller in callers if _is_closed(caller)]
        for caller in callers:
            caller.close()
        await turns(0.05)

    assert closed


def _is_closed(caller: socket.socket) -> bool:
    try:
        return caller.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
