import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from backend.domain.task import Books, StopReason, TaskStatus
from tests.fixtures.storyboard import SMALL, TWO, BareContext, StoryboardHouse, film, running

# Long enough that a cancel always comes in the middle.
LONG: Mapping[str, Any] = {"script": "海边", "size": "640x360", "fps": 30, "seconds_per_scene": 30}


# -- with the runner ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use_threads", [False, True], ids=["loop", "threads"])
async def test_task_succeeds_with_balanced_books(studio: StoryboardHouse, use_threads: bool) -> None:
    runner = await studio.runner(use_threads=use_threads)
    task = await studio.new_task(TWO)

    record = await studio.run(task, runner)

    assert record.status is TaskStatus.SUCCEEDED
    assert (record.books.requested, record.books.ok, record.books.stored, record.books.balanced) == (1, 1, 1, True)
    assert (record.progress.done, record.progress.total, record.progress.unit) == (20, 20, "frame")


@pytest.mark.parametrize("use_threads", [False, True], ids=["loop", "threads"])
async def test_cancel_during_the_render_leaves_nothing(studio: StoryboardHouse, use_threads: bool) -> None:
    runner = await studio.runner(use_threads=use_threads)
    task = await studio.new_task(LONG)

    record, _ = await studio.cancelled(task, runner, studio.has_segment)

    assert record.status is TaskStatus.CANCELLED
    assert (record.books.requested, record.books.aborted, record.books.balanced) == (1, 1, True)
    assert record.cancel is not None
    assert record.cancel.released.children == 1
    assert studio.children.live() == 0
    assert not studio.files()
    assert await studio.artifacts.of_task(task.task_id) == []


@pytest.mark.parametrize("use_threads", [False, True], ids=["loop", "threads"])
async def test_cancel_while_a_picture_is_fetched_leaves_nothing(studio: StoryboardHouse, use_threads: bool) -> None:
    runner = await studio.runner(use_threads=use_threads)
    task = await studio.new_task({**SMALL, "scenes": [{"text": "草地", "image": f"{studio.pictures.url}/slow"}]})

    record, _ = await studio.cancelled(task, runner, studio.pictures.asked.is_set)

    assert record.status is TaskStatus.CANCELLED
    assert studio.gate.live().requests == 0
    assert not studio.files()


async def test_resumed_task_does_not_render_again(studio: StoryboardHouse) -> None:
    _, path = await film(studio, TWO)
    before = path.stat().st_mtime_ns
    context = BareContext(TWO)

    ending = await studio.provider.begin(running(context), studio.tools).run()

    assert ending.status is TaskStatus.SUCCEEDED
    assert (context.checks, path.stat().st_mtime_ns) == (0, before)


async def test_cancel_at_any_check_leaves_no_child_and_no_file(studio: StoryboardHouse) -> None:
    params = {**SMALL, "seconds_per_scene": 1, "fps": 2, "script": "海"}
    whole = BareContext(params)
    await studio.provider.begin(running(whole), studio.tools).run()
    await studio.artifacts.delete_of("t_bare")

    for number in range(1, whole.checks + 1):
        context = BareContext(params, cancel_at=number)
        execution = studio.provider.begin(running(context), studio.tools)
        body = asyncio.create_task(execution.run())
        await asyncio.wait({body})
        await studio.artifacts.delete_of("t_bare")

        assert body.cancelled(), number
        assert studio.children.live() == 0
        assert studio.artifacts.part_files() == 0
        assert not studio.files()
    assert whole.checks >= 8


@pytest.mark.parametrize(
    ("reason", "books"),
    [
        (StopReason.USER, Books(requested=1, aborted=1)),
        (StopReason.DEADLINE, Books(requested=1, aborted=1)),
        (StopReason.SHUTDOWN, Books(queued_left=1)),
        (None, Books(requested=1, failed=1)),
    ],
)
async def test_books_of_a_film_that_was_not_finished(
    studio: StoryboardHouse, reason: StopReason | None, books: Books
) -> None:
    context = running(BareContext(TWO, cancel_at=2))
    execution = studio.provider.begin(context, studio.tools)
    await asyncio.wait({asyncio.create_task(execution.run())})

    concluded = await execution.conclude(context, reason)

    assert concluded == books
    assert concluded.adds_up


async def test_film_stored_before_the_cancel_counts_as_made(studio: StoryboardHouse) -> None:
    context = running(BareContext(TWO))
    execution = studio.provider.begin(context, studio.tools)
    await execution.run()

    assert await execution.conclude(context, StopReason.USER) == Books(requested=1, ok=1, stored=1)
