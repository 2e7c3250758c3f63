"""The provider and the site of one task, and which server each request to them came from.

Linux only: a connection's owner is read from /proc.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.fixtures.cogvideox_server import CogVideoXServer
from tests.fixtures.socket_server import Request

PAGES = 40
PAGE_TAKES_S = 0.08
_PAGE = "<!doctype html><title>第 {number} 页</title><article><p>{text}</p></article><a href='/p/{next}'>下一页</a>"
_TEXT = "这是一页正文，用来被采集。" * 20


@dataclass(slots=True)
class Seen:
    """One request: who sent it, for what, and from when to when it was answered (None: never)."""

    owner: str
    path: str
    began_at: float
    ended_at: float | None = None


@dataclass(slots=True)
class Owners:
    """The servers that are watched: their process ids by name."""

    pids: dict[str, int] = field(default_factory=dict)

    def of(self, port: int) -> str:
        """Return the server that holds the client's end of a connection; "gone" when none does."""
        inode = _socket_of(port)
        return next((name for name, pid in self.pids.items() if _holds(pid, inode)), "gone")


class StandIn(CogVideoXServer):
    """Zhipu's stand-in, that also serves `/p/0` … `/p/39`, each linking to the next, and notes who asks.

    A film comes slowly, so that a download can be met in the middle.
    """

    def __init__(self, owners: Owners) -> None:
        super().__init__()
        self.seen: list[Seen] = []
        self.page_takes_s = PAGE_TAKES_S
        self._owners = owners
        self._owner_of: dict[int, str] = {}
        self.plan("file", "slow", times=0, seconds=0.05)

    @property
    def site_url(self) -> str:
        """Where a crawl starts."""
        return f"{self.origin}/p/0"

    async def answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and note whose it was and how long it took."""
        port = writer.get_extra_info("peername")[1]
        if port not in self._owner_of:
            self._owner_of[port] = self._owners.of(port)
        one = Seen(self._owner_of[port], request.path, time.time())
        self.seen.append(one)
        if request.path.startswith("/p/"):
            await asyncio.sleep(self.page_takes_s)
            await _send_page(int(request.path.rpartition("/")[2]), writer)
        else:
            await super().answer(request, reader, writer)
        one.ended_at = time.time()


async def _send_page(number: int, writer: asyncio.StreamWriter) -> None:
    is_there = number < PAGES
    body = _PAGE.format(number=number, text=_TEXT, next=min(number + 1, PAGES - 1)).encode() if is_there else b""
    head = "HTTP/1.1 200 OK" if is_there else "HTTP/1.1 404 Gone"
    headers = f"{head}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(headers.encode() + body)
    await writer.drain()


def _socket_of(port: int) -> str:
    local = f"0100007F:{port:04X}"
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        columns = line.split()
        if columns[1] == local:
            return f"socket:[{columns[9]}]"
    return ""


def _holds(pid: int, socket: str) -> bool:
    folder = Path(f"/proc/{pid}/fd")
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - a closed directory, whatever is found first
            with contextlib.suppress(OSError):
                if str((folder / name).readlink()) == socket:
                    return True
    return False


def requests_by(seen: list[Seen], owner: str, *, after: float = 0.0) -> list[str]:
    """Return the paths that one server asked for after a moment."""
    return [one.path for one in seen if one.owner == owner and one.began_at > after]


def two_at_once(seen: list[Seen]) -> int:
    """Count pairs of requests of different servers whose intervals overlap."""
    spans = [(one.owner, one.began_at, one.ended_at) for one in seen if one.ended_at is not None]
    return sum(
        first[0] != second[0] and second[1] < (first[2] or 0.0)
        for place, first in enumerate(spans)
        for second in spans[place + 1 :]
    )


def settings_of(stand_in: StandIn) -> Mapping[str, str]:
    """Return what a server is told of it."""
    return {
        "COGVIDEOX_API_KEY": "stand-in-key.stand-in-secret",
        "COGVIDEOX_BASE_URL": stand_in.base_url,
        "COGVIDEOX_POLL_INTERVAL_S": "0.3",
    }
