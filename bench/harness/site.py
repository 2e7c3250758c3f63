"""A site on loopback that misbehaves on purpose, one port for each task, so that whatever comes is known to be its.

Written on bare asyncio streams: what is counted is every connection and every request head, also of a path that
nobody was told of.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Literal

# A quick site with many links: what a crawl mostly does there is store them.
LINKS_A_PAGE = 100
PAGE_TAKES_S = 0.03
RETRY_AFTER_S = 60
_HALF_A_PAGE = b"<!doctype html><title>half</title><p>" + b"x" * 4_000
_PAGE = "<!doctype html><title>页 {path}</title><article><p>{text}</p></article>{links}"
_TEXT = "这是一页正文，用来被采集。" * 20

# connecting: accepts and never speaks TLS; headers: never answers; body: half a page; busy: 503 and Retry-After;
# links: pages of hundreds of links, for ever; page: one small page.
Manner = Literal["connecting", "headers", "body", "busy", "links", "page"]


class Port(ABC):
    """One listening port, and the connections it has taken."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def number(self) -> int:
        """Which port it is. RuntimeError when it is closed."""
        if self._server is None:
            raise RuntimeError("the port is closed")
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self) -> None:
        """Close the port and all its connections."""
        if self._server is not None:
            self._server.close()
            for task in self._open:
                task.cancel()
            if self._open:
                await asyncio.wait(set(self._open))
            await self._server.wait_closed()
            self._server = None

    @abstractmethod
    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until it ends."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            # asyncio's own callback would log a cancel as an error.
            pass
        finally:
            writer.transport.abort()


class Door(Port):
    """One listening port, which takes `takes_s` for an answer. `arrivals` counts connections and requests."""

    def __init__(self, manner: Manner, *, takes_s: float = 0.0) -> None:
        super().__init__()
        self.manner = manner
        self._takes_s = takes_s
        self.connections = 0
        self.requests = 0

    @property
    def arrivals(self) -> int:
        """Everything that came."""
        return self.connections + self.requests

    @property
    def url(self) -> str:
        """Where a task starts."""
        return f"{'https' if self.manner == 'connecting' else 'http'}://127.0.0.1:{self.number}/p/0"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Misbehave in this door's manner."""
        self.connections += 1
        if self.manner == "connecting":
            await _until_gone(reader)
        else:
            await self._answer_all(reader, writer)

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            path = head.split(b" ", 2)[1].decode("latin-1")
            if self._takes_s:
                await asyncio.sleep(self._takes_s)
            await _MANNERS[self.manner](path, reader, writer)


async def _until_gone(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


async def _never(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del path, writer
    await _until_gone(reader)


async def _half(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del path
    length = 4 * len(_HALF_A_PAGE)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % length + _HALF_A_PAGE)
    await writer.drain()
    await _until_gone(reader)


async def _busy(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del path, reader
    writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n" % RETRY_AFTER_S)
    await writer.drain()


async def _many_links(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    await asyncio.sleep(PAGE_TAKES_S)
    links = "".join(f'<a href="{path}/{number}">{number}</a>\n' for number in range(LINKS_A_PAGE))
    await _send_page(path, links, writer)


async def _one_page(path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    await _send_page(path, "", writer)


async def _send_page(path: str, links: str, writer: asyncio.StreamWriter) -> None:
    body = _PAGE.format(path=path, text=_TEXT, links=links).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


_Answer = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_MANNERS: dict[str, _Answer] = {
    "headers": _never,
    "body": _half,
    "busy": _busy,
    "links": _many_links,
    "page": _one_page,
}


class Site:
    """All the doors of one stage."""

    def __init__(self) -> None:
        self._doors: list[Door] = []

    async def door(self, manner: Manner, *, takes_s: float = 0.0) -> Door:
        """Open one more door."""
        door = Door(manner, takes_s=takes_s)
        await door.open()
        self._doors.append(door)
        return door

    async def close(self) -> None:
        """Close every door."""
        doors, self._doors = self._doors, []
        with contextlib.suppress(OSError):
            for door in doors:
                await door.close()
