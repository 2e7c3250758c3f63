"""Who waits for an end is told of it when the run that wrote it knows, not a moment before."""

import asyncio
from typing import Any

import pytest

from backend.domain.task import TaskStatus
from tests.fixtures.office import Office


async def test_cancel_is_answered_only_when_the_run_knows_its_end(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await office.hanging()
    finish, was_written, answered = office.bench.tasks.finish, asyncio.Event(), asyncio.Event()

    async def written_and_late(*given: Any, **named: Any) -> Any:
        done = await finish(*given, **named)
        was_written.set()
        await answered.wait()
        return done

    monkeypatch.setattr(office.bench.tasks, "finish", written_and_late)
    cancel = asyncio.create_task(office.service.cancel_task(task.task_id, by="li", wait_s=10))
    await was_written.wait()
    seen = await office.service.get(task.task_id)

    done, _ = await asyncio.wait({cancel}, timeout=0.5)
    answered.set()

    assert (seen.status, done) == (TaskStatus.CANCELLED, set())
    assert (await cancel).status is TaskStatus.CANCELLED
