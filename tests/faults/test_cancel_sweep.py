"""Cancels at await points all along every path; `python -m bench sweep` takes each single one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from loguru import logger

from backend.runner.run import Run
from backend.runner.supervisor import Supervisor
from bench.harness.stepping import Meter, stepping
from bench.harness.sweep import Cut, Sweep, SweptPath
from bench.harness.sweep_house import Stores, stand_ins
from bench.harness.sweep_paths import PATHS

_RIDES = {"crawl": 6, "video": 3, "film": 2}
_LATE = next(path for path in PATHS if path.name == "video_late_answer")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger.disable("backend")
    yield
    logger.enable("backend")


@asynccontextmanager
async def swept(path: SweptPath, folder: Path) -> AsyncIterator[Sweep]:
    with stepping():
        async with stand_ins() as peers:
            yield Sweep(path, peers, folder, Stores())


def wrong(cuts: list[Cut]) -> list[str]:
    return [f"await {cut.number} ({cut.place}): {cut.problems}" for cut in cuts if cut.problems]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
async def test_cancel_at_any_await_ends_the_task_and_leaves_nothing(path: SweptPath, tmp_path: Path) -> None:
    async with swept(path, tmp_path) as sweep:
        whole = await sweep.whole()
        stride = max(1, whole.awaits // _RIDES.get(path.name.partition("_")[0], 3))

        cuts = [await sweep.ride(number) for number in range(1 + stride // 2, whole.awaits, stride)]

    assert wrong([whole, *cuts]) == []
    assert any(cut.has_struck for cut in cuts)


async def test_cancel_whose_write_races_the_run_ends_it_all_the_same(tmp_path: Path) -> None:
    async with swept(PATHS[0], tmp_path) as sweep:
        whole = await sweep.whole()

        cuts = [await sweep.ride(number, is_exact=False) for number in range(1, whole.awaits, 8)]

    assert wrong(cuts) == []


async def test_sweep_finds_a_supervisor_that_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait_for_nothing(supervisor: Supervisor, run: Run) -> None:
        del supervisor, run

    monkeypatch.setattr(Supervisor, "_settle", wait_for_nothing)
    async with swept(_LATE, tmp_path) as sweep:
        cuts = [await sweep.ride(number) for number in range(5, 12)]

    assert any("at the end" in words for words in wrong(cuts))


async def test_meter_counts_the_awaits_of_everything_that_a_run_starts() -> None:
    async def child() -> None:
        await asyncio.sleep(0)

    async def parent() -> None:
        await asyncio.sleep(0)
        await asyncio.create_task(child())

    with stepping():
        meter = Meter()
        with meter.counting():
            task = asyncio.create_task(parent())
        await task

    assert meter.count == 3


async def test_frozen_run_takes_no_step_before_it_is_thawed() -> None:
    steps: list[int] = []

    async def walk() -> None:
        for number in range(4):
            steps.append(number)
            await asyncio.sleep(0)

    with stepping():
        struck = asyncio.Event()
        meter = Meter({2: struck.set})
        with meter.counting():
            task = asyncio.create_task(walk())
        await struck.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        frozen_at = list(steps)
        meter.thaw()
        await task

    assert (frozen_at, steps) == ([0, 1], [0, 1, 2, 3])
