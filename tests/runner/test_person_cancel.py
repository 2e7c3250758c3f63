"""A cancel at every single await of a wait for a person: it ends at once, and every account is exact."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
import tornado.ioloop
from loguru import logger

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.challenge import Challenge, ChallengeKind
from backend.domain.execution import TaskContext
from backend.domain.task import Ending, StopReason, TaskStatus
from backend.runner import person
from bench.harness.stepping import Meter, stepping
from tests.fixtures.pictures import png
from tests.fixtures.scripted import DONE, Bench

SCAN = Challenge(ChallengeKind.QR, qr=png())
ENDS_WITHIN_S = 20.0


@pytest.fixture(params=["loop", "thread"])
def house(request: pytest.FixtureRequest, io_loop: tornado.ioloop.IOLoop) -> Iterator[Bench]:
    """One server with one slot, in memory mode: what is looked at is what the runs hold."""
    clock = Clock()
    database = Database("", "test", clock=clock, is_memory=True)
    cache = Cache("", clock=clock, is_memory=True)

    async def make() -> Bench:
        await database.connect()
        await cache.connect()
        made = Bench(database, cache, clock, slots=1, use_threads=request.param == "thread")
        await made.runner.start()
        return made

    async def stop(made: Bench) -> None:
        await made.runner.stop()
        await cache.close()
        await database.close()

    logger.disable("backend")
    made = io_loop.run_sync(make)
    yield made
    io_loop.run_sync(lambda: stop(made))
    logger.enable("backend")


class Ride:
    """One task that meets a challenge, sees it renewed, is helped, and finds its slot taken meanwhile."""

    def __init__(self, bench: Bench, number: int) -> None:
        self.bench = bench
        self.task_id = f"t_{number}"
        self.meter = Meter({number: self._strike} if number else {})
        self._loop = asyncio.get_running_loop()
        self._striking: asyncio.Task[None] | None = None
        self._looks = 0
        self._has_taken = False
        self.has_queued = False

    async def carry_out(self) -> None:
        self.bench.executor.script = self._need
        task = await self.bench.create(self.task_id)
        with self.meter.counting():
            run = asyncio.create_task(self.bench.run(task))
        async with asyncio.timeout(ENDS_WITHIN_S):
            while not run.done():
                # The other task ends as soon as this one queues behind it, or is over.
                self.has_queued |= bool(self.bench.slots._queue)
                is_over = self.bench.runner.run_of(self.task_id) is None
                if self._has_taken and (is_over or (self.has_queued and not self._is_struck)):
                    self._end_other()
                await asyncio.sleep(0)
            if self._striking is not None:
                await self._striking
        if self._has_taken:
            self._end_other()

    @property
    def _is_struck(self) -> bool:
        return self.meter.is_frozen or self._striking is not None

    async def _need(self, context: TaskContext) -> Ending:
        await context.wait_for_person(SCAN, self._is_solved, refresh=self._renewed)
        return DONE

    async def _is_solved(self) -> bool:
        self._looks += 1
        if self._looks == 2:
            self._loop.call_soon_threadsafe(self._begin_other)
            await asyncio.sleep(0)
        return self._looks > 2

    async def _renewed(self) -> Challenge | None:
        return replace(SCAN, qr=png(grey=self._looks))

    def _begin_other(self) -> None:
        self._has_taken = self.bench.slots.take("web")

    def _end_other(self) -> None:
        self._has_taken = False
        self.bench.slots.release("web")

    def _strike(self) -> None:
        self._striking = asyncio.create_task(self._cancel())

    async def _cancel(self) -> None:
        await self.bench.tasks.cancel(self.task_id, by="sweep", requested_at=self.bench.clock.now())
        self.bench.runner.stop_run(self.task_id, StopReason.USER)
        self.meter.thaw()

    async def problems(self) -> list[str]:
        task = await self.bench.read(self.task_id)
        database = self.bench.tasks._db
        stored = await database.do(database.collection("challenges").count_documents({}))
        found = {
            "status": task.status not in {TaskStatus.CANCELLED, TaskStatus.SUCCEEDED},
            "notice": task.notice is not None,
            "challenge": stored,
            "slots": self.bench.slots.used,
            "queue": len(self.bench.slots._queue),
            "open pages": len(self.bench.runner._supervisor._desk._open),
            "coroutines": len(self.meter.alive()),
        }
        return [f"{name}: {what} at {self.meter.place}" for name, what in found.items() if what]


async def test_cancel_at_any_await_leaves_nothing(house: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person, "_ASK_EVERY_S", 0.0)
    wrong: list[str] = []
    with stepping():
        whole = Ride(house, 0)
        await whole.carry_out()
        assert await whole.problems() == []
        for number in range(1, whole.meter.count + 1):
            ride = Ride(house, number)
            await ride.carry_out()
            wrong += await ride.problems()

    assert wrong == []
    assert (whole.has_queued, whole.meter.count > 20) == (True, True)
