import asyncio

import pytest

from backend.domain.task import Task, TaskStatus
from tests.fixtures.cogvideox_server import CogVideoXServer
from tests.fixtures.generation import GenerationHouse

EVER = 0


def error_of(task: Task) -> str:
    assert task.error is not None, task.status
    assert task.error.where == "download"
    return task.error.name


async def stored_bytes(house: GenerationHouse, task: Task) -> bytes:
    output = next(one for one in await house.artifacts.of_task(task.task_id) if one.role == "output")
    return house.artifacts.path_of(output).read_bytes()


@pytest.mark.parametrize("fault", ["half", "truncated"])
async def test_a_download_that_breaks_off_goes_on_where_it_was(house: GenerationHouse, fault: str) -> None:
    house.server.plan("file", fault)

    ended = await house.run(await house.new_task())

    assert ended.status is TaskStatus.SUCCEEDED, ended.error
    assert await stored_bytes(house, ended) == house.server.video
    assert house.server.ranges == ["", f"bytes={len(house.server.video) // 2}-"]


async def test_a_download_that_never_gets_on_ends_and_may_be_retried(house: GenerationHouse) -> None:
    house.server.plan("file", "drop", times=EVER)
    house.watch.skips_sleeps = True

    went_back = await house.run(await house.new_task())

    assert (went_back.status, error_of(went_back)) == (TaskStatus.PENDING, "NO_ANSWER")
    assert went_back.upstream is not None
    assert went_back.upstream.job_id is not None
    assert house.part_files() == []


async def test_a_retry_of_a_failed_download_does_not_submit_again(house: GenerationHouse) -> None:
    house.server.plan("file", "drop", times=5)
    house.watch.skips_sleeps = True
    task = await house.new_task()

    await house.run(task)
    await house.database.do(house.database.collection("tasks").update_one({}, {"$set": {"run_at": house.clock.now()}}))
    ended = await house.again(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.submits_sent == 1


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_an_expired_link_is_asked_for_once_more(house: GenerationHouse, status: int) -> None:
    house.server.plan("file", "expired", status=status)

    ended = await house.run(await house.new_task())

    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.polls == house.server.polls_until_done + 1


async def test_a_link_that_stays_expired_is_the_end(house: GenerationHouse) -> None:
    house.server.plan("file", "expired", times=EVER)

    ended = await house.run(await house.new_task())

    assert (ended.status, error_of(ended)) == (TaskStatus.FAILED, "RESULT_EXPIRED")
    assert not ended.upstream_open
    assert house.server.downloads.total() == 2


async def test_a_result_of_another_type_is_refused(house: GenerationHouse) -> None:
    house.server.plan("file", "wrong_type")

    ended = await house.run(await house.new_task())

    assert (ended.status, error_of(ended)) == (TaskStatus.FAILED, "CONTENT_TYPE")
    assert await house.artifacts.of_task(ended.task_id) == []
    assert house.part_files() == []


async def test_a_damaged_film_is_no_result(house: GenerationHouse) -> None:
    house.server.plan("file", "broken_video")

    ended = await house.run(await house.new_task())

    assert (ended.status, error_of(ended)) == (TaskStatus.FAILED, "PARSE_FAILED")
    assert await house.artifacts.of_task(ended.task_id) == []


async def test_a_link_that_turns_inwards_is_not_followed(house: GenerationHouse) -> None:
    inner = CogVideoXServer()
    await inner.start()
    house.server.plan("file", "redirect", to=f"{inner.origin}/files/secret.mp4")

    ended = await house.run(await house.new_task())
    await inner.stop()

    assert (ended.status, error_of(ended)) == (TaskStatus.FAILED, "PRIVATE_ADDRESS")
    assert inner.requests == []


async def test_redirects_without_end_are_not_followed(house: GenerationHouse) -> None:
    house.server.plan("file", "redirect", times=EVER, to="/files/again.mp4")

    ended = await house.run(await house.new_task())

    assert error_of(ended) == "TOO_MANY_REDIRECTS"
    assert house.server.downloads.total() == 5


async def test_the_key_is_not_sent_along_to_a_result(house: GenerationHouse) -> None:
    house.server.plan("file", "redirect", to="/files/moved.mp4")

    ended = await house.run(await house.new_task())

    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.leaked == []


async def test_a_slow_body_does_not_hold_up_the_loop(house: GenerationHouse) -> None:
    house.server.plan("file", "slow", seconds=0.05)
    task = await house.new_task()
    run = house.begin(task)

    beats = 0
    while not run.done():
        await asyncio.sleep(0.01)
        beats += 1

    assert (await run).status is TaskStatus.SUCCEEDED
    assert beats > 10
