"""`GET /platforms/{id}/drift`, the log line, and where the counts come from."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from backend.api.language import Speech
from backend.api.platforms.schemas import platforms_out
from backend.core.logs import captured_log
from backend.domain.platform import Availability
from backend.services.platform_service import PlatformService
from tests.fixtures.api_server import ApiServer, StandInPlatform
from tests.fixtures.camping import SEEN_AT, XHS, post, put


async def ended(api: ApiServer, hours: int, *, title: bool = True, posts: int = 60) -> str:
    """Store a task that has ended after so many hours, with what it found."""
    task_id = str((await api.create(**XHS))["task_id"])
    found = [post(task_id, number) for number in range(posts)]
    await put(api, *(one if title else replace(one, title=None) for one in found))
    end = {"status": "succeeded", "ended_at": SEEN_AT + timedelta(hours=hours), "books.stored": posts}
    tasks = api.database.collection("tasks")
    await api.database.do(tasks.update_one({"_id": task_id}, {"$set": end}))
    return task_id


async def drift(api: ApiServer, platform: str = "xhs") -> dict[str, object]:
    answer = await api.client.get(f"/api/v1/platforms/{platform}/drift")
    data: dict[str, object] = answer.json()["data"]
    return data


async def test_field_that_dries_up_is_shown_and_logged_once(api: ApiServer) -> None:
    for hours in range(3):
        await ended(api, hours)
    await api.drift.count("xhs")
    for hours in range(3, 5):
        await ended(api, hours, title=False)

    with captured_log() as lines:
        await api.drift.count("xhs")
        await api.drift.count("xhs")

    shown = await drift(api)
    groups: Any = shown["groups"]
    (group,) = groups
    title = next(one for one in group["fields"] if one["field"] == "title")
    assert (shown["dry"], shown["tasks"], group["kind"], group["source"]) == (1, 5, "post", "search/notes")
    assert (group["recent"]["items"], group["before"]["items"]) == (120, 180)
    assert (title["recent"], title["before"], title["state"]) == (0.0, 1.0, "dry")
    assert title["since"].endswith("Z")
    said = [line for line in lines if "平台字段疑似失效" in line]
    assert len(said) == 1
    assert "xhs post (search/notes) title, 近 120 条 0%, 此前 100%" in said[0]
    assert "WARNING" in said[0]


async def test_field_that_comes_back_ends_its_alert(api: ApiServer) -> None:
    for hours in range(5):
        await ended(api, hours, title=hours < 3)
    await api.drift.count("xhs")
    for hours in range(5, 7):
        await ended(api, hours)

    with captured_log() as lines:
        await api.drift.count("xhs")

    assert (await drift(api))["dry"] == 0
    assert any("平台字段已恢复: xhs post (search/notes) title" in line for line in lines)


async def test_sweep_looks_once_a_minute(api: ApiServer) -> None:
    await api.drift.sweep()
    await ended(api, 0)

    await api.drift.sweep()

    assert (await drift(api))["tasks"] == 0


async def test_tasks_that_found_nothing_are_not_counted(api: ApiServer) -> None:
    await api.create(**XHS)

    assert await api.drift.count("xhs") == 0


async def test_platform_without_results_has_no_groups(api: ApiServer) -> None:
    assert await drift(api, "web") == {"platform": "web", "tasks": 0, "counted_to": None, "dry": 0, "groups": []}


@pytest.mark.parametrize("platform", ["nothing", "cogvideox"])
async def test_what_crawls_nothing_has_no_drift(api: ApiServer, platform: str) -> None:
    answer = await api.client.get(f"/api/v1/platforms/{platform}/drift")

    assert (answer.status_code, answer.json()["error"]["name"]) == (404, "NOT_FOUND")


async def test_day_of_the_last_live_check_is_the_platforms_own_word(api: ApiServer) -> None:
    (never, *_) = (await api.client.get("/api/v1/platforms")).json()["data"]["items"]
    checked = replace(api.services.platforms.list()[0].info, live_checked_at=SEEN_AT)
    platform = StandInPlatform(checked, Availability(available=True))

    (shown,) = platforms_out(PlatformService([platform]).list(), Speech("zh", "zh"))["items"]

    assert never["live_checked_at"] is None
    assert shown["live_checked_at"] == "2026-11-21T08:00:00.123Z"
