"""The site every worker fetches from: chains of slow pages, each request written down, and what they tell.

A page is heard when its asker still held the connection as it was answered. What was on its way to a process that died
is not: nobody has got it, and whoever takes the task over must ask for it again.
"""

import asyncio
import contextlib
import itertools
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_PAGE = "<!doctype html><title>{job} {step}</title><p>Page {step} of {job}: some words that can be read.</p>{link}"
_LINK = '<a href="/t/{job}/{step}">next</a>'
_BACKLOG = 2048


@dataclass(slots=True)
class Seen:
    """One request for one step of a job; times are this process's monotonic ones, seconds.

    `heard_at`: when it was answered; infinite while it waits, and for good when nobody was there any more.
    """

    at: float
    step: int
    heard_at: float = math.inf


@dataclass(frozen=True, slots=True)
class Tally:
    """What the requests say. Tasks: `done`, `twice_at_once`, `ended_again`. Pages: `asked_again`, `fetched_again`.

    `twice_at_once`: two of a task's pages were on their way to two living askers at the same time, which no single run
    of a chain ever does. `ended_again`: the last page was heard more than once. `asked_again`: requests for a page that
    was asked for before; `fetched_again`: those of them whose page had been heard, so work that was done again.
    """

    done: int
    twice_at_once: int
    ended_again: int
    asked_again: int
    fetched_again: int


class ChainSite:
    """`/t/JOB/STEP` answers after `answer_s` with a link to the next step; the last one has none."""

    def __init__(self, *, steps: int, answer_s: float) -> None:
        self.steps = steps
        self.answer_s = answer_s
        self.seen: defaultdict[str, list[Seen]] = defaultdict(list)
        self.ends: Counter[str] = Counter()
        self.moved_at = time.monotonic()
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=_BACKLOG)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    @property
    def origin(self) -> str:
        """Where it listens."""
        if self._server is None:
            raise RuntimeError("the site is not started")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def reached(self, job: str, step: int, *, within_s: float) -> bool:
        """Wait until a step of a job was asked for; False when it was not in time."""
        return await self._holds(lambda: any(seen.step >= step for seen in self.seen[job]), within_s)

    async def ended(self, count: int, *, within_s: float) -> bool:
        """Wait until the last step of so many jobs was heard; False when it was not in time."""
        return await self._holds(lambda: len(self.ends) >= count, within_s)

    def tally(self) -> Tally:
        """Return what the requests say so far."""
        again = {job: _asked_again(seen) for job, seen in self.seen.items()}
        return Tally(
            done=len(self.ends),
            twice_at_once=sum(_is_twice_at_once(seen) for seen in self.seen.values()),
            ended_again=sum(times > 1 for times in self.ends.values()),
            asked_again=sum(asked for asked, _ in again.values()),
            fetched_again=sum(fetched for _, fetched in again.values()),
        )

    async def _holds(self, is_so: Callable[[], bool], within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(is_so)
        except TimeoutError:
            return False
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head.split(b" ", 2)[1].decode(), reader, writer)
        writer.transport.abort()

    async def _answer(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = path.strip("/").split("/")
        if len(parts) != 3 or parts[0] != "t":
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        job, step = parts[1], int(parts[2])
        seen = Seen(time.monotonic(), step)
        await self._note(self.seen[job].append, seen)
        await asyncio.sleep(self.answer_s)
        if reader.at_eof() or writer.transport.is_closing():
            raise ConnectionResetError("nobody is there any more")
        seen.heard_at = time.monotonic()
        is_last = step + 1 >= self.steps
        link = "" if is_last else _LINK.format(job=job, step=step + 1)
        body = _PAGE.format(job=job, step=step, link=link).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        if is_last:
            await self._note(self.ends.update, [job])

    async def _note(self, write: Callable[[Any], None], value: object) -> None:
        async with self._changed:
            write(value)
            self.moved_at = time.monotonic()
            self._changed.notify_all()


def _is_twice_at_once(seen: list[Seen]) -> bool:
    heard = sorted((one.at, one.heard_at) for one in seen if one.heard_at < math.inf)
    return any(second[0] < first[1] for first, second in itertools.pairwise(heard))


def _asked_again(seen: list[Seen]) -> tuple[int, int]:
    """Return the requests for a page that was asked for before, and those of them whose page had been heard."""
    first: dict[int, float] = {}
    asked = fetched = 0
    for one in sorted(seen, key=lambda one: one.at):
        if one.step in first:
            asked += 1
            fetched += first[one.step] < one.at
        first[one.step] = min(one.heard_at, first.get(one.step, math.inf))
    return asked, fetched
