"""What the servers are busy with while a store goes away: crawls, jobs at a provider, films; and what came of it."""

import asyncio
import contextlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.harness.server import Server
from bench.harness.site import Port
from bench.harness.stage_plan import FILM
from bench.harness.vendor import Vendor

PAGES = 40
_LINKS = 4
_PAGE_TAKES_S = 0.5
_SHORT_FILM = {"scenes": [{"text": "第一幕"}], "seconds_per_scene": 1, "size": "320x180"}
_AT_WORK_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.2
_PATH = re.compile(r"-?\d+/\d+")


class PacedSite(Port):
    """One port with a site of `PAGES` pages for each crawl under `/<crawl>/`, slow until `hurry`. Keeps arrivals."""

    def __init__(self) -> None:
        super().__init__()
        self.arrivals: list[tuple[float, int]] = []
        self._hurried = asyncio.Event()

    def slow_down(self) -> None:
        """Take long for every page."""
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Answer at once from now on."""
        self._hurried.set()

    def url(self, crawl: int) -> str:
        """Where one crawl starts."""
        return f"http://127.0.0.1:{self.number}/{crawl}/0"

    def asked(self, crawls: Sequence[int], *, since: float, until: float) -> int:
        """Return how many requests of these crawls came between two times of the monotonic clock."""
        return sum(1 for at, crawl in self.arrivals if since <= at < until and crawl in crawls)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve pages, none of them early."""
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode().strip("/")
            if not _PATH.fullmatch(path):
                return
            crawl, number = map(int, path.split("/"))
            self.arrivals.append((time.monotonic(), crawl))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PAGE_TAKES_S):
                    await self._hurried.wait()
            writer.write(_page(crawl, number))
            await writer.drain()


def _page(crawl: int, number: int) -> bytes:
    following = range(number * _LINKS + 1, min(number * _LINKS + 1 + _LINKS, PAGES))
    links = "".join(f'<a href="/{crawl}/{next_}">{next_}</a>\n' for next_ in following)
    text = "这是一页正文，用来被采集。" * 20
    body = f"<!doctype html><title>页 {crawl}/{number}</title><article><p>{text}</p></article>{links}".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass(slots=True)
class Load:
    """The tasks of one round, by kind; `crawls` maps a task to its number on the site."""

    crawls: dict[str, int] = field(default_factory=dict)
    polls: list[str] = field(default_factory=list)
    long_films: list[str] = field(default_factory=list)
    short_films: list[str] = field(default_factory=list)

    @property
    def all(self) -> list[str]:
        """Every task."""
        return [*self.crawls, *self.polls, *self.long_films, *self.short_films]


@dataclass(frozen=True, slots=True)
class Sums:
    """What came of a load. `unbalanced`: ended with books that do not add up, or with pages missing."""

    lost: list[str]
    unbalanced: list[str]
    paid_twice: int


class Loader:
    """Creates loads and sees them to their ends."""

    def __init__(self, site: PacedSite, vendor: Vendor) -> None:
        self._site = site
        self._vendor = vendor
        self._crawls = 0

    async def begin(self, server: Server, *, each: int) -> Load:
        """Create `each` crawls and polls, two films that take for ever and some short ones; wait until they work."""
        self._site.slow_down()
        self._vendor.behave()
        load = Load()
        for _ in range(each):
            self._crawls += 1
            params = {"start_urls": [self._site.url(self._crawls)], "max_pages": PAGES, "obey_robots": False}
            load.crawls[await server.create("web", {**params, "max_depth": 50}, type="site")] = self._crawls
            load.polls.append(await server.create("cogvideox", {"prompt": "清晨的海边"}))
        load.long_films = [await server.create("storyboard", FILM) for _ in range(2)]
        load.short_films = [await server.create("storyboard", _SHORT_FILM) for _ in range(max(1, each - 2))]
        await self._until_at_work(server, load)
        return load

    async def _until_at_work(self, server: Server, load: Load) -> None:
        give_up_at = time.monotonic() + _AT_WORK_WITHIN_S
        while time.monotonic() < give_up_at:
            if all(self._vendor.polls(one) for one in load.polls) and await _are_rendering(server, load.long_films):
                return
            await asyncio.sleep(_LOOK_EVERY_S)
        raise TimeoutError("the load did not come to work")

    async def end(self, server: Server, load: Load, *, within_s: float) -> Sums:
        """Let everything come to its end, and look at what came of it."""
        self._site.hurry()
        self._vendor.finish_all()
        give_up_at = time.monotonic() + within_s
        for one in load.long_films:
            await server.cancel(one)
        records = []
        for one in load.all:
            record = await server.record(one)
            while not record["is_final"] and time.monotonic() < give_up_at:
                await asyncio.sleep(_LOOK_EVERY_S)
                record = await server.record(one)
            records.append(record)
        return Sums(
            lost=[_said(one) for one in records if one["status"] != _right_end(one, load)],
            unbalanced=[_said(one) for one in records if one["is_final"] and not _adds_up(one, load)],
            paid_twice=sum(max(0, self._vendor.accepted(one) - 1) for one in load.polls),
        )


async def _are_rendering(server: Server, films: Sequence[str]) -> bool:
    records = [await server.record(one) for one in films]
    return all(one["progress"]["stage"] == "render" for one in records)


def _right_end(record: dict[str, Any], load: Load) -> str:
    return "cancelled" if record["task_id"] in load.long_films else "succeeded"


def _adds_up(record: dict[str, Any], load: Load) -> bool:
    books = record["books"]
    if record["task_id"] in load.crawls and (books["ok"], books["stored"]) != (PAGES, PAGES):
        return False
    return bool(books["balanced"])


def _said(record: dict[str, Any]) -> str:
    error = (record["error"] or {}).get("name")
    return f"{record['task_id']} {record['platform']} {record['status']} {error} {record['books']}"
