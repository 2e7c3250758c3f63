"""The same work through the product and through other task queues: what a cancel stops, and what a kill -9 costs.

Work: chains of slow pages, fetched one after the other; two workers, ten tasks each at once. The site counts requests.
`stopped`: from the call of the cancel to the last request that came after it. After kill -9 of one of two workers:
`done` by the site's count, `lost` when not done by the limit, `twice` ended more than once, `extra` requests over those
that an undisturbed run makes, `all_done_s` from the kill to the last task's end.
"""

import argparse
import asyncio
import math
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

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
_CANCEL_STEPS = 40
_STEPS = 8
_ANSWER_S = 0.25
_QUIET_S = 3.0
_START_S = 60.0
_KILL_AT = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--only", nargs="+", default=list(NAMES), choices=NAMES, metavar="NAME", help="only these")
    parser.add_argument("--tasks", type=int, default=200, help="tasks when a worker is killed (200)")
    parser.add_argument("--cancels", type=int, default=10, help="running tasks that are cancelled (10)")
    parser.add_argument("--limit", type=float, default=120, help="seconds after the kill until a task is lost (120)")
    parser.add_argument("--venv", type=Path, default=None, help="folder of the others' packages, kept (a new one)")


def run(args: argparse.Namespace) -> Report:
    """Put every contender that installs through both measurements."""
    with tempfile.TemporaryDirectory(prefix="mcp-") as folder:
        figures = asyncio.run(_measure(args, Path(folder), args.venv or Path(folder) / "v"))
    targets = {
        **{"ours_stopped_ms_max": "<= 250", "ours_lost": "== 0", "ours_twice": "== 0"},
        "ours_requests_after": "== 0",
    }
    return Report("peers", figures, judge(figures, targets if "ours" in args.only else {}))


async def _measure(args: argparse.Namespace, folder: Path, packages: Path) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name in args.only:
        if name != "ours" and not _install(name, packages):
            print(f"{name}: could not be installed, left out", file=sys.stderr)
            continue
        for is_tuned in (False, True) if name in {"celery", "dramatiq", "taskiq"} else (True,):
            label = name if is_tuned else f"{name}_defaults"
            if is_tuned:
                # How a running task is stopped does not depend on that.
                figures |= _named(
                    label, await _cancels(_House(name, folder, packages, True, _CANCEL_STEPS), args.cancels)
                )
            house = _House(name, folder, packages, is_tuned=is_tuned, steps=_STEPS)
            figures |= _named(label, await _kill(house, args.tasks, args.limit))
            print(label, {key: value for key, value in figures.items() if key.startswith(label)}, file=sys.stderr)
    return figures


class _House:
    """One contender with its stores and its site, from `async with` to its end."""

    def __init__(self, name: str, folder: Path, packages: Path, is_tuned: bool, steps: int) -> None:
        self._name = name
        self._folder = folder / f"{name}-{'t' if is_tuned else 'd'}-{steps}"
        self._packages = packages
        self._is_tuned = is_tuned
        self._stores = SharedStores(self._folder / "s")
        self.site = ChainSite(steps=steps, answer_s=_ANSWER_S)
        self.rival: Rival

    async def __aenter__(self) -> "_House":
        self._folder.mkdir(parents=True)
        await self._stores.start()
        await self.site.start()
        self.rival = self._made(self._stores.settings("peers"))
        await self.rival.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.rival.stop()
        await self.site.stop()
        await self._stores.stop()

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


async def _cancel(house: _House, job: str, reference: str) -> tuple[float, int]:
    """Return how long requests went on (ms; NaN: it has no way to stop it), and how many came after the answer."""
    asked_at = time.monotonic()
    if not await house.rival.cancel(reference):
        return math.nan, 0
    answered_at = time.monotonic()
    while time.monotonic() - max(answered_at, house.site.seen[job][-1].at) < _QUIET_S:  # noqa: ASYNC110 - seen from outside
        await asyncio.sleep(0.05)
    late = [seen.at for seen in house.site.seen[job] if seen.at > asked_at]
    return max(late, default=asked_at) * 1000 - asked_at * 1000, sum(at > answered_at + 0.1 for at in late)


async def _kill(house: _House, count: int, limit_s: float) -> dict[str, float]:
    """Kill one of two workers while it works, and see what becomes of the tasks."""
    async with house:
        for number in range(count):
            await house.rival.submit(f"k{number}")
        await house.site.ended(int(count * _KILL_AT), within_s=_START_S + count)
        await house.rival.kill_one()
        killed_at = time.monotonic()
        is_done = await house.site.ended(count, within_s=limit_s)
        took_s = time.monotonic() - killed_at
        # What was given to two workers may end a second time.
        await asyncio.sleep(_STEPS * _ANSWER_S * 2)
        ends, requests = house.site.ends, sum(len(seen) for seen in house.site.seen.values())
    return {
        "done": len(ends),
        "lost": count - len(ends),
        "twice": sum(times > 1 for times in ends.values()),
        "extra": requests - len(ends) * _STEPS,
        "all_done_s": took_s if is_done else math.nan,
        "ideal_s": count * (1 - _KILL_AT) * _STEPS * _ANSWER_S / AT_ONCE,
    }


def _named(label: str, figures: dict[str, float]) -> dict[str, float]:
    return {f"{label}_{name}": round(value, 1) for name, value in figures.items()}


def _install(name: str, packages: Path) -> bool:
    if not (packages / "bin" / "python").exists():
        venv.create(packages, with_pip=True)
    command = [str(packages / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES[name]]
    return subprocess.run(command, check=False).returncode == 0
