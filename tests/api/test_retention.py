"""`GET /system/retention`."""

import shutil
from datetime import timedelta

from backend.domain.retention import read_rule
from tests.fixtures.api_server import ApiServer, StartApi


async def ended(api: ApiServer, status: str, *, days_ago: int) -> str:
    created = await api.client.post("/api/v1/tasks", json={"platform": "web", "params": {"start_urls": [URL]}, **HELD})
    task_id = str(created.json()["data"]["task_id"])
    end = {"status": status, "ended_at": api.clock.now() - timedelta(days=days_ago), "books.stored": 3}
    await api.database.do(api.database.collection("tasks").update_one({"_id": task_id}, {"$set": end}))
    return task_id


URL = "https://docs.example.org/"
HELD = {"start": "manual"}


async def test_without_rules_the_preview_is_empty_and_the_disk_is_shown(api: ApiServer) -> None:
    answer = await api.client.get("/api/v1/system/retention")

    data = answer.json()["data"]
    assert (answer.status_code, data["rules"]) == (200, [])
    assert data["disk"]["total_bytes"] == shutil.disk_usage(api.folder).total


async def test_preview_says_what_each_rule_would_purge(start_api: StartApi) -> None:
    api = await start_api(retention_days=(read_rule("crawl.failed=30"),))
    await ended(api, "failed", days_ago=31)
    await ended(api, "failed", days_ago=29)

    answer = await api.client.get("/api/v1/system/retention")

    (rule,) = answer.json()["data"]["rules"]
    assert rule.pop("before").endswith("Z")
    assert rule == {
        **{"kind": "crawl", "status": "failed", "days": 30, "tasks": 1, "items": 3, "files": 0, "size_bytes": 0},
        "is_capped": False,
    }
