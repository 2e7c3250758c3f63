"""A loop that stands still for longer than a lease: what ran writes nothing more, and its successor goes on."""

from collections.abc import Iterator

import pytest

from backend.core.crash_points import arm
from backend.domain.task import TaskStatus
from tests.fixtures.generation import GenerationHouse

LEASE_S = 1.5


@pytest.fixture
def stalls() -> Iterator[None]:
    arm(f"after_poll:1:stall={LEASE_S + 0.3}")
    yield
    arm(None)


@pytest.mark.usefixtures("stalls")
async def test_run_that_slept_through_its_lease_leaves_its_task_to_another(house: GenerationHouse) -> None:
    await house.use_runner("w_sleeper", lease_s=LEASE_S)
    task = await house.new_task()

    left = await house.run(task)
    # Its last beat may have gone out after it woke: the lease is not waited for here.
    await house.tasks.reap(left, even_if_alive=True)
    ended = await house.run(await house.record(task))

    assert (left.status, left.worker_id) == (TaskStatus.RUNNING, "w_sleeper")
    assert (ended.status, ended.books.balanced) == (TaskStatus.SUCCEEDED, True)
    assert [entry.reason for entry in ended.history] == ["created", "claimed", "lease_expired", "claimed", "ended"]
    assert house.server.submits_accepted == 1
