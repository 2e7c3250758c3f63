"""What a body worked on goes with its end: it may be pages or fonts, and the garbage collector comes late."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from backend.domain.execution import TaskContext
from backend.domain.task import Ending, StopReason
from tests.fixtures.scripted import Bench


class Page:
    """Something large."""


class Reader:
    """A script that works on a page in a task group, as the crawl does, until it is stopped or fails."""

    def __init__(self, *, fails: bool) -> None:
        self._fails = fails
        self.page: weakref.ref[Page] | None = None

    async def __call__(self, context: TaskContext) -> Ending:
        page = Page()
        self.page = weakref.ref(page)
        if self._fails:
            raise RuntimeError(f"{page} is bad")
        async with asyncio.TaskGroup():
            await asyncio.Event().wait()
        raise AssertionError(page)


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def test_cancelled_body_leaves_nothing_to_the_collector(bench: Bench) -> None:
    reader = bench.executor.script = Reader(fails=False)
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()

    await bench.tasks.cancel("t_1", by="local", requested_at=bench.clock.now())
    bench.runner.stop_run("t_1", StopReason.USER)
    await run

    assert reader.page is not None
    assert reader.page() is None


async def test_failed_body_leaves_nothing_to_the_collector(bench: Bench) -> None:
    reader = bench.executor.script = Reader(fails=True)

    await bench.run(await bench.create())

    assert reader.page is not None
    assert reader.page() is None
