"""What release 0.1.0 wrote is opened, migrated, read, run on and exported by today's code."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from backend.core.clock import Clock
from backend.core.database import Database
from backend.store.schema import Schema
from backend.store.tasks import TaskStore
from tests.fixtures import first_release
from tests.fixtures.server import NewServer, ServerProcess
from tests.fixtures.site import Site


async def test_every_task_of_the_first_release_is_read(database: Database, clock: Clock) -> None:
    await first_release.load(database)

    changed = await Schema(database, clock=clock, by="0.9.0").open()

    store = TaskStore(database, clock=clock)
    found = {task_id: await store.get(task_id) for task_id in first_release.ids()}
    assert changed == len(found)
    assert {task_id: task.status.value for task_id, task in found.items() if task is not None} == {
        first_release.SUCCEEDED: "succeeded",
        first_release.FAILED: "failed",
        first_release.HELD: "held",
        first_release.CANCELLED: "cancelled",
        first_release.RUNNING: "running",
    }
    assert {row["batch_title"] for row in await database.do(database.collection("tasks").find().to_list(None))} == {
        None
    }


@pytest.mark.slow
async def test_interrupted_crawl_of_the_first_release_runs_on_and_is_exported(
    database: Database, mongo_url: str, site: Site, new_server: NewServer
) -> None:
    site.add({"/slow": ["/slow1", "/slow2", "/slow3"], "/slow1": [], "/slow2": [], "/slow3": []})
    await first_release.load(database, f"127.0.0.1:{site.port}")
    server = new_server({"MONGODB_URL": mongo_url, "MONGODB_DATABASE": database.name, "STORES": "auto"})

    resumed, old, exported = await asyncio.to_thread(_run_on, server)

    assert (resumed["status"], resumed["attempt"]) == ("succeeded", 1)
    assert (resumed["books"]["stored"], resumed["books"]["balanced"]) == (4, True)
    assert (site.hits["/slow"], site.hits["/slow1"]) == (0, 0)
    assert (old["status"], old["title"], old["labels"]) == ("succeeded", "露营装备", ["露营", "周报"])
    assert sorted(row["title"] for row in exported) == ["露营 /", "露营 /a", "露营 /b", "露营 /c"]


def _run_on(server: ServerProcess) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    server.start()
    resumed = server.wait_for(first_release.RUNNING)
    old = server.task(first_release.SUCCEEDED)
    url = f"{server.base}/api/v1/tasks/{first_release.SUCCEEDED}/export"
    answer = httpx.get(url, params={"format": "jsonl"}, timeout=60, trust_env=False).raise_for_status()
    assert "数据升级完成: tasks -> 2" in server.log_text
    assert server.stop() == 0
    return resumed, old, [json.loads(line) for line in answer.text.splitlines()]
