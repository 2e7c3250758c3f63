"""Cancels in browser mode: how long each takes wherever the tab is, and what they leave, with a real Chromium.

A cancel is measured from the moment the body is told until it has ended with its tab closed; 0.3 to 0.6 s of work go
before it. Points: `place` (waiting for a free tab), `launch`, `attach` (to an address that never answers), `open` (a
tab), `navigation` (no answer), `hung_page` (its script never returns), `body` (an answer that never ends), `scroll`,
`screenshot`, `close`. Then 100 cancels in a row while a list is scrolled, with the memory (PSS) of the browser's
processes at the 20th to 30th and at the last ten of them; ten tabs at once with all they heard kept, and what that
takes in this process; and what is left in the end: tabs, processes, asyncio tasks, files.
"""

import argparse
import asyncio
import contextlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from backend.core.http import NetworkPolicy
from backend.crawl.browser import BrowserOptions, Browsers, Listen, Tab
from bench.harness.browser_site import BrowserSite
from bench.report import Report, judge, percentile, spread

HERE = ("127.0.0.1",)
ROW = 100
TABS = 10
LIMIT_MS = 1_000.0
FLAT_MB = 25.0
TABS_MB = 50.0
_MB = 1024 * 1024
_LOOK_S = 0.01
_POLICY = NetworkPolicy(allow_private=("127.0.0.0/8",))

