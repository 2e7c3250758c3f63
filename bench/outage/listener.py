"""One reader of a server's event stream, all through an outage."""

import asyncio
import contextlib
import time

import httpx

from bench.harness.server import Server

_PATH = "/api/v1/stream?topics=tasks"
_AGAIN_S = 0.5


class Listener:
    """Keeps when it was told of a resync, and opens the stream again as a browser does."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._task: asyncio.Task[None] | None = None
        self.resyncs: list[float] = []
        self.events = 0

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._listen_forever(), name="stream-listener")

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def resync_after(self, moment: float) -> float:
        """Return how long after `moment` (monotonic, s) it was first told to begin anew; infinite when it was not."""
        return min((at - moment for at in self.resyncs if at >= moment), default=float("inf"))

    async def _listen_forever(self) -> None:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await self._listen()
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        async for line in self._server.stream_lines(_PATH):
            if line == "event: resync":
                self.resyncs.append(time.monotonic())
            elif line.startswith("event: "):
                self.events += 1
