"""A site on loopback for crawls under faults: each task has a tree of pages of its own, so every request is known.

    /t/NAME/p/N     page N of the tree, links to 2N + 1 and 2N + 2; some are slow, broken, missing, moved or busy
    /t/NAME/i/N     a picture for a storyboard (only the first is one), after seconds
    /robots.txt     forbids /t/*/private

NAME tells how many pages there are: `c12-...` has 12.
"""

import asyncio
import base64
import random
import re

from bench.chaos.journal import Journal, start_of

_PATH = re.compile(r"/t/(?P<name>[a-z](?P<pages>\d+)-[\w-]+)/(?P<rest>.+)")
_TEXT = "每一页都有自己的正文，用来被采集和保存。" * 15
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_HANG_S = 10.0
_PICTURE_S = (4.0, 7.0)

Answer = tuple[int, str, bytes]


class ChaosSite:
    """Serves from `start` to `stop`, and writes every request of a task down in `journal`."""

    def __init__(
        self, journal: Journal, dice: random.Random, *, pages_s: tuple[float, float], is_sound: bool = False
    ) -> None:
        """`pages_s`: how long a page takes, at least and at most; `is_sound`: it never misbehaves."""
        self._journal = journal
        self._pages_s = pages_s
        self._faults = () if is_sound else _FAULTS
        self._dice = dice
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def origin(self) -> str:
        """Scheme, host and port. Raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("the site is not started")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            for task in self._open:
                task.cancel()
            if self._open:
                await asyncio.wait(set(self._open))
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        try:
            while True:
                await self._answer(await reader.readuntil(b"\r\n\r\n"), reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            # asyncio's own callback would log a cancel as an error.
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = head.split(b" ", 2)[1].decode("latin-1")
        found = _PATH.fullmatch(path)
        if found is None:
            await _send(writer, (200, "text/plain", b"User-agent: *\nDisallow: /t/*/private\n"))
            return
        self._journal.note(found["name"], start_of(head.decode("latin-1")), found["rest"])
        kind, _, number = found["rest"].partition("/")
        if kind == "i":
            await asyncio.sleep(self._dice.uniform(*_PICTURE_S))
            await _send(writer, (200, "image/png", _PIXEL) if number == "0" else _MISSING)
        elif await self._has_misbehaved(reader, writer):
            return
        else:
            await _send(writer, _page(found["name"], int(found["pages"]), kind, number))

    async def _has_misbehaved(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer badly, some of the times; else wait as long as a page takes."""
        await asyncio.sleep(self._dice.uniform(*self._pages_s))
        chance = self._dice.random()
        for share, manner in self._faults:
            if chance < share:
                await manner(reader, writer)
                return True
            chance -= share
        return False


_MISSING: Answer = (404, "text/plain", b"no such page")


def _page(name: str, pages: int, kind: str, number: str) -> Answer:
    if kind != "p" or not number.isdecimal() or int(number) >= pages:
        return _MISSING
    own = int(number)
    below = [f"/t/{name}/p/{child}" for child in (2 * own + 1, 2 * own + 2) if child < pages]
    beside = {2: [f"/t/{name}/gone"], 3: [f"/t/{name}/private"], 4: [f"/t/{name}/p/1"]}.get(own, [])
    links = "".join(f'<a href="{link}">{link}</a> ' for link in below + beside)
    html = f"<!doctype html><title>{name} {own}</title><article><p>{_TEXT} {name} {own}</p></article>{links}"
    return 200, "text/html; charset=utf-8", html.encode()


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    # Not for ever: a task whose last page takes the 30 s that a page may take has not got stuck.
    async with asyncio.timeout(_HANG_S):
        await reader.read()
    raise ConnectionResetError


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader, writer
    raise ConnectionResetError


async def _half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9000\r\n\r\n<p>half")
    await writer.drain()
    raise ConnectionResetError


async def _busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    status, media_type, body = answer
    head = f"HTTP/1.1 {status} Status\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


# Of a hundred requests for pages so many are answered so.
_FAULTS = ((0.01, _hang), (0.02, _reset), (0.02, _half), (0.03, _busy))
