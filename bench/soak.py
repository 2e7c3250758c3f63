"""One server under a steady mixed load for an hour: what its memory, files, threads and tasks do.

First comes what grows to its bound and no further: the windows that keep the latest events are filled, and a peak of
reads has the driver start threads, of which it keeps each. Then every 10 s the resident memory of the server, of mongod
and of Valkey, the server's file descriptors, threads and asyncio tasks, and the blocks of memory that Python's objects
take; `anon_mb` is the resident memory without the files that are mapped (its code, and fonts while a film is made).
Slopes are by least squares over the samples after a warm-up (`warm_up_s`: a quarter of the time, at most 10 minutes).
Their standard error takes into account that neighbouring samples are alike: its square is multiplied by (1 + r) / (1 -
r), r being the correlation of a residual with the next. Flat means that the slope is within 2 MB/h, or beyond it by
less than twice its standard error: `*_beyond_noise` is the slope less that. `--leak-kb 50` has the server leak 50 KB a
task, and has to miss the goal. Growth of file descriptors and threads is the median of the last fifth less that of the
first (the driver's pools fill with the load's peaks); `tasks_left` are asyncio tasks that an idle server has more than
before.
"""

import argparse
import asyncio
import itertools
import math
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import psutil

from bench.harness.server import STORE_CHILDREN, Server
from bench.harness.soak_load import Load, StandIns
from bench.harness.verification import complaints
from bench.harness.watched_server import WatchedPlan, watched
from bench.report import Report, judge, percentile

