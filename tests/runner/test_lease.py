"""The beat of many runs goes out in parts, and misses none of them."""

import asyncio
from collections.abc import Sequence

import pytest

from backend.domain.task import TaskStatus
from backend.runner import lease
from tests.fixtures.scripted import Bench, hang

IDS = ["t_1", "t_2", "t_3"]


async def running(bench: Bench) -> list["asyncio.Task[bool]"]:
    """Start three runs that hang."""
    bench.executor.script = hang
    runs = []
    for task_id in IDS:
        bench.executor.begun.clear()
        runs.append(asyncio.create_task(bench.run(await bench.create(task_id))))
        await bench.executor.begun.wait()
    return runs


async def test_beat_in_parts_makes_every_lease_good(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_BEAT_AT_ONCE", 2)
    sizes: list[int] = []
    beat = bench.tasks.beat

    async def beat_and_note(task_ids: Sequence[str], *, worker_id: str, lease_s: float) -> None:
        sizes.append(len(task_ids))
        await beat(task_ids, worker_id=worker_id, lease_s=lease_s)

    bench.tasks.beat = beat_and_note  # type: ignore[method-assign]
    runs = await running(bench)
    begun_at = bench.clock.elapsed()

    await bench.runner.keeper.beat_once()

    assert sizes == [2, 1]
    assert all(run.good_beat_at >= begun_at for run in bench.runner.live())
    for task_id in IDS:
        await bench.tasks.cancel(task_id, by="local", requested_at=bench.clock.now())
    await bench.runner.keeper.beat_once()
    await asyncio.gather(*runs)


async def test_cancel_of_the_last_part_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_BEAT_AT_ONCE", 1)
    runs = await running(bench)

    for task_id in IDS:
        await bench.tasks.cancel(task_id, by="local", requested_at=bench.clock.now())
    await bench.runner.keeper.beat_once()
    await asyncio.gather(*runs)

    assert {(await bench.read(task_id)).status for task_id in IDS} == {TaskStatus.CANCELLED}


async def test_the_run_whose_good_beat_is_oldest_comes_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_BEAT_AT_ONCE", 1)
    beaten: list[str] = []
    beat = bench.tasks.beat

    async def beat_and_note(task_ids: Sequence[str], *, worker_id: str, lease_s: float) -> None:
        beaten.extend(task_ids)
        await beat(task_ids, worker_id=worker_id, lease_s=lease_s)

    runs = await running(bench)
    for run in bench.runner.live()[:2]:
        await bench.runner.keeper.confirm(run)
    bench.tasks.beat = beat_and_note  # type: ignore[method-assign]

    await bench.runner.keeper.beat_once()

    assert beaten == ["t_3", "t_1", "t_2"]
    for task_id in IDS:
        await bench.tasks.cancel(task_id, by="local", requested_at=bench.clock.now())
    await bench.runner.keeper.beat_once()
    await asyncio.gather(*runs)
