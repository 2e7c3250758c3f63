"""A server under load: a hundred crawls of a throttled site and a thousand pollers, beside what is cancelled.

The stand-ins are in this process, as ever; what they do for the load is not touched by the faults a stage plans.
"""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from bench.harness.crawl_stages import CRAWL, QUEUED
from bench.harness.cuts import NotReachedError, Stage, Target, audit, cut
from bench.harness.lab import Lab, LabOptions
from bench.harness.server import Server
from bench.harness.site import Site
from bench.harness.stage_plan import Section, StagePlan, Visited, video
from bench.harness.thread_stages import THREAD
from bench.harness.vendor import Vendor
from bench.harness.video_stages import VIDEO
from tests.fixtures.cogvideox_server import CogVideoXServer, Fault

# The pause between polls grows to three times the first one.
_FIRST_POLL_S = 1.0
_UP_WITHIN_S = 180.0
_CREATED_AT_ONCE = 25
_SPREAD_S = 1.0
_CRAWL = {"max_pages": 100_000, "max_depth": 1_000, "obey_robots": False, "concurrency": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much runs beside: each crawl fetches one page after another, all together `pages_per_s` of them."""

    crawls: int = 100
    pollers: int = 1_000
    pages_per_s: float = 20.0


class LoadedVendorServer(CogVideoXServer):
    """Answers the pollers of the load with "processing", whatever is planned for others; `reset` keeps their jobs."""

    def __init__(self) -> None:
        self.background: set[str] = set()
        self._path = ""
        super().__init__()

    def reset(self, *, polls_until_done: int = 2) -> None:
        """Forget everything but the load's jobs."""
        kept = {job_id: job for job_id, job in getattr(self, "jobs", {}).items() if self._is_background(job.key)}
        super().reset(polls_until_done=polls_until_done)
        self.jobs = kept

    async def answer(self, request: Any, *streams: Any) -> None:
        """Answer, knowing what is asked for."""
        self._path = request.path
        await super().answer(request, *streams)

    def next_fault(self, kind: str) -> Fault | None:
        """Return what is planned; for the load nothing, and no end."""
        job = self.jobs.get(self._path.rsplit("/", 1)[1]) if kind == "poll" else None
        return Fault("nulls") if job is not None and self._is_background(job.key) else super().next_fault(kind)

    def _is_background(self, key: str) -> bool:
        return key.partition("-")[0] in self.background


class LoadLab(Lab):
    """A lab whose main server carries the load; what is cancelled of it is replaced."""

    def __init__(self, options: LabOptions, load: Load) -> None:
        super().__init__(options)
        self.load = load
        self._peer = LoadedVendorServer()
        self.vendor = Vendor(self._peer)
        self.pollers: list[Target] = []
        self.crawls: list[Visited] = []
        # A stage closes its own doors when it is done.
        self._doors = Site()
        self._is_up = False

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._closing.push_async_callback(self._doors.close)
        return self

    async def main(self) -> Server:
        """Return the loaded server; the load is put on when it is first asked for."""
        server = await self._server(
            "loaded",
            MAX_RUNNING_TASKS=str(self.load.pollers + self.load.crawls + 200),
            MAX_RUNNING_CRAWLS=str(self.load.crawls + 60),
            COGVIDEOX_POLL_INTERVAL_S=str(_FIRST_POLL_S),
        )
        if not self._is_up:
            self._is_up = True
            self._peer.background = server.background
            await self._put_on(server)
        return server

    async def clear(self) -> None:
        """Cancel what a failed stage left, but not the load."""
        self.vendor.behave()

    async def poller(self, server: Server) -> Target:
        """Start one more poller of the load."""
        target = await video(self, server)
        server.background.add(target.task_id)
        self.pollers.append(target)
        return target

    async def crawl(self, server: Server) -> Visited:
        """Start one more crawl of the load."""
        # Each at its own pace: made at one moment, they would else all answer at one moment for ever.
        takes_s = self.load.crawls / self.load.pages_per_s * self.dice.uniform(0.5, 1.5)
        door = await self._doors.door("links", takes_s=takes_s)
        task_id = await server.create("web", {**_CRAWL, "start_urls": [door.url]}, type="site")
        server.background.add(task_id)
        self.crawls.append(Visited(Target(task_id, lambda: door.arrivals), door))
        return self.crawls[-1]

    async def _put_on(self, server: Server) -> None:
        self.vendor.behave()
        for make, count in ((self.poller, self.load.pollers), (self.crawl, self.load.crawls)):
            for _ in range(0, count, _CREATED_AT_ONCE):
                await asyncio.gather(*(make(server) for _ in range(_CREATED_AT_ONCE)))
        give_up_at = time.monotonic() + _UP_WITHIN_S
        while not self._all_at_work():
            if time.monotonic() > give_up_at:
                raise NotReachedError("the load is not all at work")
            await asyncio.sleep(0.1)
        server.lags_ms.clear()
        await server.look()
        server.lags_ms.clear()

    def _all_at_work(self) -> bool:
        polled = sum(job.polls > 1 for job in self._peer.jobs.values())
        return polled >= self.load.pollers and all(one.door.requests > 1 for one in self.crawls)


async def _of_load(lab: Lab, stage: Stage, *, is_crawl: bool) -> None:
    """Cancel tasks of the load itself at random moments, and put others in their place."""
    assert isinstance(lab, LoadLab)
    server = await lab.main()
    for _ in range(lab.options.count):
        await asyncio.sleep(lab.dice.uniform(0, _SPREAD_S))
        if is_crawl:
            target = lab.crawls.pop(lab.dice.randrange(len(lab.crawls))).target
        else:
            target = lab.pollers.pop(lab.dice.randrange(len(lab.pollers)))
        stage.cuts.append(await cut(server, target))
        server.background.discard(target.task_id)
        # Not before: beginning a task is a burst of its own, and would fall upon every cancel that is measured.
        await (lab.crawl(server) if is_crawl else lab.poller(server))
    await audit(stage, server)


LOADED = Section(
    "测试负载下的取消",
    (
        StagePlan("loaded_crawl", "负载中的采集", partial(_of_load, is_crawl=True)),
        StagePlan("loaded_poller", "负载中的轮询", partial(_of_load, is_crawl=False)),
    ),
)
# Their own crawl at full speed, and their own sleepers, are for a server without a load.
_NOT_HERE = frozenset({"storing", "sleep"})
SECTIONS: tuple[Section, ...] = (
    LOADED,
    *(
        Section(section.title, tuple(plan for plan in section.stages if plan.name not in _NOT_HERE))
        for section in (QUEUED, CRAWL, VIDEO, THREAD)
    ),
)
