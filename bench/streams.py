"""What open streams cost: N of them on one server process, beside tasks that report progress five times a second.

The server (real API, mongod, Valkey; executions that only report) is a process of its own; this one reads the streams
and judges each: every change of state from where it began to where it ends must have come once, in order, and of every
task one final event. One stream in five follows one task and its log as well. The loop's lag is how late a sleep of
5 ms ends in the server; `busy` is the CPU time of the loop's thread within such a sleep, which other work on the
machine does not change; CPU is of the server's process. All first without, then with the streams open.
"""

import argparse
import asyncio
import contextlib
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from backend.core.embedded import EmbeddedStores
from bench.report import Report, judge
from tests.fixtures.api_server import WEB_TASK

TARGETS = {
    "kb_per_stream": "<= 50",
    "lag_with_p99_ms": "<= 50",
    "busy_with_p99_ms": "<= 50",
    "opened": "== 1",
    "changes_lost": "== 0",
    "changes_repeated": "== 0",
    "finals_wrong": "== 0",
    "streams_closed": "== 0",
    "streams_told_to_read_anew": "== 0",
}
_DETAILED_EVERY = 5
_OPEN_AT_ONCE = 50
_FDS = 8_192
_SETTLE_S = 60.0
_ID = re.compile(rb"id: \w+\.(\d+)-\d+\n")
_FINAL = re.compile(rb'"task_id":"(\w+)"[^\n]*"final":true')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--streams", type=int, default=1_000, help="open streams (1000)")
    parser.add_argument("--tasks", type=int, default=50, help="running tasks (50)")
    parser.add_argument("--seconds", type=float, default=20, help="to look, without and with the streams (20 each)")


