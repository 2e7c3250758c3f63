"""One run from the first start to the last audit."""

import asyncio
import json
import random
import sys
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

from pymongo import MongoClient

from bench.chaos.audit import Findings, audit
from bench.chaos.fleet import Fleet, settings_of
from bench.chaos.journal import Journal
from bench.chaos.leftovers import orphans_of
from bench.chaos.load import Load
from bench.chaos.options import SERVERS, ChaosOptions
from bench.chaos.site import ChaosSite
from bench.chaos.stores import ChaosStores
from bench.chaos.storm import Storm
from bench.chaos.vendor import ChaosVendor
from bench.chaos.watch import Watch

_TELL_EVERY_S = 10.0
_LOOK_EVERY_S = 0.5
_ORPHANS_EVERY_S = 2.0
_LAG_STEP_S = 0.05
_FOLLOW_UPS_S = 20.0


class Chaos:
    """Use it in `async with`: everything that was started has ended afterwards."""

    def __init__(self, options: ChaosOptions) -> None:
        self.options = options
        dice = random.Random(options.seed)
        self.journal = Journal()
        self.site = ChaosSite(self.journal, random.Random(dice.random()), pages_s=options.pages_s)
        self.vendor = ChaosVendor(self.journal, random.Random(dice.random()), polls=options.polls)
        self.stores = ChaosStores(options.folder / "stores")
        self.findings = Findings()
        self.lags_s: list[float] = []
        self._dice = dice
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> "Chaos":
        try:
            await self._open()
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._closing.aclose()

    async def run(self) -> Mapping[str, float]:
        """Load, strike, wait until all has ended, stop the servers; return what was found."""
        begun = time.time()
        background = [asyncio.create_task(work, name="chaos:background") for work in self._background()]
        storm_until = time.time() + self.options.minutes * 60
        await self._fill()
        load = asyncio.create_task(self.load.keep(storm_until), name="chaos:load")
        await self.storm.strike(storm_until)
        await load
        _say("quiet: every task is to end now")
        quiet_from = time.time()
        await self._until_ended()
        self.findings.figures["quiet_s"] = time.time() - quiet_from
        for task in background:
            task.cancel()
        await asyncio.wait(background)
        for task in background:
            if not task.cancelled():
                task.result()
        return await self._audited(time.time() - begun)

    # -- steps ---------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        options, closing = self.options, self._closing
        await self.site.start()
        closing.push_async_callback(self.site.stop)
        await self.vendor.start()
        closing.push_async_callback(self.vendor.stop)
        await self.stores.start()
        closing.push_async_callback(self.stores.stop)
        self.fleet = Fleet(
            options.folder,
            SERVERS,
            mongo_socket=self.stores.mongo_socket,
            environ=settings_of(self.vendor.settings, self.stores.redis_url, poll_s=options.poll_s),
            dice=random.Random(self._dice.random()),
            without=options.without,
        )
        closing.push_async_callback(self.fleet.stop)
        await self.fleet.start()
        self.load = Load(
            *(options, self.fleet),
            origin=self.site.origin,
            mongo_url=self.stores.mongo_url,
            dice=random.Random(self._dice.random()),
        )
        closing.push_async_callback(self.load.close)
        dice = random.Random(self._dice.random())
        self.storm = Storm(self.fleet, self.stores, self.load, dice, kill_every_s=options.kill_every_s)
        self.watch = Watch(self.stores.mongo_url, self.journal, self._is_able)
        closing.push_async_callback(self.watch.close)

    def _is_able(self) -> bool:
        return self.stores.are_up() and any(server.is_able for server in self.fleet.servers)

    async def _fill(self) -> None:
        """Create the first tasks before anything is struck."""
        await self.load.keep(time.time() + 0.1)
        _say(f"{len(self.load.orders)} tasks are live, the storm begins")

    def _background(self) -> list[Coroutine[Any, Any, None]]:
        return [self.watch.look_on(), self._tell(), self._look_for_orphans(), self._measure_lag()]

    async def _tell(self) -> None:
        begun = time.time()
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            kills = ", ".join(f"{count} {kind}" for kind, count in sorted(self.storm.kills.items()))
            _say(
                f"{time.time() - begun:4.0f} s: killed {kills or 'nothing'}; {len(self.load.orders)} tasks, "
                f"{self.watch.active} live, up {len(self.fleet.up)}, {self.journal.total} requests, "
                f"longest idle {self.watch.longest_idle_s:.0f} s, stuck {len(self.watch.stuck)}"
            )

    async def _look_for_orphans(self) -> None:
        before: set[int] = set()
        while True:
            await asyncio.sleep(_ORPHANS_EVERY_S)
            now = await asyncio.to_thread(orphans_of, self.options.folder)
            # A kill takes a moment: who is seen twice has outlived its server.
            for pid in now & before:
                self.findings.note("orphans", f"process {pid} has outlived its server")
            before = now

    async def _measure_lag(self) -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(_LAG_STEP_S)
            self.lags_s.append(time.perf_counter() - begun - _LAG_STEP_S)

    async def _until_ended(self) -> None:
        await self.load.finish_cancels()
        give_up_at = time.time() + self.options.quiet_limit_s
        while time.time() < give_up_at:
            left = await self.load.unfinished()
            if left == (0, 0):
                return
            if left is not None and left[0] == 0:
                # The follow-ups of an end are the sweepers' at the latest.
                give_up_at = min(give_up_at, time.time() + _FOLLOW_UPS_S)
            await asyncio.sleep(_LOOK_EVERY_S)
        _say("not all have ended within the limit")

    async def _audited(self, took_s: float) -> Mapping[str, float]:
        # What comes late comes within a lease.
        await asyncio.sleep(2.0)
        codes = await self.fleet.stop()
        for server, code in zip(self.fleet.servers, codes, strict=True):
            if code != 0:
                self.findings.note("bad_exits", f"{server.name} ended with {code}")
        with MongoClient[dict[str, object]](self.stores.mongo_url, tz_aware=True) as mongo:
            figures = await asyncio.to_thread(audit, self, mongo)
        (self.options.folder / "findings.json").write_text(
            json.dumps(self.findings.lines, ensure_ascii=False, indent=1), "utf-8"
        )
        return {"took_s": took_s, **figures}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