EVERY_S = 10.0
QUIET_S = 20.0
WARM_UP_SHARE = 0.25
MAX_WARM_UP_S = 600.0
FLAT_MB_PER_H = 2.0
SLOPES = ("rss_mb", "anon_mb", "blocks_k", "mongod_mb", "valkey_mb")
COUNTS = ("fds", "threads")
_HOUR_S = 3_600.0
_LOOKS_BACK = 5
_OF_CONNECTION = "HTTP1ServerConnection._server_request_loop"
TARGETS = {
    "rss_mb_per_h_beyond_noise": f"<= {FLAT_MB_PER_H:g}",
    "fds_growth": "<= 50",
    "threads_growth": "<= 8",
    "tasks_left": "<= 2",
    "problems": "== 0",
    "log_complaints": "== 0",
    "core_percent": "<= 25",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (1)")
    parser.add_argument("--leak-kb", type=int, default=0, help="leak so much a task, to see that it is found (0)")
    parser.add_argument("--samples", type=Path, help="file that gets each sample as a line of JSON")


def run(args: argparse.Namespace) -> Report:
    """Start a server of its own, load it, sample it."""
    figures = asyncio.run(_soak(args.minutes * 60, args.seed, args.samples, leak_kb=args.leak_kb))
    return Report("soak", figures, judge(figures, TARGETS))


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. `at_s` counts from the beginning; memory in MB, blocks in thousands."""

    at_s: float
    rss_mb: float
    anon_mb: float
    mongod_mb: float
    valkey_mb: float
    blocks_k: float
    fds: int
    threads: int
    tasks: int


async def _soak(seconds: float, seed: int, into: Path | None, *, leak_kb: int) -> dict[str, float]:
    # Short, because a unix socket's path may not pass 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="mck-"))
    stand_ins = StandIns()
    await stand_ins.start()
    try:
        watch, logs = folder / "watch.jsonl", folder / "logs"
        logs.mkdir()
        settings = stand_ins.settings
        plan = WatchedPlan(
            name="soak", folder=folder / "data", logs=logs, watch=watch, settings=settings, leak_kb=leak_kb
        )
        server = Server(plan)
        await server.start()
        try:
            load = Load(server, stand_ins, seed=seed)
            figures = await _sampled(server, load, watch, seconds, into)
        finally:
            await server.stop()
        found = [*load.done.problems, *complaints(logs)]
        for line in found[:20]:
            print(line)
        return figures | {"log_complaints": len(list(complaints(logs)))}
    finally:
        await stand_ins.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _sampled(server: Server, load: Load, watch: Path, seconds: float, into: Path | None) -> dict[str, float]:
    await asyncio.sleep(QUIET_S)
    process, idle, begun, begun_at = psutil.Process(server.pid), _idle(watch), time.monotonic(), time.time()
    cpu_s = _cpu_s(process)
    load.begin()
    await load.fill_windows()
    await load.start_threads()
    samples: list[Sample] = []
    while (at_s := time.monotonic() - begun) < seconds:
        await asyncio.sleep(EVERY_S - at_s % EVERY_S)
        samples.append(_look(server, process, watch, time.monotonic() - begun))
        if into is not None:
            with into.open("ab") as out:
                out.write(orjson.dumps(asdict(samples[-1])) + b"\n")
    cpu_s, at_s = _cpu_s(process) - cpu_s, time.monotonic() - begun
    await load.end()
    warm_up_s = min(MAX_WARM_UP_S, seconds * WARM_UP_SHARE)
    lags = [lag for line in watched(watch, since=begun_at) for lag in line.lags_ms]
    return {
        "minutes": at_s / 60,
        "core_percent": cpu_s / at_s * 100,
        "lag_ms_p50": percentile(lags, 50),
        "lag_ms_p99": percentile(lags, 99),
        **asdict(load.done),
        "problems": len(load.done.problems),
        "tasks_left": await _tasks_left(watch, idle),
        "warm_up_s": warm_up_s,
        **trends(samples, warm_up_s),
    }


async def _tasks_left(watch: Path, idle: Counter[str]) -> int:
    """Return how many asyncio tasks more than in `idle` there are, after longer than a connection is kept for."""
    await asyncio.sleep(QUIET_S)
    left = _idle(watch)
    if left.total() > idle.total():
        print("left:", dict(left - idle))
    return left.total() - idle.total()


def _idle(watch: Path) -> Counter[str]:
    """Return the asyncio tasks by kind that there were in the quietest of the last seconds."""
    kinds = Counter(min(watched(watch)[-_LOOKS_BACK:], key=lambda line: line.tasks).kinds)
    # One for each connection that our own client keeps open.
    del kinds[_OF_CONNECTION]
    return kinds


def _look(server: Server, process: psutil.Process, watch: Path, at_s: float) -> Sample:
    # Where the loop stands still for seconds, its last word counts.
    line = watched(watch)[-1]
    stores = {pid: name for pid, name in server.children().items() if name in STORE_CHILDREN}
    memory = process.memory_info()
    children = {name: psutil.Process(pid).memory_info().rss for pid, name in stores.items()}
    return Sample(
        at_s=round(at_s, 1),
        rss_mb=memory.rss / 1e6,
        # Linux counts the mapped files; elsewhere they are in it.
        anon_mb=(memory.rss - getattr(memory, "shared", 0)) / 1e6,
        mongod_mb=children.get("mongod", 0) / 1e6,
        valkey_mb=children.get("valkey-server", 0) / 1e6,
        blocks_k=line.blocks / 1e3,
        fds=process.num_fds(),
        threads=process.num_threads(),
        tasks=line.tasks,
    )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def trends(samples: Sequence[Sample], warm_up_s: float) -> dict[str, float]:
    """Return slopes an hour with their errors, and how much the counts of the last fifth exceed those of the first."""
    kept = [sample for sample in samples if sample.at_s > warm_up_s]
    hours = [sample.at_s / _HOUR_S for sample in kept]
    fifth = max(1, len(kept) // 5)
    figures: dict[str, float] = {"samples": len(kept)}
    for name in SLOPES:
        values = [float(getattr(sample, name)) for sample in kept]
        slope, error = slope_of(hours, values)
        figures |= {f"{name}_first": values[0], f"{name}_last": values[-1]}
        figures |= {f"{name}_per_h": slope, f"{name}_per_h_error": error}
        figures[f"{name}_per_h_beyond_noise"] = max(0.0, abs(slope) - 2 * error)
    for name in COUNTS:
        counts = [float(getattr(sample, name)) for sample in kept]
        figures[f"{name}_last"] = counts[-1]
        figures[f"{name}_growth"] = statistics.median(counts[-fifth:]) - statistics.median(counts[:fifth])
    return figures


def slope_of(at: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Return the least-squares slope and its standard error, neighbours taken as correlated.

    NaN, NaN for fewer than three values: a line through two says nothing.
    """
    if len(values) < 3:
        return float("nan"), float("nan")
    slope, offset = statistics.linear_regression(at, values)
    residuals = [value - offset - slope * x for x, value in zip(at, values, strict=True)]
    squares = sum(r * r for r in residuals)
    if squares == 0:
        return slope, 0.0
    alike = sum(a * b for a, b in itertools.pairwise(residuals)) / squares
    alike = min(max(alike, 0.0), 0.99)
    breadth = sum((x - statistics.fmean(at)) ** 2 for x in at)
    return slope, math.sqrt(squares / (len(values) - 2) / breadth * (1 + alike) / (1 - alike))
