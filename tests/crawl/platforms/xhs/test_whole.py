"""The whole product against the stand-in: the owner's own call, and what can come between it and its end."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures.chromium import chromium
from tests.fixtures.live_app import LiveApp, live_app
from tests.fixtures.xhs_crawls import KEYWORD
from tests.fixtures.xhs_site import XhsSite
from tests.fixtures.xhs_site.thread import xhs_site_in_thread

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

OWNERS_CALL = {"platform": "xhs", "type": "search", "keywords": ["露营"], "limit": 20}
WITHIN_S = 400.0


@pytest.fixture(autouse=True)
def io_loop() -> None:
    """No loop of ours: the server has its own, and so has the stand-in."""


@pytest.fixture
def site() -> Iterator[XhsSite]:
    with xhs_site_in_thread() as made:
        yield made


def environ(site: XhsSite, *, mode: str = "headless") -> dict[str, str]:
    return {
        **{"XHS_BASE_URL": site.base_url, "XHS_MIN_INTERVAL_S": "0", "APP_ENV": "test"},
        **{"BROWSER_MODE": mode, "BROWSER_PATH": str(chromium()), "LANGUAGE": "zh", "LEASE_S": "10"},
    }


def create(app: LiveApp, body: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(f"{app.url}/api/v1/tasks", json=body, timeout=60).raise_for_status().json()
    assert (answer["code"], answer["message"]) == (0, "任务创建成功")
    task: dict[str, Any] = answer["data"]
    assert task["status"] == "pending"
    return task


def items_of(app: LiveApp, task_id: str, kind: str = "post") -> set[str]:
    items = app.call("GET", f"/tasks/{task_id}/items", limit="200")["items"]
    return {item["item_id"] for item in items if item["kind"] == kind}


def wait_until(app: LiveApp, task_id: str, status: str, *, stage: str | None = None) -> dict[str, Any]:
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        task: dict[str, Any] = app.call("GET", f"/tasks/{task_id}")
        if task["status"] == status and stage in {None, task["progress"]["stage"]}:
            return task
        assert not task["is_final"], task
        time.sleep(0.2)
    raise AssertionError(f"{task_id} is not {status}")


def truth(site: XhsSite, count: int) -> set[str]:
    return {note.note_id for note in site.world.notes(KEYWORD)[:count]}


def test_owners_call_runs_to_its_end_and_is_stopped_when_told(site: XhsSite, tmp_path: Path) -> None:
    with live_app(tmp_path, "xhs", **environ(site)) as app:
        task = create(app, OWNERS_CALL)
        ended = app.wait_for_end(task["task_id"], WITHIN_S)

        assert (ended["status"], ended["notice"], ended["books"]["balanced"]) == ("succeeded", None, True)
        assert items_of(app, task["task_id"]) == truth(site, 20)

        task = create(app, {**OWNERS_CALL, "limit": 60, "details": False})
        site.wait(site.until_asked("search", 1), within_s=WITHIN_S)
        cancelled = app.call("DELETE", f"/tasks/{task['task_id']}", wait="30")
        asked = site.asked("search")
        time.sleep(1)

        assert (cancelled["status"], cancelled["books"]["balanced"]) == ("cancelled", True)
        assert site.asked("search") == asked


def test_login_wall_is_shown_with_its_code_and_the_task_goes_on(site: XhsSite, tmp_path: Path) -> None:
    site.set_login("redirect")
    with live_app(tmp_path, "xhs", **environ(site)) as app:
        task = create(app, {**OWNERS_CALL, "limit": 3})
        wait_until(app, task["task_id"], "running", stage="needs_person")
        challenge = app.call("GET", f"/tasks/{task['task_id']}/challenge")
        picture = httpx.get(f"{app.url}{challenge['qr_url']}", timeout=60).raise_for_status()
        site.scan()
        ended = app.wait_for_end(task["task_id"], WITHIN_S)

        assert (challenge["kind"], picture.headers["content-type"]) == ("qr", "image/png")
        assert ended["status"] == "succeeded"
        assert items_of(app, task["task_id"]) == truth(site, 3)


def test_without_a_browser_the_task_waits_and_goes_on_when_there_is_one(site: XhsSite, tmp_path: Path) -> None:
    with live_app(tmp_path, "without", **environ(site, mode="off")) as app:
        task = create(app, {**OWNERS_CALL, "limit": 3})
        waiting = wait_until(app, task["task_id"], "waiting")
        assert task["notice"]["code"] == waiting["notice"]["code"] == "NO_BROWSER"

    with live_app(tmp_path, "with", **environ(site)) as app:
        app.call("POST", f"/tasks/{task['task_id']}/resume")
        ended = app.wait_for_end(task["task_id"], WITHIN_S)

        assert (ended["status"], ended["notice"]) == ("succeeded", None)
        assert items_of(app, task["task_id"]) == truth(site, 3)


def test_server_killed_in_the_middle_goes_on_to_the_same_notes(site: XhsSite, tmp_path: Path) -> None:
    with live_app(tmp_path, "killed", CRASH_POINT="mid_store:4:kill", **environ(site)) as app:
        task_id = create(app, {**OWNERS_CALL, "limit": 6})["task_id"]
        with pytest.raises(httpx.HTTPError):
            app.wait_for_end(task_id, WITHIN_S)

    with live_app(tmp_path, "again", **environ(site)) as app:
        ended = app.wait_for_end(task_id, WITHIN_S)

        assert (ended["status"], ended["books"]["balanced"]) == ("succeeded", True)
        assert (ended["books"]["requested"], ended["books"]["ok"]) == (7, 7)
        assert items_of(app, task_id) == truth(site, 6)
