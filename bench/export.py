"""What exports cost: one task's items as JSON, JSON Lines, CSV and Excel, at two sizes, beside the loop's own lag.

The server (real API, mongod, Valkey) is a process of its own; this one takes the file and counts its bytes. Rows per
second are held against a plain read of the same documents from MongoDB in the same run (the floor). Memory is the
growth of the server's resident memory at its highest, and that of the child that writes Excel: constant means that ten
times the rows do not take more. Lag is how late a sleep of 5 ms ends in the server meanwhile; `busy` is the loop's own
work within such a sleep, which other programs on the machine do not change.
"""

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

from backend.core.embedded import EmbeddedStores
from bench.report import Report, judge

FORMATS = ("json", "jsonl", "csv", "xlsx")
# By the end of a figure's name; the lag in idleness has none.
TARGETS = {
    "_lag_p99_ms": "<= 50",
    "_busy_p99_ms": "<= 50",
    "_grown_mb": "<= 50",
    "_child_mb": "<= 120",
    "_left": "== 0",
    "_incomplete": "== 0",
}
_IDLE_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000], help="sizes (10000 100000)")


def run(args: argparse.Namespace) -> Report:
    """Measure each size in a server of its own."""
    figures: dict[str, float] = {}
    for count in args.items:
        figures |= asyncio.run(_measure(count))
    targets = {
        name: target
        for name in figures
        for ending, target in TARGETS.items()
        if name.endswith(ending) and not name.startswith("idle")
    }
    return Report("export", figures, judge(figures, targets))


@dataclass
class Server:
    """The server's process, and what it says of itself."""

    process: subprocess.Popen[str]
    port: int
    task_id: str

    async def say(self, order: str) -> dict[str, float]:
        """Return its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        return dict(orjson.loads(await asyncio.to_thread(_line, self.process)))


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _started(command: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")


@contextlib.asynccontextmanager
async def _server(count: int) -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory(prefix="mcp-") as folder:
        stores = EmbeddedStores(Path(folder))
        await stores.start()
        try:
            assert stores.mongo is not None
            assert stores.valkey is not None
            urls = [stores.mongo.uri, stores.valkey.uri]
            with _started([sys.executable, "-m", "bench._export_server", *urls, str(count)]) as process:
                about = orjson.loads(await asyncio.to_thread(_line, process))
                yield Server(process, about["port"], about["task_id"])
        finally:
            await stores.stop()


async def _measure(count: int) -> dict[str, float]:
    async with _server(count) as server:
        await server.say("floor")
        floor_s = (await server.say("floor"))["floor_s"]
        await server.say("look")
        await asyncio.sleep(_IDLE_S)
        idle = await server.say("look")
        figures = {
            f"floor_{count}_rows_per_s": count / floor_s,
            f"idle_{count}_lag_p99_ms": idle["lag_p99_ms"],
        }
        # Once unmeasured: what is loaded at the first export is no growth.
        await _take(server, "xlsx")
        for format_ in FORMATS:
            figures |= await _export(server, count, format_)
    return figures


async def _export(server: Server, count: int, format_: str) -> dict[str, float]:
    before = await server.say("look")
    begun = time.perf_counter()
    size_bytes, is_whole = await _take(server, format_)
    took_s = time.perf_counter() - begun
    after = await server.say("look")
    figures = {
        "rows_per_s": count / took_s,
        "mb": size_bytes / 1e6,
        "server_cpu_us_per_row": (after["cpu_s"] - before["cpu_s"]) * 1e6 / count,
        "grown_mb": (after["peak_kb"] - before["rss_kb"]) / 1024,
        "lag_p99_ms": after["lag_p99_ms"],
        "busy_p99_ms": after["busy_p99_ms"],
        "left": after["left"],
        "incomplete": float(not is_whole),
    }
    if format_ == "xlsx":
        figures["child_mb"] = after["children_kb"] / 1024
    return {f"{format_}_{count}_{name}": value for name, value in figures.items()}


async def _take(server: Server, format_: str) -> tuple[int, bool]:
    url = f"http://127.0.0.1:{server.port}/api/v1/tasks/{server.task_id}/export?format={format_}"
    size_bytes = 0
    try:
        async with httpx.AsyncClient(timeout=600, trust_env=False) as client, client.stream("GET", url) as answer:
            answer.raise_for_status()
            async for chunk in answer.aiter_raw():
                size_bytes += len(chunk)
    except httpx.TransportError:
        return size_bytes, False
    return size_bytes, True
