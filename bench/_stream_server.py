"""The server of `bench streams`: the real API, stores and stream; executions that only report progress.

Prints its port, then one JSON object for each line it reads: what it has used and how late its loop was since the last.
"""

import asyncio
import gc
import os
import sys
import tempfile
import time
from pathlib import Path

import orjson
import psutil

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.logs import configure_logs
from backend.core.settings import Settings
from backend.domain.execution import TaskContext
from backend.domain.task import Books, Ending, Stage
from bench.report import percentile
from tests.fixtures.api_server import ApiServer
from tests.fixtures.scripted import DONE

STEP_S = 0.2
LINE_EVERY = 5
LAG_EVERY_S = 0.005
SLOTS = 200
ENDLESS = 1_000_000


async def work(context: TaskContext) -> Ending:
    """Report progress five times a second and a line each second, until cancelled."""
    done = 0
    while done < ENDLESS:
        await context.sleep(STEP_S)
        done += 1
        context.progress(done=done, total=ENDLESS, stage=Stage.FETCH, books=Books(requested=done, ok=done, stored=done))
        if done % LINE_EVERY == 0:
            context.log("info", f"{done} pages", url="https://docs.example.org/page")
    return DONE


class Lags:
    """How late the loop wakes, and how much of its own work it did meanwhile, in ms.

    The second is CPU time of the loop's thread: other programs on the machine do not change it.
    """

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self.busy_ms: list[float] = []
        self._is_spoilt = False

    async def sample(self) -> None:
        """Look every 5 ms."""
        loop = asyncio.get_running_loop()
        while True:
            due, used_s = loop.time() + LAG_EVERY_S, time.thread_time()
            await asyncio.sleep(LAG_EVERY_S)
            if self._is_spoilt:
                self._is_spoilt = False
                continue
            self.late_ms.append((loop.time() - due) * 1000)
            self.busy_ms.append((time.thread_time() - used_s) * 1000)

    def forget(self) -> None:
        """Begin anew, without the sample in which somebody looked."""
        self.late_ms.clear()
        self.busy_ms.clear()
        self._is_spoilt = True


def look(process: psutil.Process, lags: Lags) -> dict[str, float]:
    """Return what was used, and forget the lags."""
    gc.collect()
    used = process.cpu_times()
    figures = {
        "rss_kb": process.memory_info().rss / 1024,
        "cpu_s": used.user + used.system,
        "lag_p50_ms": percentile(lags.late_ms, 50),
        "lag_p99_ms": percentile(lags.late_ms, 99),
        "busy_p99_ms": percentile(lags.busy_ms, 99),
        "busy_max_ms": max(lags.busy_ms, default=0.0),
    }
    lags.forget()
    return figures


async def serve(mongo_url: str, redis_url: str) -> None:
    """Serve until the standard input ends."""
    clock = Clock()
    database, cache = Database(mongo_url, "bench_streams", clock=clock), Cache(redis_url, clock=clock)
    await database.connect()
    await cache.connect()
    with tempfile.TemporaryDirectory() as folder:
        api = ApiServer(database, cache, clock, Path(folder), Settings(), slots=SLOTS)
        api.bench.executor.script = work
        await api.start()
        gc.collect()
        gc.freeze()
        print(api.port, flush=True)
        lags = Lags()
        sampler = asyncio.create_task(lags.sample(), name="lag-sampler")
        loop, process = asyncio.get_running_loop(), psutil.Process()
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(orjson.dumps(look(process, lags)).decode(), flush=True)
        sampler.cancel()
        await asyncio.wait({sampler})
        await api.stop()
    await cache.close()
    await database.close()


if __name__ == "__main__":
    sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    configure_logs("INFO")
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
