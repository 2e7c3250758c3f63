"""The server of `bench export`: the real API and stores, and items of one task put into MongoDB beforehand.

Prints its port and the task's id, then one JSON object for each line it reads: what it has used, how late its loop was
since the last, and the most memory it and its children took.
"""

import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import psutil

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.logs import configure_logs
from backend.core.settings import Settings
from bench._stream_server import Lags, look
from tests.fixtures.api_server import ApiServer
from tests.fixtures.camping import camping, put, searched

_COMMENTS = 3
_AT_ONCE = 2_000
_MEMORY_EVERY_S = 0.2


class Memory:
    """The most resident memory at any moment looked at, in KB: of the server, and of its children together."""

    def __init__(self, process: psutil.Process, live: Callable[[], int]) -> None:
        self._process = process
        self._live = live
        self.own_kb = 0.0
        self.children_kb = 0.0

    async def watch(self) -> None:
        """Look five times a second."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_MEMORY_EVERY_S)
            own, children = await loop.run_in_executor(None, self._look)
            self.own_kb, self.children_kb = max(self.own_kb, own), max(self.children_kb, children)

    def forget(self) -> None:
        """Begin anew."""
        self.own_kb = self.children_kb = 0.0

    def _look(self) -> tuple[float, float]:
        children = 0.0
        # Looking for children reads all of /proc.
        for child in self._process.children(recursive=True) if self._live() else ():
            try:
                children += child.memory_info().rss / 1024
            except psutil.NoSuchProcess:
                continue
        return self._process.memory_info().rss / 1024, children


async def fill(api: ApiServer, count: int) -> str:
    """Make a task that has found `count` items: posts with three comments each."""
    task_id = await searched(api, posts=0)
    some = []
    for item in camping(task_id, posts=count // (1 + _COMMENTS), comments=_COMMENTS):
        some.append(item)
        if len(some) == _AT_ONCE:
            await put(api, *some)
            some.clear()
    await put(api, *some)
    return task_id


async def read_plainly(database: Database, task_id: str) -> float:
    """Return the seconds that reading the same documents takes: the floor of every export."""
    begun = time.perf_counter()
    cursor = database.collection("items").find({"task_id": task_id}).sort("first_seen_at", 1)
    cursor = cursor.hint([("task_id", 1), ("first_seen_at", 1), ("_id", 1)])
    while await database.do(cursor.to_list(1_000), within_s=60):
        pass
    return time.perf_counter() - begun


async def serve(mongo_url: str, redis_url: str, count: int) -> None:
    """Serve until the standard input ends."""
    clock = Clock()
    database, cache = (
        Database(mongo_url, f"bench_export_{count}", clock=clock, timeout_s=30),
        Cache(redis_url, clock=clock),
    )
    await database.connect()
    await cache.connect()
    with tempfile.TemporaryDirectory() as folder:
        api = ApiServer(database, cache, clock, Path(folder), Settings())
        await api.start()
        task_id = await fill(api, count)
        gc.collect()
        gc.freeze()
        print(orjson.dumps({"port": api.port, "task_id": task_id}).decode(), flush=True)
        lags, memory = Lags(), Memory(psutil.Process(), api.children.live)
        watchers = [asyncio.create_task(lags.sample()), asyncio.create_task(memory.watch())]
        loop, process = asyncio.get_running_loop(), psutil.Process()
        while order := await loop.run_in_executor(None, sys.stdin.readline):
            if order.strip() == "floor":
                answer = {"floor_s": await read_plainly(database, task_id)}
            else:
                peaks = {"peak_kb": memory.own_kb, "children_kb": memory.children_kb}
                answer = {**look(process, lags), **peaks, "left": float(api.artifacts.part_files())}
                memory.forget()
            print(orjson.dumps(answer).decode(), flush=True)
        for one in watchers:
            one.cancel()
        await asyncio.wait(watchers)
        await api.stop()
    await cache.close()
    await database.close()


if __name__ == "__main__":
    sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    configure_logs("INFO")
    # As main.py does (sys.setswitchinterval).
    sys.setswitchinterval(0.0005)
    asyncio.run(serve(sys.argv[1], sys.argv[2], int(sys.argv[3])))
