from datetime import timedelta

import pytest

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.task import Task, TaskStatus
from backend.store.tasks import TaskStore
from backend.store.time_repair import TimeRepair
from tests.fixtures.task_desk import LEASE_S, Desk
from tests.model.processes import SharedClock

DAYS_S = 3 * 86_400.0


def desk_of(database: Database, clock: Clock) -> tuple[Desk, TimeRepair]:
    repair = TimeRepair(database, clock=clock, lease_s=LEASE_S, longest_lease_s=3_600)
    return Desk(TaskStore(database, clock=clock), clock), repair  # type: ignore[arg-type]


async def test_due_task_is_due_again_after_the_clock_was_set_back(database: Database) -> None:
    clock = SharedClock()
    desk, repair = desk_of(database, clock)
    await desk.made("t_now")
    await desk.made("t_later", run_at=clock.now() + timedelta(seconds=600))
    clock.jump(-DAYS_S)

    mended = await repair.run()

    due, later = await desk.read("t_now"), await desk.read("t_later")
    assert mended == 2
    assert (due.run_at, due.version) == (clock.now(), 2)
    assert later.run_at == clock.now() + timedelta(seconds=600)


@pytest.mark.parametrize("is_mended_first", [True, False])
async def test_held_task_starts_at_once_when_it_is_let_go_after_the_clock_was_set_back(
    database: Database, *, is_mended_first: bool
) -> None:
    clock = SharedClock()
    desk, repair = desk_of(database, clock)
    await desk.made(is_held=True)
    clock.jump(-DAYS_S)
    if is_mended_first:
        await repair.run()

    started = await desk.store.release_held("t_1", by="li")

    assert started is not None
    assert started.run_at == clock.now()


async def test_lease_of_a_dead_server_runs_out_one_lease_after_the_clock_was_set_back(database: Database) -> None:
    clock = SharedClock()
    desk, repair = desk_of(database, clock)
    await desk.claimed()
    clock.jump(-DAYS_S)

    await repair.run()
    clock.advance(LEASE_S + 1)

    assert [task.task_id for task in await desk.store.expired()] == ["t_1"]


async def test_nothing_is_touched_where_the_clock_ran_on(database: Database) -> None:
    clock = SharedClock()
    desk, repair = desk_of(database, clock)
    await desk.made("t_later", run_at=clock.now() + timedelta(days=30))
    running: Task = await desk.claimed(await desk.made("t_run"))

    mended = await repair.run()

    assert mended == 0
    assert (await desk.read("t_run")).lease_until == running.lease_until
    assert (await desk.read("t_later")).status is TaskStatus.PENDING


async def test_set_back_again_it_is_mended_again_and_only_then_looked_for(database: Database) -> None:
    clock = SharedClock()
    desk, repair = desk_of(database, clock)
    await repair.run()
    await desk.made("t_1")
    clock.jump(-DAYS_S)
    clock.advance(5)

    mended = [await repair.run(), await repair.run()]

    assert mended == [1, 0]


async def test_task_taken_back_after_the_clock_was_set_back_is_due(database: Database) -> None:
    clock = SharedClock()
    desk, repair = desk_of(database, clock)
    running = await desk.claimed()
    clock.jump(-DAYS_S)
    await repair.run()
    clock.advance(LEASE_S + 1)

    reaped = await desk.store.reap(running)

    assert reaped is not None
    assert reaped.run_at == clock.now()
