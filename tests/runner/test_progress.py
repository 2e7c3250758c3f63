import asyncio
from collections.abc import Sequence

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.log import LogLine
from backend.domain.task import Lease
from backend.runner.progress import ProgressBoard
from backend.runner.run import Run
from backend.store.events import EventStore
from tests.fixtures.scripted import Bench


class HeldLines(EventStore):
    """Stores lines, those of task t_1 only once it is let go."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.batches: list[list[int]] = []
        self.reached = asyncio.Event()
        self.let_go = asyncio.Event()

    async def add_lines(self, lines: Sequence[tuple[Lease, LogLine]]) -> None:
        self.batches.append([line.seq for _, line in lines])
        if lines[0][0].task_id == "t_1":
            self.reached.set()
            await self.let_go.wait()
        await super().add_lines(lines)


async def run_with_line(bench: Bench, task_id: str, clock: Clock) -> Run:
    run = Run(await bench.create(task_id), clock=clock, lease_s=30, is_flagged=lambda _: False)
    run.lease = Lease(task_id, "w-1", 1)
    run.add_line("info", "a line", {})
    return run


async def test_end_of_a_run_does_not_wait_for_the_lines_of_another(
    bench: Bench, database: Database, clock: Clock
) -> None:
    first, second = await run_with_line(bench, "t_1", clock), await run_with_line(bench, "t_2", clock)
    events = HeldLines(database)
    board = ProgressBoard(bench.tasks, events, clock=clock, live=list)
    storing = asyncio.create_task(board.flush(first))
    await events.reached.wait()

    async with asyncio.timeout(10):
        await board.flush(second)

    assert not second.lines
    assert first.lines
    events.let_go.set()
    await storing


async def test_end_of_a_run_waits_for_its_own_lines_and_stores_each_once(
    bench: Bench, database: Database, clock: Clock
) -> None:
    run = await run_with_line(bench, "t_1", clock)
    events = HeldLines(database)
    board = ProgressBoard(bench.tasks, events, clock=clock, live=list)
    storing = asyncio.create_task(board.flush(run))
    await events.reached.wait()
    run.add_line("info", "another", {})
    ending = asyncio.create_task(board.flush(run))
    await asyncio.sleep(0)

    events.let_go.set()
    await asyncio.gather(storing, ending)

    assert events.batches == [[1], [2]]
    assert not run.lines
