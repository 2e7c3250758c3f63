"""Several server processes in one: real runners over one store, each of which can freeze, die, leave and come back."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from backend.core.cache import Cache
from backend.core.database import Database
from backend.domain.execution import TaskContext
from backend.domain.task import Ending, StopReason, Task, TaskKind
from backend.runner.sweeper import Sweeper
from backend.store.time_repair import TimeRepair
from tests.fixtures.clocks import SetClock
from tests.fixtures.scripted import Bench

# The loops of a runner sleep through a test with leases as long as this; what they would do is done by hand.
LEASE_S = 3_000.0
_TICKS = 12
_TICK_S = 0.0002

Order = Callable[[TaskContext], Awaitable[Ending | None]]


class SharedClock(SetClock):
    """MongoDB's time of day, which can jump, and the elapsed time, which cannot."""

    def __init__(self) -> None:
        super().__init__()
        self._elapsed_s = 0.0
        self._jumped_at_s = -1e9

    def elapsed(self) -> float:
        return self._elapsed_s

    @property
    def steady_s(self) -> float:
        return self._elapsed_s - self._jumped_at_s

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self._elapsed_s += seconds

    def jump(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        self._jumped_at_s = self._elapsed_s


class Plug:
    """The database as one process sees it: pulled, no operation of that process comes through or answers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_pulled = False
        self.in_flight = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def do(self, operation: Awaitable[Any]) -> Any:
        if self.is_pulled:
            if asyncio.iscoroutine(operation):
                operation.close()
            await asyncio.Event().wait()
        self.in_flight += 1
        try:
            return await self._database.do(operation)
        finally:
            self.in_flight -= 1


@dataclass(eq=False)
class Body:
    """The work of one run, as far as it has been told what to do."""

    task_id: str
    fence: int
    orders: "asyncio.Queue[Order]" = field(default_factory=asyncio.Queue)


class Process:
    """One start of a server: a runner, a sweeper, and the bodies that work in it."""

    def __init__(self, database: Database, cache: Cache, clock: SharedClock, worker_id: str) -> None:
        self.plug = Plug(database)
        self.clock = clock
        self.is_frozen = False
        self.bodies: list[Body] = []
        self.bench = Bench(cast("Database", self.plug), cache, clock, worker_id=worker_id, lease_s=LEASE_S)
        self.bench.executor.script = self._work
        repair = TimeRepair(cast("Database", self.plug), clock=clock, lease_s=LEASE_S, longest_lease_s=LEASE_S + 1)
        self.attempts: set[asyncio.Task[bool]] = set()
        self.sweeper = Sweeper(
            *(self.bench.tasks, self.bench.runner, {TaskKind.CRAWL: self.bench.executor}),
            clock=clock,
            start_task=self.deliver,
            chores=(repair.run,),
            chance=random.Random(1),
        )

    def deliver(self, task: Task) -> None:
        """Have the task run here, as spawn_callback does."""
        attempt = asyncio.ensure_future(self.bench.run(task))
        self.attempts.add(attempt)
        attempt.add_done_callback(self.attempts.discard)

    def runs(self) -> Iterator[str]:
        for run in self.bench.runner.live():
            yield run.task_id

    def watch(self) -> None:
        """Do what the watch over leases does: a run whose last good beat is too old is stopped."""
        for run in self.bench.runner.live():
            if run.lease is not None and run.reason is not StopReason.LEASE_LOST and run.is_stale:
                run.stop(StopReason.LEASE_LOST)

    async def die(self) -> None:
        """End as by kill -9: nothing of it reaches the store any more, and nothing is tidied up there."""
        self.plug.is_pulled = True
        left = {*self.attempts, *(run.body for run in self.bench.runner.live() if run.body is not None)}
        for task in left:
            task.cancel()
        while left:
            _, left = await asyncio.wait(left, timeout=0.01)
            for task in left:
                task.cancel()
        await self.bench.runner.stop()

    async def _work(self, context: TaskContext) -> Ending:
        body = Body(context.task.task_id, context.lease.fence)
        self.bodies.append(body)
        context.log("info", "began")
        try:
            while True:
                ending = await (await body.orders.get())(context)
                if ending is not None:
                    return ending
        finally:
            self.bodies.remove(body)


async def idle(processes: Sequence[Process]) -> None:
    """Let everything go on that can: until no process has an operation in flight, nor begins one."""
    quiet = 0
    while quiet < _TICKS:
        await asyncio.sleep(0)
        quiet += 1
        if any(process.plug.in_flight for process in processes):
            await asyncio.sleep(_TICK_S)
            quiet = 0
