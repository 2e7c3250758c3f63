"""Cancels one run at its n-th await, for every n, and holds what is left to the promises."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.domain.task import Task, TaskStatus
from bench.harness.stepping import Meter
from bench.harness.sweep_house import House, StandIns, Stores, open_fds

_ENDS_WITHIN_S = 20.0
_SETTLE_S = 0.01
_GONE_WITHIN_S = 2.0
_LOOK_EVERY_S = 0.002
# A stop cancels the body, which hands it on to its thread; thawed sooner, a thread that had only to return may win.
_TOLD_STEPS = 3


@dataclass(frozen=True, slots=True)
class SweptPath:
    """One way through the product. `create` stores the task; `drive` takes it as far as it goes by itself.

    `own_ends`: how it may end when no cancel comes in time; `extra_ms`: what it may take above the common limit;
    `drain_share`: after which share of its awaits the server drains, and another start goes on; `lookup_s`: how long a
    name takes to be resolved.
    """

    name: str
    create: Callable[[House], Awaitable[Task]]
    drive: "Drive"
    own_ends: Sequence[str] = ("succeeded",)
    use_threads: bool = False
    has_key: bool = True
    extra_ms: float = 0.0
    drain_share: float = 0.0
    lookup_s: float = 0.0


@dataclass(slots=True)
class Cut:
    """One cancel: at which await, where that was, how long it took, and what was wrong afterwards."""

    number: int
    awaits: int
    has_struck: bool
    place: str = ""
    latency_ms: float = 0.0
    status: str = ""
    problems: list[str] = field(default_factory=list)


class Ride:
    """One run of a path with a cancel at the n-th await (0: none)."""

    def __init__(self, house: House, path: SweptPath, number: int, *, is_exact: bool, drain_at: int = 0) -> None:
        self.house = house
        self.path = path
        self.number = number
        self.is_draining = False
        self.latency_ms = 0.0
        strikes: dict[int, Callable[[], object]] = {number: self._strike} if number else {}
        if drain_at and drain_at != number:
            strikes[drain_at] = self._drain
        self.meter = Meter(strikes, is_freezing=is_exact)
        self._cancelling: asyncio.Task[Task] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._early: list[str] = []
        self._body_had_ended = False

    async def carry_out(self) -> Cut:
        """Run, cancel, wait for the end, look around."""
        house = self.house
        self.task_id = (await self.path.create(house)).task_id
        house.tasks.before_end = self._look_before_end
        house.on_stop = lambda: self._thaw_in(_TOLD_STEPS)
        cut = Cut(self.number, 0, has_struck=False)
        try:
            async with asyncio.timeout(_ENDS_WITHIN_S):
                await self.path.drive(self)
                await self._over()
        except TimeoutError:
            self.meter.thaw()
            cut.problems.append(f"no end within {_ENDS_WITHIN_S:g} s: {self.meter.alive()}")
        cut.awaits, cut.has_struck, cut.place = self.meter.count, self._cancelling is not None, self.meter.place
        if not cut.has_struck:
            await self._cancel()
        cut.latency_ms = self.latency_ms
        await self._audit(cut)
        return cut

    async def let_run(self) -> None:
        """Run attempts until the task is not pending any more; a wait before the next one is cut short."""
        while True:
            task = await self.house.make_due(self.task_id)
            if task is None:
                return
            with self.meter.counting():
                self.house.service.schedule(task)
            await self._over()
            if self._draining is not None:
                await self._draining

    async def _over(self) -> None:
        """Wait until nothing of the run is left, and the cancel has been answered."""
        if self._cancelling is not None:
            await asyncio.wait({self._cancelling})
        await asyncio.sleep(0)
        while alive := self.meter.alive():
            await asyncio.wait(alive, timeout=_LOOK_EVERY_S)
        if self._cancelling is not None and not self._cancelling.done():
            await self._over()

    def _strike(self) -> None:
        run = next((run for run in self.house.runner.live() if run.task_id == self.task_id), None)
        self._body_had_ended = run is not None and run.body is not None and run.body.done()
        self._cancelling = asyncio.create_task(self._cancel(), name="the cancel")

    async def _cancel(self) -> Task:
        begun = time.perf_counter()
        try:
            return await self.house.service.cancel_task(self.task_id, by="sweep", wait_s=_ENDS_WITHIN_S)
        finally:
            self.latency_ms = (time.perf_counter() - begun) * 1000
            self.meter.thaw()

    def _thaw_in(self, steps: int) -> None:
        if steps:
            asyncio.get_running_loop().call_soon(self._thaw_in, steps - 1)
        else:
            self.meter.thaw()

    def _drain(self) -> None:
        self._draining = asyncio.create_task(self._restart(), name="the drain")

    async def _restart(self) -> None:
        self.meter.thaw()
        await self.house.restart()

    def _look_before_end(self) -> None:
        """Nothing of the work may be left when its end is about to be told: only who tells it."""
        left = [task for task in self.meter.alive() if not _tells(task)]
        self._early += [f"at the end: {task.get_name()} {_coroutine(task)}" for task in left]
        self._early += [f"at the end: {what}" for what in self.house.outside()]

    async def _audit(self, cut: Cut) -> None:
        house, meter = self.house, self.meter
        asked, begun = house.stand_ins.requests, meter.operations_begun
        before = await house.documents(self.task_id)
        cut.problems += [f"after the end: operation in flight {one}" for one in meter.operations]
        cut.problems += self._early
        await asyncio.sleep(_SETTLE_S)
        cut.problems += [f"after the end: {what}" for what in (*house.outside(), *house.entries(self.task_id))]
        cut.problems += [f"after the end: a task {task}" for task in meter.alive()]
        if house.stand_ins.requests != asked:
            cut.problems.append(f"requests after the end: {house.stand_ins.requests - asked}")
        if meter.operations_begun != begun:
            cut.problems.append(f"operations after the end: {meter.operations_begun - begun}")
        after = await house.documents(self.task_id)
        cut.problems += [f"written after the end: {name}" for name in after if after[name] != before[name]]
        record = await house.tasks.get(self.task_id)
        if record is None:
            cut.problems.append("the record is gone")
            return
        cut.status = record.status.value
        cut.problems += self._judged(record, cut)

    def _judged(self, record: Task, cut: Cut) -> Iterable[str]:
        # In a thread: what closes the thread's loop, when the work is done, is none of ours.
        has_left_thread = self.path.use_threads and not cut.place
        may_end_itself = not cut.has_struck or self._body_had_ended or has_left_thread
        ends = {"cancelled", *self.path.own_ends} if may_end_itself else {"cancelled"}
        if record.status.value not in ends:
            yield f"status {record.status.value} instead of {' | '.join(sorted(ends))}"
        if not record.status.is_final:
            return
        if record.books.balanced is not True:
            yield f"books do not balance: {record.books}"
        if record.status is TaskStatus.CANCELLED and (record.cancel is None or record.cancel_latency_ms is None):
            yield "no record of the cancel"
        if "books" in record.after:
            yield "its books are left to be counted"
        yield from self._judged_upstream(record)

    def _judged_upstream(self, record: Task) -> Iterable[str]:
        vendor, upstream = self.house.stand_ins.vendor, record.upstream
        accepted = vendor.submits_accepted
        if accepted > 1:
            yield f"paid {accepted} times"
        if accepted and (upstream is None or not upstream.submits):
            yield f"a job was taken and the record knows nothing of it: {upstream}"
        if upstream is None or record.status is not TaskStatus.CANCELLED:
            return
        if record.upstream_open and upstream.cancel is None:
            yield f"cancelled with an open job, and nobody asked: {upstream}"
        if accepted and upstream.job_id is None and upstream.cancel != "unknown":
            yield f"the job that was taken is not on the record: {upstream}"
        if not vendor.submits_sent and upstream.may_bill:
            yield f"nothing was sent, yet may_bill: {upstream}"


Drive = Callable[[Ride], Awaitable[None]]


def _tells(task: "asyncio.Task[Any]") -> bool:
    """Whether this is the supervisor, the step that writes the end, or a wait for the system's resolver."""
    is_expected = _coroutine(task).endswith(("._execute_task", "._resolve_host_with_throttle"))
    return is_expected or task is asyncio.current_task() or task.get_name().startswith("abandon:")


