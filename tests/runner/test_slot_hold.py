"""Every order of lending, queueing, cancelling and ending that three runs can come to, step by step."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from backend.domain.task import Task
from backend.runner.shared_slots import SharedSlots
from backend.runner.slot_hold import SlotHold
from backend.runner.slots import Slots
from backend.store.slots import SlotBoard
from tests.fixtures.clocks import SetClock
from tests.fixtures.scripted import INFO
from tests.fixtures.task_desk import NEW

VIDEO = replace(INFO, id="video", max_running=2)
OURS, ALL = 2, 1
RUNS = 3


class SteppedBoard(SlotBoard):
    """What Redis does with one set (tests/store/test_slots.py holds the real one to it), when a test lets it."""

    def __init__(self) -> None:
        self.members: set[str] = set()
        self.questions: deque[asyncio.Future[None]] = deque()

    async def take(self, platform: str, member: str, *, cap: int) -> bool:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.questions.append(turn)
        await turn
        if member not in self.members and len(self.members) >= cap:
            return False
        self.members.add(member)
        return True

    async def prolong(self, platform: str, members: Sequence[str]) -> None:
        self.members |= set(members)

    async def give_back(self, platform: str, members: Sequence[str]) -> None:
        self.members -= set(members)

    async def probe(self) -> None:
        """Answer."""


@dataclass
class OneRun:
    hold: SlotHold
    phase: str = "new"
    work: "asyncio.Task[None] | None" = None


@dataclass
class House:
    """Three runs of one process, whose platform has two slots here and one among all servers."""

    is_shared: bool
    slots: Slots = field(default_factory=lambda: Slots([VIDEO], total=OURS))
    board: SteppedBoard = field(default_factory=SteppedBoard)
    runs: list[OneRun] = field(default_factory=list)

    async def start(self) -> None:
        self.shared = SharedSlots(self.board, {"video": ALL}, clock=SetClock(), lease_s=1e6)
        if self.is_shared:
            await self.shared.start()
        for number in range(RUNS):
            task: Task = replace(_task(), task_id=f"t_{number}")
            self.runs.append(OneRun(SlotHold(task, self.slots, self.shared if self.is_shared else None)))

    def choices(self) -> Iterator[str]:
        """Yield what may happen now."""
        for number, run in enumerate(self.runs):
            for name in {"new": ["begin"], "held": ["lend", "end"], "lent": ["again", "end"]}.get(run.phase, []):
                yield f"{name} {number}"
            if run.phase in {"beginning", "again"}:
                # A claim is never cancelled; a body is, at any moment.
                yield from [f"cancel {number}", f"cut {number}"] if run.phase == "again" else []
        if self.board.questions:
            yield "answer"
        if self.slots._shut:
            yield "reopen"

    async def do(self, choice: str) -> None:
        name, _, number = choice.partition(" ")
        if name in {"answer", "reopen"}:
            if name == "reopen":
                self.slots.reopen()
            else:
                self._answer()
        else:
            await getattr(self, f"_{name}")(self.runs[int(number)])
        await self.settle()

    async def settle(self) -> None:
        for _ in range(8):
            await asyncio.sleep(0)
        for run in self.runs:
            if run.work is not None and run.work.done():
                is_over = run.work.cancelled() or not run.hold.is_held
                run.work, run.phase = None, ("over" if is_over else "held")
                if is_over:
                    run.hold.give_back()
                    await self.settle()

    async def _begin(self, run: OneRun) -> None:
        run.phase = "over"
        if run.hold.take():
            run.phase, run.work = "beginning", asyncio.create_task(self._share(run))

    async def _share(self, run: OneRun) -> None:
        await run.hold.share()

    async def _lend(self, run: OneRun) -> None:
        run.hold.give_back()
        run.phase = "lent"

    async def _again(self, run: OneRun) -> None:
        run.phase, run.work = "again", asyncio.create_task(run.hold.take_again())

    async def _cancel(self, run: OneRun) -> None:
        assert run.work is not None
        run.work.cancel()

    async def _cut(self, run: OneRun) -> None:
        """Cancel in the very step in which everything else comes: a slot is freed, and the answer is there."""
        assert run.work is not None
        for other in self.runs:
            if other.phase == "held":
                await self._lend(other)
                break
        self._answer()
        self.slots.reopen()
        run.work.cancel()

    async def _end(self, run: OneRun) -> None:
        run.hold.give_back()
        run.phase = "over"

    def _answer(self) -> None:
        if self.board.questions:
            asked = self.board.questions.popleft()
            if not asked.done():
                asked.set_result(None)

    # -- what must hold ------------------------------------------------------------------------------------------

    @property
    def state(self) -> tuple[object, ...]:
        phases = tuple((run.phase, run.hold._has_own, run.hold._common is not None) for run in self.runs)
        members = tuple(sorted(member.split(":")[0] for member in self.board.members))
        queue = tuple(sorted((turn.number, turn.platform) for turn in self.slots._queue))
        return phases, members, len(queue), len(self.board.questions), bool(self.slots._shut)

    def check(self) -> None:
        own = sum(run.hold._has_own for run in self.runs)
        assert self.slots.used == own <= OURS
        assert len(self.slots._queue) <= sum(run.phase == "again" for run in self.runs)
        if self.is_shared:
            held = sum(run.hold._common is not None for run in self.runs)
            assert held <= ALL
            assert len(self.board.members) <= ALL

    async def end(self) -> None:
        """Let everything end; nothing may be left anywhere."""
        for run in self.runs:
            if run.work is not None and run.phase == "again":
                run.work.cancel()
        while self.board.questions or any(run.work for run in self.runs):
            self._answer()
            await self.settle()
        for run in self.runs:
            run.hold.give_back()
            run.hold.give_back()
        await self.settle()
        await self.shared.stop()
        assert (self.slots.used, self.slots._queue, self.board.members) == (0, [], set())


def _task() -> Task:
    from datetime import UTC, datetime

    from backend.domain.task import TaskStatus

    at = datetime(2026, 11, 22, tzinfo=UTC)
    return Task(
        *("t", 1, NEW.kind, "video", "site", "x", TaskStatus.PENDING, {}, "local"),
        *(at, at, at),
    )


async def came_to(path: Sequence[str], *, is_shared: bool) -> House:
    house = House(is_shared)
    await house.start()
    for choice in path:
        await house.do(choice)
        house.check()
    return house


@pytest.mark.parametrize("is_shared", [False, True])
async def test_account_of_the_slots_is_exact_whatever_happens_when(is_shared: bool) -> None:
    seen: set[tuple[object, ...]] = set()
    paths: deque[list[str]] = deque([[]])
    while paths:
        path = paths.popleft()
        house = await came_to(path, is_shared=is_shared)
        if house.state not in seen:
            seen.add(house.state)
            paths.extend([*path, choice] for choice in house.choices())
        await house.end()

    assert len(seen) > 50


async def test_run_that_comes_back_waits_behind_those_that_came_back_before_it() -> None:
    house = await came_to(["begin 0", "lend 0", "begin 1", "begin 2", "again 0"], is_shared=False)

    await house.do("end 1")

    assert house.runs[0].phase == "held"
    await house.end()


async def test_slot_asked_for_when_the_cancel_came_is_given_back_when_its_answer_does() -> None:
    house = await came_to(["begin 0", "answer", "lend 0", "again 0", "cancel 0"], is_shared=True)
    assert house.runs[0].phase == "over"

    await house.do("answer")

    assert house.board.members == set()
    await house.end()
