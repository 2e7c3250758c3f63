"""A steady mixed load, light enough to run beside other work: every kind of task, every kind of end, and readers.

Each wave creates crawls, videos and now and then a film; cancels some of them at random moments; waits for all of them
to end as they should; reads what a page of the frontend reads; and purges the wave before the last.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from bench.harness.server import Server
from tests.fixtures.cogvideox_server import CogVideoXServer
from tests.fixtures.site import Site

WAVE_S = 10.0
STREAMS = 5
_PAGES = 24
_LINKS_A_PAGE = 6
_POLLS = 4
_FILM_EVERY = 3
_READS_A_WAVE = 10
_END_WITHIN_S = 120.0
_LONGEST_S = 3.0
# Each is created and cancelled: two events, and 2,000 are kept.
_FILLED = 1_200
_FILLED_AT_ONCE = 100
# The driver starts a thread where none is free (of 64), and keeps it.
_READ_AT_ONCE = 200

CRAWL: Mapping[str, object] = {"max_pages": _PAGES, "max_depth": 8, "obey_robots": False}
FILM: Mapping[str, object] = {"scenes": [{"text": "一幕"}], "seconds_per_scene": 1, "size": "320x180", "fps": 10}
VIDEO: Mapping[str, object] = {"model": "cogvideox-flash", "prompt": "清晨的海边，一只小狗沿着沙滩奔跑"}


@dataclass(frozen=True, slots=True)
class _Order:
    """One task of a wave; `cancel_after_s` None lets it come to its own end."""

    platform: str
    params: Mapping[str, object]
    cancel_after_s: float | None = None


@dataclass(slots=True)
class Done:
    """What the load has come to so far."""

    created: int = 0
    succeeded: int = 0
    cancelled: int = 0
    purged: int = 0
    reads: int = 0
    frames: int = 0
    problems: list[str] = field(default_factory=list)


class StandIns:
    """The site and the provider that the tasks speak to, in our own process."""

    def __init__(self) -> None:
        self.site = Site()
        self.vendor = CogVideoXServer(polls_until_done=_POLLS)

    async def start(self) -> None:
        """Listen on free ports."""
        self.site.add({f"/{n}": [f"/{(n * 2 + k) % _PAGES}" for k in range(_LINKS_A_PAGE)] for n in range(_PAGES)})
        await self.site.start()
        await self.vendor.start()

    async def stop(self) -> None:
        """Close the ports."""
        await self.vendor.stop()
        await self.site.stop()

    @property
    def settings(self) -> dict[str, str]:
        """What a server is told of them."""
        return {
            "COGVIDEOX_API_KEY": "stand-in-key.stand-in-secret",
            "COGVIDEOX_BASE_URL": self.vendor.base_url,
            "COGVIDEOX_POLL_INTERVAL_S": "0.5",
        }

    def forget(self) -> None:
        """Drop what was noted of past requests: an hour of it would slow the stand-in down."""
        self.vendor.reset(polls_until_done=_POLLS)
        self.site.hits.clear()


class Load:
    """The load on one server, from `begin` to `end`; what it found is in `done`."""

    def __init__(self, server: Server, stand_ins: StandIns, *, seed: int) -> None:
        self.done = Done()
        self._server = server
        self._stand_ins = stand_ins
        self._dice = random.Random(seed)
        self._is_followed = asyncio.Event()
        self._waves: deque[list[str]] = deque()
        self._work: list[asyncio.Task[None]] = []

    async def fill_windows(self) -> None:
        """Make more events than are kept, with the streams open: tasks that are held, and cancelled as they are."""
        await self._is_followed.wait()
        held = {"platform": "cogvideox", "params": VIDEO, "start": "manual"}
        for _ in range(_FILLED // _FILLED_AT_ONCE):
            made = await self._server.call("POST", "/tasks/bulk", {"tasks": [held] * _FILLED_AT_ONCE})
            await self._server.call("DELETE", "/tasks", batch_id=made["batch_id"])

    async def start_threads(self) -> None:
        """Have the server start threads of its driver, as some peak would in the end."""
        reads = [self._server.call("GET", "/tasks", limit=20) for _ in range(_READ_AT_ONCE)]
        await asyncio.gather(*reads)

    def begin(self) -> None:
        """Start the waves and the open streams."""
        streams = [asyncio.create_task(self._follow(), name=f"stream-{number}") for number in range(STREAMS)]
        self._work = [asyncio.create_task(self._wave_forever(), name="waves"), *streams]

    async def end(self) -> None:
        """Stop them. Raises what stopped the waves, if anything did."""
        for work in self._work:
            work.cancel()
        await asyncio.wait(self._work)
        for work in self._work:
            if not work.cancelled():
                work.result()

    async def _wave_forever(self) -> None:
        number = 0
        while True:
            begun = asyncio.get_running_loop().time()
            await self._wave(number)
            number += 1
            await asyncio.sleep(max(0.0, WAVE_S - (asyncio.get_running_loop().time() - begun)))

    async def _wave(self, number: int) -> None:
        orders = self._orders(with_film=number % _FILM_EVERY == 0)
        ids = await asyncio.gather(*(self._carry_out(order) for order in orders), self._read())
        self._waves.append([task_id for task_id in ids if task_id])
        if len(self._waves) > 1:
            await self._purge(self._waves.popleft())
        self._stand_ins.forget()

    def _orders(self, *, with_film: bool) -> list[_Order]:
        crawl = dict(CRAWL) | {"start_urls": [f"{self._stand_ins.site.origin}/0"]}
        kinds: list[tuple[str, Mapping[str, object]]] = [("web", crawl), ("cogvideox", VIDEO)]
        if with_film:
            kinds.append(("storyboard", FILM))
        whole = [_Order(platform, params) for platform, params in kinds]
        cut = [_Order(platform, params, self._dice.uniform(0, _LONGEST_S)) for platform, params in kinds]
        return [*whole, *whole[:2], *cut, *cut[:2]]

    async def _carry_out(self, order: _Order) -> str:
        try:
            return await self._whole(order)
        except (httpx.HTTPError, TimeoutError) as error:
            self.done.problems.append(f"{order.platform}: {error!r}")
            return ""

    async def _whole(self, order: _Order) -> str:
        more = {"type": "site"} if order.platform == "web" else {}
        task_id = await self._server.create(order.platform, order.params, **more)
        self.done.created += 1
        if order.cancel_after_s is not None:
            await asyncio.sleep(order.cancel_after_s)
            await self._server.cancel(task_id)
        record = await self._ended(task_id)
        if record["status"] == "succeeded":
            self.done.succeeded += 1
        elif record["status"] == "cancelled" and order.cancel_after_s is not None:
            self.done.cancelled += 1
        else:
            self.done.problems.append(f"{order.platform} {task_id}: {record['status']} {record['error']}")
        return task_id

    async def _ended(self, task_id: str) -> dict[str, object]:
        async with asyncio.timeout(_END_WITHIN_S):
            while True:
                record = await self._server.ended(task_id)
                if record["ended_at"] is not None:
                    return record

    async def _read(self) -> str:
        for _ in range(_READS_A_WAVE):
            listed = await self._server.call("GET", "/tasks", limit=20)
            await self._server.system()
            if listed["items"]:
                await self._server.call("GET", f"/tasks/{listed['items'][0]['task_id']}/logs")
            self.done.reads += 3
            await asyncio.sleep(WAVE_S / _READS_A_WAVE / 2)
        return ""

    async def _purge(self, task_ids: list[str]) -> None:
        for task_id in task_ids:
            await self._server.call("DELETE", f"/tasks/{task_id}", purge=1)
            self.done.purged += 1

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(httpx.TransportError):
                async for _ in self._server.lines("/stream", topics="tasks"):
                    self.done.frames += 1
                    self._is_followed.set()
            await asyncio.sleep(1)