def run(args: argparse.Namespace) -> Report:
    """Start the stores and the server, then measure."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FDS, most), most))
    figures = asyncio.run(_measure(args.streams, args.tasks, args.seconds))
    return Report("streams", figures, judge(figures, TARGETS))


class Stream(asyncio.Protocol):
    """One reader: the numbers of the changes it was told of, and its final events."""

    def __init__(self, request: bytes) -> None:
        self.numbers: list[int] = []
        self.finals: Counter[bytes] = Counter()
        self.resyncs = 0
        self.size_bytes = 0
        self.is_closed = False
        self.begun = asyncio.get_running_loop().create_future()
        self._request = request
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count what is whole."""
        self.size_bytes += len(data)
        whole, _, self._rest = (self._rest + data).rpartition(b"\n\n")
        if not self.begun.done():
            self.begun.set_result(None)
        self.numbers.extend(int(number) for number in _ID.findall(whole))
        self.resyncs += whole.count(b"event: resync")
        if b'"final":true' in whole:
            self.finals.update(_FINAL.findall(whole))

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it."""
        self.is_closed = True
        if not self.begun.done():
            self.begun.set_result(None)

    def leave(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()


@dataclass
class Server:
    """The server's process, and what it says of itself."""

    process: subprocess.Popen[str]
    port: int
    client: httpx.AsyncClient
    task_ids: list[str] = field(default_factory=list)

    async def look(self) -> dict[str, float]:
        """Return what it has used."""
        assert self.process.stdin is not None
        self.process.stdin.write("look\n")
        self.process.stdin.flush()
        return dict(orjson.loads(await asyncio.to_thread(self._said)))

    async def create(self, count: int) -> None:
        """Create tasks and wait until they run."""
        for _ in range(count):
            answer = await self.client.post("/api/v1/tasks", json={**WEB_TASK, "start": "now"})
            self.task_ids.append(answer.raise_for_status().json()["data"]["task_id"])
        query = {"status": "running", "limit": "1"}
        while (await self.client.get("/api/v1/tasks", params=query)).json()["data"]["total"] < count:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)

    async def cursor(self) -> int:
        """Return the number of the last change."""
        page = (await self.client.get("/api/v1/tasks", params={"limit": "1"})).json()["data"]
        return int(page["stream_cursor"].partition(".")[2].partition("-")[0])

    def _said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def _started(command: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")


@contextlib.asynccontextmanager
async def _server() -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory(prefix="mcp-") as folder:
        stores = EmbeddedStores(Path(folder))
        await stores.start()
        try:
            assert stores.mongo is not None
            assert stores.valkey is not None
            command = [sys.executable, "-m", "bench._stream_server", stores.mongo.uri, stores.valkey.uri]
            with _started(command) as process:
                assert process.stdout is not None
                port = int(await asyncio.to_thread(process.stdout.readline))
                url = f"http://127.0.0.1:{port}"
                async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
                    yield Server(process, port, client)
        finally:
            await stores.stop()


async def _measure(count: int, tasks: int, seconds: float) -> dict[str, float]:
    async with _server() as server:
        await server.create(tasks)
        await server.look()
        alone = await _phase(server, seconds)
        before = await server.look()
        first = await server.cursor()
        streams = await _open(server, count)
        sent_bytes = sum(one.size_bytes for one in streams)
        beside = await _phase(server, seconds)
        sent_bytes = sum(one.size_bytes for one in streams) - sent_bytes
        after = await server.look()
        for task_id in server.task_ids:
            await server.client.delete(f"/api/v1/tasks/{task_id}")
        last = await _settled(server, streams)
        figures = {
            "streams": float(count),
            "tasks": float(tasks),
            "opened": float(all(one.begun.done() and one.size_bytes for one in streams)),
            "rss_before_mb": before["rss_kb"] / 1024,
            "rss_with_mb": after["rss_kb"] / 1024,
            "kb_per_stream": (after["rss_kb"] - before["rss_kb"]) / count,
            **{f"lag_without_{name}_ms": alone[f"lag_{name}_ms"] for name in ("p50", "p99")},
            **{f"lag_with_{name}_ms": beside[f"lag_{name}_ms"] for name in ("p50", "p99")},
            **{f"busy_without_{name}_ms": alone[f"busy_{name}_ms"] for name in ("p99", "max")},
            **{f"busy_with_{name}_ms": beside[f"busy_{name}_ms"] for name in ("p99", "max")},
            "cpu_without_percent": alone["cpu_percent"],
            "cpu_with_percent": beside["cpu_percent"],
            "mb_per_s": sent_bytes / 1e6 / beside["took_s"],
            **_judged(streams, first, last, server.task_ids),
        }
        for one in streams:
            one.leave()
    return figures


async def _phase(server: Server, seconds: float) -> dict[str, float]:
    begun, started = await server.look(), time.monotonic()
    await asyncio.sleep(seconds)
    ended = await server.look()
    took_s = time.monotonic() - started
    return {**ended, "cpu_percent": (ended["cpu_s"] - begun["cpu_s"]) / took_s * 100, "took_s": took_s}


async def _open(server: Server, count: int) -> list[Stream]:
    loop = asyncio.get_running_loop()
    page = (await server.client.get("/api/v1/tasks", params={"limit": "1"})).json()["data"]
    streams: list[Stream] = []
    for number in range(count):
        topics = "tasks"
        if number % _DETAILED_EVERY == 0:
            task_id = server.task_ids[number % len(server.task_ids)]
            topics += f",task:{task_id},logs:{task_id}"
        request = (
            f"GET /api/v1/stream?topics={topics}&after={page['stream_cursor']} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{server.port}\r\n\r\n"
        )
        stream = Stream(request.encode())
        await loop.create_connection(lambda stream=stream: stream, "127.0.0.1", server.port)  # type: ignore[misc]
        streams.append(stream)
        if len(streams) % _OPEN_AT_ONCE == 0:
            await asyncio.gather(*(one.begun for one in streams[-_OPEN_AT_ONCE:]))
    await asyncio.gather(*(one.begun for one in streams))
    return streams


async def _settled(server: Server, streams: Sequence[Stream]) -> int:
    """Wait until every reader has every final event, and give what should not come a moment to come."""
    end = time.monotonic() + _SETTLE_S
    count = len(server.task_ids)
    while time.monotonic() < end and any(len(one.finals) < count for one in streams):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    return await server.cursor()


def _judged(streams: Sequence[Stream], first: int, last: int, task_ids: Sequence[str]) -> dict[str, float]:
    expected = range(first + 1, last + 1)
    ends: dict[bytes, Any] = {task_id.encode(): 1 for task_id in task_ids}
    return {
        "changes_each": float(len(expected)),
        "changes_lost": float(sum(len(set(expected) - set(one.numbers)) for one in streams)),
        "changes_repeated": float(sum(len(one.numbers) - len(set(one.numbers)) for one in streams)),
        "changes_out_of_order": float(sum(one.numbers != sorted(one.numbers) for one in streams)),
        "finals_wrong": float(sum(dict(one.finals) != ends for one in streams)),
        "streams_closed": float(sum(one.is_closed for one in streams)),
        "streams_told_to_read_anew": float(sum(one.resyncs > 0 for one in streams)),
    }