def _coroutine(task: "asyncio.Task[Any]") -> str:
    return str(getattr(task.get_coro(), "__qualname__", ""))


class Sweep:
    """Rides of one path, each in a house of its own over the same stand-ins."""

    def __init__(self, path: SweptPath, stand_ins: StandIns, folder: Path, stores: Stores) -> None:
        self._path = path
        self._stand_ins = stand_ins
        self._folder = folder
        self._stores = stores
        self._drain_at = 0

    async def whole(self) -> Cut:
        """Run the path once with no cancel; its awaits are those to be swept."""
        cut = await self.ride(0)
        if self._path.drain_share and not self._drain_at:
            self._drain_at = int(cut.awaits * self._path.drain_share)
            cut = await self.ride(0)
        return cut

    async def ride(self, number: int, *, is_exact: bool = True) -> Cut:
        """Run the path once with a cancel at its n-th await (0: none), and count what is left."""
        self._stand_ins.forget()
        fds = open_fds()
        path = self._path
        house = House(
            *(self._stand_ins, self._folder, self._stores),
            use_threads=path.use_threads,
            has_key=path.has_key,
            lookup_s=path.lookup_s,
        )
        async with house:
            ride = Ride(house, path, number, is_exact=is_exact, drain_at=self._drain_at)
            cut = await ride.carry_out()
        await self._stand_ins.idle()
        cut.problems += [f"file or socket left: {what}" for what in await _fds_left(fds)]
        return cut


async def _fds_left(before: dict[str, str]) -> list[str]:
    give_up_at = time.monotonic() + _GONE_WITHIN_S
    while left := [what for number, what in open_fds().items() if before.get(number) != what]:
        if time.monotonic() > give_up_at:
            break
        await asyncio.sleep(_LOOK_EVERY_S)
    return left
