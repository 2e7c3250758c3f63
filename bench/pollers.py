"""What thousands of polled generations cost: one real server process, its own path from create to poll, measured live.

`--count` cogvideox tasks are created through the API of a server of its own (embedded stores, gate, leases, cancel
flags, progress: everything by default) and poll a stand-in in another process every 3 s in the mean. Then, for
`--seconds`: CPU of the server's process (driver threads included), polls made against polls due, the loop's lag, memory
a task; then some are cancelled while the others poll on. After it, a floor: as many bare aiohttp pollers of the same
answers; and what a poller takes beside its task's record and run (`poller_kb`, in a process of its own).
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import psutil

from bench._poll_stand_in import PollStandIn, poll_stand_in
from bench.harness.server import Server
from bench.harness.verification import complaints
from bench.harness.watched_server import WatchedPlan, watched
from bench.report import Report, judge, percentile, spread

MEAN_S = 3.0
# The product's pause grows by a fifth a poll, from its setting to three times that.
FIRST_S = MEAN_S / 3
POLLS_TO_FULL_PAUSE = 8
CREATED_AT_ONCE = 100
MOST_UNPOLLED = 300
FILL_LIMIT_S = 900.0
SETTLE_LIMIT_S = 600.0
CORE_PERCENT = {3_000: 50.0, 10_000: 100.0}
MEMORY_COUNT = 500
PROMPT = "一只小狗沿着海滩奔跑"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--count", type=int, default=3_000, help="tasks that poll at once, at most 10000 (3000)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of steady state to measure (30)")
    parser.add_argument("--cancels", type=int, default=100, help="tasks cancelled while the others poll on (100)")


def run(args: argparse.Namespace) -> Report:
    """Measure the product, then the floor, against the same stand-in."""
    with poll_stand_in() as provider:
        figures = asyncio.run(_product(provider, args.count, args.seconds, args.cancels))
        floor = _floor(provider, args.count, args.seconds)
    figures |= {f"floor_{name}": value for name, value in floor.items()}
    figures["poller_kb"] = float(_in_a_process("_poller_memory", provider.origin, str(MEMORY_COUNT)))
    figures["cpu_over_floor"] = figures["cpu_us_per_poll"] / floor["cpu_us"]
    return Report("pollers", figures, judge(figures, _targets(args.count)))


def _targets(count: int) -> dict[str, str]:
    allowed = next((percent for most, percent in CORE_PERCENT.items() if count <= most), 100.0)
    return {
        "running": f"== {count}",
        "unsettled": "== 0",
        "core_percent": f"<= {allowed:g}",
        "made_percent": ">= 90",
        "polls_after_cancel": "== 0",
        "poller_kb": "<= 10",
        "log_complaints": "== 0",
    }


def _floor(provider: PollStandIn, count: int, seconds: float) -> dict[str, float]:
    url = f"{provider.origin}/v4/async-result"
    found: dict[str, float] = orjson.loads(_in_a_process("_bare_pollers", url, str(count), str(MEAN_S), str(seconds)))
    return found


def _in_a_process(name: str, *arguments: str) -> bytes:
    command = [sys.executable, "-m", f"bench.{name}", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


@dataclass(frozen=True, slots=True)
class _Moment:
    """What has been spent so far: CPU seconds of each process, and polls."""

    at: float
    server_s: float
    stand_in_s: float
    stores_s: float
    polls: int


class _Bench:
    """One server full of pollers."""

    def __init__(self, provider: PollStandIn, folder: Path, count: int) -> None:
        self.provider = provider
        self.count = count
        self.watch = folder / "watch.jsonl"
        self.logs = folder / "logs"
        self.logs.mkdir()
        plan = WatchedPlan(
            name="pollers",
            folder=folder / "data",
            logs=self.logs,
            watch=self.watch,
            settings={
                **provider.settings,
                "COGVIDEOX_POLL_INTERVAL_S": str(FIRST_S),
                "MAX_RUNNING_TASKS": str(count),
            },
        )
        self.server = Server(plan)

    @property
    def process(self) -> psutil.Process:
        """The server's process."""
        return psutil.Process(self.server.pid)

    async def fill(self) -> list[str]:
        """Create the tasks, no faster than they come to their first poll, half of the time; return their ids.

        Created at full speed they keep the loop so busy that leases run out (seen at 8,000: lag p50 0.3 s).

        Raises RuntimeError when that takes too long.
        """
        task_ids: list[str] = []
        until = time.monotonic() + FILL_LIMIT_S
        while len(task_ids) < self.count:
            if time.monotonic() > until:
                raise RuntimeError(f"{len(task_ids)} created, {self.provider.jobs()} polled: the server is too slow")
            if len(task_ids) - self.provider.jobs() > MOST_UNPOLLED:
                await asyncio.sleep(0.05)
            else:
                begun = time.monotonic()
                task_ids += await self._created(min(CREATED_AT_ONCE, self.count - len(task_ids)))
                await asyncio.sleep(time.monotonic() - begun)
        return task_ids

    async def _created(self, count: int) -> list[str]:
        one = {"platform": "cogvideox", "params": {"model": "cogvideox-flash", "prompt": PROMPT}}
        try:
            made = await self.server.call("POST", "/tasks/bulk", {"tasks": [one] * count})
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                raise
            # The machine is busy; what was created all the same waits for a slot and is not measured.
            await asyncio.sleep(1)
            return []
        return [item["task_id"] for item in made["items"]]

    async def settle(self) -> int:
        """Wait until every job is polled at its full pause, or too long; return how many are not yet."""
        until = time.monotonic() + SETTLE_LIMIT_S
        while (left := self._unsettled()) and time.monotonic() < until:  # noqa: ASYNC110 - a process of its own
            await asyncio.sleep(1)
        return left

    def _unsettled(self) -> int:
        polls = self.provider.polls()
        return self.count - sum(polled >= POLLS_TO_FULL_PAUSE for polled in polls.values())

    def moment(self) -> _Moment:
        """Read all meters."""
        stores = [psutil.Process(pid) for pid in self.server.children()]
        return _Moment(
            time.time(),
            _cpu_s(self.process),
            _cpu_s(psutil.Process(self.provider.pid)),
            sum(_cpu_s(store) for store in stores),
            sum(self.provider.polls().values()),
        )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _product(provider: PollStandIn, count: int, seconds: float, cancels: int) -> dict[str, float]:
    # Short, because a unix socket's path may not pass 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="mcq-"))
    try:
        bench = _Bench(provider, folder, count)
        await bench.server.start()
        try:
            figures = await _measure(bench, seconds, cancels)
            begun = time.perf_counter()
        finally:
            await bench.server.stop()
        return figures | {"stop_s": time.perf_counter() - begun, "log_complaints": len(list(complaints(bench.logs)))}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(bench: _Bench, seconds: float, cancels: int) -> dict[str, float]:
    await asyncio.sleep(2)
    empty_rss, begun = bench.process.memory_info().rss, time.perf_counter()
    task_ids = await bench.fill()
    created_s = time.perf_counter() - begun
    begun = time.perf_counter()
    unsettled = await bench.settle()
    settled_s = time.perf_counter() - begun
    first = bench.moment()
    await asyncio.sleep(seconds)
    last = bench.moment()
    rss = bench.process.memory_info().rss - empty_rss
    running = len((await bench.server.call("GET", "/system"))["live"]["tasks"])
    figures = {
        "count": bench.count,
        "running": running,
        "create_s": created_s,
        "settle_s": settled_s,
        "unsettled": unsettled,
        **_spent(first, last, bench.count),
        **_lags("lag_ms", bench, first.at, last.at),
        "rss_kb_per_task": rss / bench.count / 1000,
    }
    return figures | await _cancelled(bench, task_ids[:: max(1, len(task_ids) // cancels)][:cancels])


def _spent(first: _Moment, last: _Moment, count: int) -> dict[str, float]:
    wall_s, polls = last.at - first.at, last.polls - first.polls
    return {
        "core_percent": (last.server_s - first.server_s) / wall_s * 100,
        "cpu_us_per_poll": (last.server_s - first.server_s) / max(polls, 1) * 1e6,
        "made_percent": polls / (count / MEAN_S * wall_s) * 100,
        "polls_per_s": polls / wall_s,
        "stand_in_percent": (last.stand_in_s - first.stand_in_s) / wall_s * 100,
        "stores_percent": (last.stores_s - first.stores_s) / wall_s * 100,
    }


def _lags(name: str, bench: _Bench, since: float, until: float) -> dict[str, float]:
    lines = [line for line in watched(bench.watch, since=since) if line.at <= until + 1]
    return spread(name, [lag for line in lines for lag in line.lags_ms])


async def _cancelled(bench: _Bench, task_ids: Sequence[str]) -> dict[str, float]:
    """Cancel some of the tasks, one after the other; their jobs must not be polled again."""
    took_ms, begun = [], time.time()
    for task_id in task_ids:
        sent_at = time.perf_counter()
        record = await bench.server.cancel(task_id)
        took_ms.append((time.perf_counter() - sent_at) * 1000)
        if record["status"] != "cancelled":
            raise RuntimeError(f"{task_id} is {record['status']}")
    gone = tuple(task_ids)
    then = _polls_of(bench.provider.polls(), gone)
    await asyncio.sleep(2 * MEAN_S)
    after = _polls_of(bench.provider.polls(), gone) - then
    return {
        **spread("cancel_ms", took_ms),
        "lag_ms_p99_while_cancelling": percentile(
            [lag for line in watched(bench.watch, since=begun) for lag in line.lags_ms], 99
        ),
        "polls_after_cancel": after,
    }


def _polls_of(polls: dict[str, int], task_ids: tuple[str, ...]) -> int:
    return sum(count for job, count in polls.items() if job.startswith(task_ids))
