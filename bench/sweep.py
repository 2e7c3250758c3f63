"""Cancels a task at each of its await points, one run for each, and counts what is left.

The real service, runner, executors and gate run in this process; a counting task factory sees every moment at which any
coroutine of the run (supervisor, body, what they start, also on a thread's loop) gives the loop away. At the n-th one
the run is frozen there, the task is cancelled by the service, and the run goes on; n = 1 … all of them. `--racing`
does not freeze: the cancel's own write runs beside the run. Claim and finish are part of every path.

For each path: its awaits, the cancels, the slowest of them, and what was wrong: a status that is not right, books that
do not balance, a provider that was not asked, and anything left of the task when its end is written or later: asyncio
tasks, threads, requests, sockets and other files, child processes, part files, slots, registry entries, flags, store
operations, changed documents. Documents are kept in memory; `--stores` uses a real MongoDB and Valkey.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from loguru import logger

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.embedded import EmbeddedStores
from bench.harness.stepping import stepping
from bench.harness.sweep import Cut, Sweep, SweptPath
from bench.harness.sweep_house import Stores, WatchedDatabase, stand_ins
from bench.harness.sweep_paths import PATHS
from bench.report import Report, judge

LIMIT_MS = 100.0
_SLACK = 1.5
_MOST_PROBLEMS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    names = [path.name for path in PATHS]
    parser.add_argument("--paths", nargs="+", default=[], choices=names, metavar="NAME", help="only these")
    parser.add_argument("--stride", type=int, default=1, help="cancel at every n-th await only (1)")
    parser.add_argument("--racing", action="store_true", help="do not freeze the run while it is being cancelled")
    parser.add_argument("--stores", action="store_true", help="on a real MongoDB and Valkey")


def run(args: argparse.Namespace) -> Report:
    """Sweep every path, or the named ones."""
    # A thousand runs say little that a person wants to read.
    logger.remove()
    figures = asyncio.run(_sweep(args))
    nothing = [name for name in figures if name.endswith("_problems")]
    limits = {f"{path.name}_worst_ms": f"<= {LIMIT_MS + path.extra_ms:g}" for path in PATHS}
    targets = dict.fromkeys(nothing, "== 0") | {name: limits[name] for name in figures if name in limits}
    return Report("sweep", figures, judge(figures, targets))


async def _sweep(args: argparse.Namespace) -> dict[str, float]:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="mcs-") as folder, stepping():
        async with _stores(Path(folder), is_real=args.stores) as stores, stand_ins() as peers:
            for path in PATHS:
                if not args.paths or path.name in args.paths:
                    sweep = Sweep(path, peers, Path(folder) / "files", stores)
                    figures |= await _swept(path, sweep, stride=args.stride, is_exact=not args.racing)
    totals = ("awaits", "cancels", "problems")
    return figures | {
        f"all_{what}": sum(value for name, value in figures.items() if name.endswith(f"_{what}")) for what in totals
    }


async def _swept(path: SweptPath, sweep: Sweep, *, stride: int, is_exact: bool) -> dict[str, float]:
    # The first run of a process imports and fills caches.
    await sweep.whole()
    whole = await sweep.whole()
    cuts, number = [whole], 1
    while number <= _SLACK * whole.awaits:
        cut = await sweep.ride(number, is_exact=is_exact)
        cuts.append(cut)
        if not cut.has_struck:
            break
        number += stride
    _tell(path, cuts)
    return {
        f"{path.name}_awaits": whole.awaits,
        f"{path.name}_cancels": sum(cut.has_struck for cut in cuts),
        f"{path.name}_worst_ms": max((cut.latency_ms for cut in cuts if cut.has_struck), default=0.0),
        f"{path.name}_problems": sum(len(cut.problems) for cut in cuts),
    }


def _tell(path: SweptPath, cuts: Sequence[Cut]) -> None:
    for cut in [cut for cut in cuts if cut.problems][:_MOST_PROBLEMS]:
        print(f"{path.name} await {cut.number} ({cut.place}): {'; '.join(cut.problems)}", file=sys.stderr)
    slowest = max(cuts, key=lambda cut: cut.latency_ms if cut.has_struck else 0.0)
    if slowest.latency_ms > LIMIT_MS:
        print(f"{path.name} await {slowest.number} ({slowest.place}): {slowest.latency_ms:.0f} ms", file=sys.stderr)


@contextlib.asynccontextmanager
async def _stores(folder: Path, *, is_real: bool) -> AsyncIterator[Stores]:
    if not is_real:
        yield Stores()
        return
    clock = Clock()
    async with contextlib.AsyncExitStack() as closing:
        embedded = EmbeddedStores(folder / "stores")
        await embedded.start()
        closing.push_async_callback(embedded.stop)
        assert embedded.mongo is not None
        assert embedded.valkey is not None
        database = WatchedDatabase(embedded.mongo.uri, "sweep", clock=clock)
        cache = Cache(embedded.valkey.uri, clock=clock)
        for client in (database, cache):
            await client.connect()
            closing.push_async_callback(client.close)
        yield Stores(database, cache)
