from datetime import timedelta

import pytest

from backend.domain.task import TaskStatus
from backend.store.stray_tasks import StrayTasks
from tests.fixtures.task_desk import Desk

KNOWN = ["rss", "web"]
WAITED_S = 11


@pytest.fixture
def strays(desk: Desk) -> StrayTasks:
    return StrayTasks(desk.store._db, clock=desk.clock)


async def test_task_whose_platform_has_gone_says_what_it_waits_for(desk: Desk, strays: StrayTasks) -> None:
    made = await desk.made(platform="gone")
    desk.clock.advance(WAITED_S)

    assert await strays.tell(KNOWN) == 1

    task = await desk.read()
    assert task.notice is not None
    assert (task.status, task.notice.code) == (TaskStatus.PENDING, "PLATFORM_MISSING")
    assert "gone" in task.notice.message.zh
    assert task.version == made.version + 1


async def test_it_is_said_once(desk: Desk, strays: StrayTasks) -> None:
    await desk.made(platform="gone")
    desk.clock.advance(WAITED_S)

    assert [await strays.tell(KNOWN), await strays.tell(KNOWN)] == [1, 0]


async def test_tasks_that_are_known_new_or_due_later_are_left_alone(desk: Desk, strays: StrayTasks) -> None:
    await desk.made("t_known")
    await desk.made("t_later", platform="gone", run_at=desk.clock.now() + timedelta(hours=1))
    desk.clock.advance(WAITED_S)
    await desk.made("t_new", platform="gone")

    assert await strays.tell(KNOWN) == 0


async def test_server_that_has_the_platform_takes_the_notice_away(desk: Desk, strays: StrayTasks) -> None:
    await desk.made(platform="gone")
    desk.clock.advance(WAITED_S)
    await strays.tell(KNOWN)

    claimed = await desk.claimed(await desk.read())

    assert claimed.notice is None
