"""The same work through the product and through other task queues: what a cancel stops, and what a kill -9 costs.

Work: chains of slow pages, fetched one after the other; two workers, ten tasks each at once. The site counts, the same
for all; what each figure is stands in MEANINGS, which is printed below the table. The packages of the others are
installed into `--venv` by pip (PACKAGES), each once; what cannot be installed is left out, and so is a contender that
breaks down. Linux only.
"""

import argparse
import asyncio
import dataclasses
import math
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from bench.harness.server import ServerError
from bench.harness.stores import SharedStores
from bench.report import Report, judge, percentile
from bench.rivals.ours import Ours
from bench.rivals.queues import Queue, Scrapyd
from bench.rivals.rival import AT_ONCE, Rival
from bench.rivals.site import ChainSite

PACKAGES = {
    "celery": ["celery[redis]>=5.7,<5.8"],
    "dramatiq": ["dramatiq[redis]>=2.2,<3"],
    "taskiq": ["taskiq>=0.13,<0.14", "taskiq-redis>=1.2,<2"],
    "scrapyd": ["scrapyd>=1.6,<2"],
}
NAMES = ("ours", *PACKAGES)
# What each row of the table counts.
MEANINGS = {
    "stopped_ms_max": "from the call of the cancel to the last request of that task after it; -: it has no way",
    "requests_after": "requests that came more than 0.1 s after the cancel was answered; -: it has no way",
    "done": "tasks whose last page was heard: its asker still lived when it was answered",
    "lost": "tasks not done when the site had heard nothing for --quiet seconds; a queue may know of them all the same",
    "at_work": "tasks not done at --limit, with requests still coming",
    "twice_at_once": "tasks of which two living askers had pages on their way at the same time",
    "ended_again": "tasks whose last page was heard more than once, at whatever time",
    "asked_again": "requests for a page that was asked for before: on its way to the process that died, or done anew",
    "fetched_again": "those of them whose page had been heard: work done twice",
    "all_done_s": "from the kill to the last task's end; -: not all were done",
    "ideal_s": "what is left at the kill, on one worker, with nothing lost and nothing done again",
}
_CANCEL_STEPS = 40
_STEPS = 8
_ANSWER_S = 0.25
_QUIET_S = 3.0
_START_S = 180.0
_KILL_AT = 0.2
_TABLE_COLUMNS = 120
_BEFORE_KILL_S = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--only", nargs="+", default=list(NAMES), choices=NAMES, metavar="NAME", help="only these")
    parser.add_argument("--tasks", type=int, default=200, help="tasks when a worker is killed (200)")
    parser.add_argument("--cancels", type=int, default=10, help="running tasks that are cancelled (10)")
    parser.add_argument("--quiet", type=float, default=120, help="seconds without a request: what is not done is lost")
    parser.add_argument("--limit", type=float, default=600, help="seconds after the kill that are waited at most (600)")
    parser.add_argument("--venv", type=Path, default=None, help="folder of the others' packages, kept (a new one)")


def run(args: argparse.Namespace) -> Report:
    """Put every contender that installs through both measurements."""
    with tempfile.TemporaryDirectory(prefix="mcp-") as folder:
        figures = asyncio.run(_measure(args, Path(folder), args.venv or Path(folder) / "v"))
    targets = {
        **{"ours_stopped_ms_max": "<= 250", "ours_requests_after": "== 0"},
        **{"ours_lost": "== 0", "ours_at_work": "== 0", "ours_twice_at_once": "== 0"},
    }
    return PeersReport("peers", figures, judge(figures, targets if "ours" in args.only else {}))


class PeersReport(Report):
    """The figures, a column for each contender."""

    __slots__ = ()

    def print_table(self) -> None:
        """Print the columns, what each row counts, and the goals that were missed."""
        labels = _labels(self.figures)
        table = Table("", *(label.replace("_", " ") for label in labels), title="two workers, one of them killed")
        for name in MEANINGS:
            table.add_row(name, *(_shown(self.figures.get(f"{label}_{name}", math.nan)) for label in labels))
        console = Console()
        # A pipe has 80 columns by default, which would cut the figures' names.
        Console(width=max(console.width, _TABLE_COLUMNS)).print(table)
        for name, meaning in MEANINGS.items():
            console.print(f"{name}: {meaning}", highlight=False)
        for metric, goal in self.goals.items():
            if not goal.met:
                console.print(f"NOT SO  {metric} {goal.target}", highlight=False, markup=False)


async def _measure(args: argparse.Namespace, folder: Path, packages: Path) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name in args.only:
        if name != "ours" and not _install(name, packages):
            print(f"{name}: could not be installed, left out", file=sys.stderr)
            continue
        for is_tuned in (True, False) if name in {"celery", "dramatiq", "taskiq"} else (True,):
            label = name if is_tuned else f"{name}_defaults"
            try:
                found = await _figures_of(name, args, folder, packages, is_tuned=is_tuned)
            except (RuntimeError, TimeoutError, ServerError, httpx.HTTPError) as error:
                print(f"{label}: broke down, left out: {type(error).__name__}: {error}", file=sys.stderr)
                continue
            print(label, found, file=sys.stderr)
            figures |= {f"{label}_{metric}": round(value, 1) for metric, value in found.items()}
    return figures


