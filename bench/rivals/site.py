"""The site every worker fetches from: chains of slow pages, each request written down."""

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_PAGE = "<!doctype html><title>{job} {step}</title><p>Page {step} of {job}: some words that can be read.</p>{link}"
_LINK = '<a href="/t/{job}/{step}">next</a>'
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Seen:
    """One request for one step of a job; `at` is this process's monotonic time, seconds."""

    at: float
    step: int


class ChainSite:
    """`/t/JOB/STEP` answers after `answer_s` with a link to the next step; the last one has none."""

    def __init__(self, *, steps: int, answer_s: float) -> None:
        self.steps = steps
        self.answer_s = answer_s
        self.seen: defaultdict[str, list[Seen]] = defaultdict(list)
        self.ends: Counter[str] = Counter()
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
        """Wait until the last step of so many jobs was answered; False when it was not in time."""
        return await self._holds(lambda: len(self.ends) >= count, within_s)

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
                await self._answer(head.split(b" ", 2)[1].decode(), writer)
        writer.transport.abort()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        parts = path.strip("/").split("/")
        if len(parts) != 3 or parts[0] != "t":
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        job, step = parts[1], int(parts[2])
        await self._note(self.seen[job].append, Seen(time.monotonic(), step))
        await asyncio.sleep(self.answer_s)
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
            self._changed.notify_all()