Act = Callable[["House", "Context"], Awaitable[None]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--count", type=int, default=20, help="cancels at each point (20)")
    parser.add_argument("--row", type=int, default=ROW, help="cancels in a row for the memory (100)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (1)")
    parser.add_argument("--points", nargs="+", default=[], choices=sorted(POINTS), metavar="NAME", help="only these")
    parser.add_argument("--program", type=Path, default=None, help="the browser (the one that is found)")


def run(args: argparse.Namespace) -> Report:
    """Measure all points, or the named ones."""
    return asyncio.run(_measure(args))


class Context:
    """As much of a run's context as a tab uses; cancelled by cancelling the task that works."""

    task = lease = None

    def check(self) -> None:
        """Never stops by itself: the cancel of the task is what is measured."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def log(self, level: str, message: str, **fields: object) -> None:
        """Say nothing."""

    @contextlib.contextmanager
    def hold(self, what: str) -> Iterator[None]:
        """Count nothing."""
        del what
        yield


class House:
    """The browsers that are measured, and the site they read."""

    def __init__(self, browsers: Browsers, site: BrowserSite, folder: Path, program: Path | None) -> None:
        self.browsers = browsers
        self.site = site
        self.folder = folder
        self.program = program
        self.ready = asyncio.Event()

    def open(self, context: Context, **more: Any) -> Awaitable[Tab]:
        """Open a tab that hears the site's lists."""
        listen = [Listen("GET", "/list"), Listen("GET", "/never")]
        return self.browsers.open_tab(context, platform="bench", listen=listen, hosts=HERE, **more)

    def other(self, **options: Any) -> Browsers:
        """Make browsers of their own, stopped by who asked for them."""
        chosen = replace(BrowserOptions(mode="headless", path=self.program), **options)
        return Browsers(chosen, folder=self.folder / "other", policy=_POLICY)


@asynccontextmanager
async def _house(folder: Path, program: Path | None) -> AsyncIterator[House]:
    async with BrowserSite().serving() as site:
        options = BrowserOptions(mode="headless", path=program, max_tabs=TABS)
        browsers = Browsers(options, folder=folder / "browser", policy=_POLICY)
        await browsers.start()
        try:
            yield House(browsers, site, folder, program)
        finally:
            await browsers.stop()


# -- the points --------------------------------------------------------------------------------------------------


async def _in_other(house: House, context: Context, browsers: Browsers) -> None:
    await browsers.start()
    try:
        house.ready.set()
        await browsers.open_tab(context, platform="bench", hosts=HERE)
    finally:
        # What open_tab has left is what is looked for: it must have ended by itself.
        house.ready.clear()
        if browsers.live().browsers:
            print("a browser was left", file=sys.stderr)
        await browsers.stop()


async def _launch(house: House, context: Context) -> None:
    await _in_other(house, context, house.other())


async def _attach(house: House, context: Context) -> None:
    await _in_other(house, context, house.other(mode="attach", cdp_url=house.site.origin))


async def _place(house: House, context: Context) -> None:
    tabs = [await house.open(context) for _ in range(TABS)]
    try:
        house.ready.set()
        await house.open(context)
    finally:
        # Not part of what is measured: the others' tabs.
        house.ready.clear()
        del tabs


async def _open(house: House, context: Context) -> None:
    house.ready.set()
    while True:
        async with await house.open(context):
            pass


async def _at(house: House, context: Context, path: str, act: Callable[[Tab], Awaitable[object]]) -> None:
    async with await house.open(context) as tab:
        if path:
            await tab.open(house.site.origin + path)
        house.ready.set()
        while True:
            await act(tab)


async def _navigation(house: House, context: Context) -> None:
    await _at(house, context, "", lambda tab: tab.open(f"{house.site.origin}/hold"))


async def _hung_page(house: House, context: Context) -> None:
    async def ask(tab: Tab) -> None:
        await asyncio.sleep(0.1)
        await tab.html()

    await _at(house, context, "/spin", ask)


async def _body(house: House, context: Context) -> None:
    await _at(house, context, "/asks", lambda tab: tab.next_answer(within_s=60))


async def _scroll(house: House, context: Context) -> None:
    await _at(house, context, "/", lambda tab: tab.scroll())


async def _screenshot(house: House, context: Context) -> None:
    await _at(house, context, "/", lambda tab: tab.screenshot())


async def _close(house: House, context: Context) -> None:
    house.ready.set()
    while True:
        async with await house.open(context) as tab:
            await tab.open(f"{house.site.origin}/")
            await asyncio.wait({asyncio.ensure_future(tab.close())}, timeout=0.02)


POINTS: dict[str, Act] = {
    "place": _place,
    "launch": _launch,
    "attach": _attach,
    "open": _open,
    "navigation": _navigation,
    "hung_page": _hung_page,
    "body": _body,
    "scroll": _scroll,
    "screenshot": _screenshot,
    "close": _close,
}


async def _cancel_once(house: House, point: str, wait_s: float) -> float:
    """Cancel a body at a point; return how long it took to end, in ms."""
    house.ready.clear()
    body = asyncio.ensure_future(POINTS[point](house, Context()))
    ready = asyncio.create_task(house.ready.wait())
    await asyncio.wait({body, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if body.done():
        body.result()
    await asyncio.sleep(wait_s)
    began = time.perf_counter()
    body.cancel()
    await asyncio.wait({body})
    took_ms = (time.perf_counter() - began) * 1000
    if not body.cancelled():
        body.result()
    return took_ms


async def _close_left(house: House) -> int:
    left = list(house.browsers._tabs)
    for tab in left:
        await tab.close()
    return len(left)


# -- memory and leftovers ----------------------------------------------------------------------------------------


def _below() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _browser_mb() -> float:
    total = 0
    for one in _below():
        with contextlib.suppress(psutil.Error):
            if "chrom" in one.name():
                total += one.memory_full_info().pss
    return total / _MB


async def _row(house: House, count: int, chance: random.Random) -> dict[str, float]:
    samples: list[float] = []
    for _ in range(count):
        await _cancel_once(house, "scroll", chance.uniform(0.05, 0.3))
        samples.append(_browser_mb())
    early, late = samples[count // 5 : count * 3 // 10], samples[-max(1, count // 10) :]
    first, last = statistics.median(early or samples), statistics.median(late)
    return {"row_cancels": count, "browser_mb_early": first, "browser_mb_late": last, "browser_mb_growth": last - first}


async def _ten_tabs(house: House) -> dict[str, float]:
    ours = psutil.Process()
    before = ours.memory_info().rss
    tabs = list(await asyncio.gather(*(house.open(Context()) for _ in range(TABS))))
    await asyncio.gather(*(tab.open(f"{house.site.origin}/") for tab in tabs))
    for _ in range(3):
        await asyncio.gather(*(tab.scroll() for tab in tabs))
    grown = (ours.memory_info().rss - before) / _MB
    heard = sum([1 async for _ in _all_answers(tabs)])
    await asyncio.gather(*(tab.close() for tab in tabs))
    return {"tabs": len(tabs), "tabs_mb": grown, "tabs_answers": heard}


async def _all_answers(tabs: list[Tab]) -> AsyncIterator[object]:
    for tab in tabs:
        while (answer := await tab.next_answer(within_s=0)) is not None:
            yield answer


async def _left(house: House, before: set[asyncio.Task[Any]]) -> dict[str, float]:
    running = [one for one in _below() if one.status() != psutil.STATUS_ZOMBIE]
    tasks = asyncio.all_tasks() - before - {asyncio.current_task()}
    files = list(house.folder.glob("*/.run/*"))
    live = house.browsers.live()
    return {
        "left_tabs": live.tabs,
        "left_browsers": live.browsers,
        "left_processes": len(running),
        "left_tasks": len(tasks),
        "left_files": len(files),
    }


@asynccontextmanager
async def _lags(lags_ms: list[float]) -> AsyncIterator[None]:
    """Note, while inside, how late this loop is woken: the machine's own share of every figure."""

    async def look() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(_LOOK_S)
            lags_ms.append((time.perf_counter() - began - _LOOK_S) * 1000)

    looking = asyncio.create_task(look(), name="bench:lag")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait({looking})


async def _measure(args: argparse.Namespace) -> Report:
    chance = random.Random(args.seed)
    figures: dict[str, float] = {}
    targets: dict[str, str] = {}
    before, lags_ms = asyncio.all_tasks(), list[float]()
    with tempfile.TemporaryDirectory(prefix="bench-browser-", ignore_cleanup_errors=True) as folder:
        async with _lags(lags_ms), _house(Path(folder), args.program) as house:
            await (await house.open(Context())).close()
            for point in args.points or POINTS:
                taken = []
                for _ in range(args.count):
                    taken.append(await _cancel_once(house, point, chance.uniform(0.0, 0.6)))
                    left = await _close_left(house)
                    # Those of the place's point are the others'.
                    figures["tabs_after"] = figures.get("tabs_after", 0) + left - (TABS if point == "place" else 0)
                figures |= spread(f"{point}_ms", taken)
                targets[f"{point}_ms_p99"] = f"<= {LIMIT_MS:g}"
            if not args.points:
                figures |= await _row(house, args.row, chance) | await _ten_tabs(house)
                targets |= {"browser_mb_growth": f"<= {FLAT_MB:g}", "tabs_mb": f"<= {TABS_MB:g}"}
        figures |= await _left(house, before)
    nothing = ("tabs_after", "left_tabs", "left_browsers", "left_processes", "left_tasks", "left_files")
    targets |= dict.fromkeys(nothing, "== 0")
    figures |= spread("lag_ms", lags_ms)
    figures["worst_p99_ms"] = percentile(
        [value for name, value in figures.items() if name in targets and name.endswith("_ms_p99")], 100
    )
    return Report("browser", figures, judge(figures, targets))
