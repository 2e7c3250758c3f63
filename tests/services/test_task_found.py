"""A task that the sweeper found is started only where that is still right."""

from backend.domain.task import Task, TaskStatus
from tests.fixtures.office import Office
from tests.fixtures.scripted import hang


async def test_found_task_is_not_started_when_the_slots_were_taken_meanwhile(office: Office) -> None:
    office.bench.executor.script = hang
    for task in [await office.create() for _ in range(office.bench.slots.total)]:
        await office.reached(task, TaskStatus.RUNNING)
    queued = await office.create()
    started: list[str] = []
    office.service.schedule = lambda task: started.append(task.task_id)  # type: ignore[method-assign]

    office.service.schedule_found(queued)

    assert started == []
    assert queued.platform in office.bench.runner.backlog


async def test_found_task_that_has_just_been_started_is_not_started_again(office: Office) -> None:
    spawned: list[str] = []
    schedule = office.service.schedule

    def counted(task: Task) -> None:
        spawned.append(task.task_id)
        schedule(task)

    office.service.schedule = counted  # type: ignore[method-assign]
    task = await office.create()

    office.service.schedule_found(task)

    assert spawned == [task.task_id]
    await office.ended(task)


async def test_found_task_that_runs_here_already_is_not_started_again(office: Office) -> None:
    task = await office.hanging()
    started: list[str] = []
    office.service.schedule = lambda task: started.append(task.task_id)  # type: ignore[method-assign]

    office.service.schedule_found(task)

    assert started == []