async def _figures_of(
    name: str, args: argparse.Namespace, folder: Path, packages: Path, *, is_tuned: bool
) -> dict[str, float]:
    figures: dict[str, float] = {}
    if is_tuned:
        # How a running task is stopped does not depend on that.
        figures |= await _cancels(_House(name, folder, packages, is_tuned=True, steps=_CANCEL_STEPS), args.cancels)
    house = _House(name, folder, packages, is_tuned=is_tuned, steps=_STEPS)
    return figures | await _kill(house, args.tasks, quiet_s=args.quiet, limit_s=args.limit)


class _House:
    """One contender with its stores and its site, from `async with` to its end."""

    def __init__(self, name: str, folder: Path, packages: Path, is_tuned: bool, steps: int) -> None:
        self._name = name
        self._folder = folder / f"{name}-{'t' if is_tuned else 'd'}-{steps}"
        self._packages = packages
        self._is_tuned = is_tuned
        self._stores = SharedStores(self._folder / "s")
        self.site = ChainSite(steps=steps, answer_s=_ANSWER_S)
        self._closing = AsyncExitStack()
        self.rival: Rival

    async def __aenter__(self) -> "_House":
        self._folder.mkdir(parents=True)
        async with AsyncExitStack() as closing:
            await self._stores.start()
            closing.push_async_callback(self._stores.stop)
            await self.site.start()
            closing.push_async_callback(self.site.stop)
            self.rival = self._made(self._stores.settings("peers"))
            closing.push_async_callback(self.rival.stop)
            await self.rival.start()
            self._closing = closing.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    def _made(self, settings: dict[str, str]) -> Rival:
        if self._name == "ours":
            return Ours(folder=self._folder, site=self.site.origin, steps=self.site.steps, stores=settings)
        if self._name == "scrapyd":
            return Scrapyd(venv=self._packages, folder=self._folder, site=self.site.origin)
        return Queue(
            self._name,
            venv=self._packages,
            folder=self._folder,
            site=self.site.origin,
            redis=settings["REDIS_URL"],
            is_tuned=self._is_tuned,
        )


async def _cancels(house: _House, count: int) -> dict[str, float]:
    """Cancel running tasks in the middle of their work."""
    async with house:
        references = {f"c{number}": await house.rival.submit(f"c{number}") for number in range(count)}
        begun = [await house.site.reached(job, 3, within_s=_START_S) for job in references]
        if not all(begun):
            raise RuntimeError(f"{house.rival.name}: {begun.count(False)} of {count} tasks did not start")
        results = await asyncio.gather(*(_cancel(house, job, reference) for job, reference in references.items()))
    stopped = [stopped_ms for stopped_ms, _ in results]
    return {
        "stopped_ms_p50": percentile(stopped, 50),
        "stopped_ms_max": max(stopped),
        "requests_after": sum(after for _, after in results),
    }


async def _cancel(house: _House, job: str, reference: str) -> tuple[float, float]:
    """Return how long requests went on (ms), and how many came after the answer; NaN: there is no way to stop it."""
    asked_at = time.monotonic()
    if not await house.rival.cancel(reference):
        return math.nan, math.nan
    answered_at = time.monotonic()
    while time.monotonic() - max(answered_at, house.site.seen[job][-1].at) < _QUIET_S:  # noqa: ASYNC110 - seen from outside
        await asyncio.sleep(0.05)
    late = [seen.at for seen in house.site.seen[job] if seen.at > asked_at]
    return max(late, default=asked_at) * 1000 - asked_at * 1000, sum(at > answered_at + 0.1 for at in late)


async def _kill(house: _House, count: int, *, quiet_s: float, limit_s: float) -> dict[str, float]:
    """Kill one of two workers while it works, and see what becomes of the tasks."""
    async with house:
        for number in range(count):
            await house.rival.submit(f"k{number}")
        before = max(1, int(count * _KILL_AT))
        if not await house.site.ended(before, within_s=_BEFORE_KILL_S):
            raise RuntimeError(f"not {before} tasks were done within {_BEFORE_KILL_S:g} s")
        await house.rival.kill_one()
        killed_at = time.monotonic()
        is_done, is_quiet = await _over(house.site, count, quiet_s=quiet_s, until=killed_at + limit_s)
        took_s = time.monotonic() - killed_at
        # What was given to two workers may end a second time.
        await asyncio.sleep(_STEPS * _ANSWER_S * 2)
        tally = house.site.tally()
    left = count - tally.done
    return {
        **dataclasses.asdict(tally),
        **({"lost": left, "at_work": 0} if is_quiet or not left else {"lost": 0, "at_work": left}),
        "all_done_s": took_s if is_done else math.nan,
        "ideal_s": (count - before) * _STEPS * _ANSWER_S / AT_ONCE,
    }


async def _over(site: ChainSite, count: int, *, quiet_s: float, until: float) -> tuple[bool, bool]:
    """Wait for the last end; return whether it came, and whether the site has heard nothing for so long."""
    while True:
        now = time.monotonic()
        left_s = min(site.moved_at + quiet_s, until) - now
        if left_s <= 0:
            return False, now - site.moved_at >= quiet_s
        if await site.ended(count, within_s=left_s):
            return True, False


def _labels(figures: Iterable[str]) -> list[str]:
    return [name.removesuffix("_done") for name in figures if name.endswith("_done")]


def _shown(figure: float) -> str:
    return "-" if math.isnan(figure) else f"{figure:g}"


def _install(name: str, packages: Path) -> bool:
    if not (packages / "bin" / "python").exists():
        venv.create(packages, with_pip=True)
    command = [str(packages / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES[name]]
    return subprocess.run(command, check=False).returncode == 0
