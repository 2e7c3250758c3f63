import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.api_server import RECORD_KEYS, URL, WEB_TASK, ApiServer
from tests.fixtures.scripted import hang

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_created_task_is_stored_and_shown_whole(api: ApiServer) -> None:
    answer = await api.client.post("/api/v1/tasks", json=WEB_TASK)

    body = answer.json()
    assert (answer.status_code, body["code"], body["message"]) == (200, 0, "任务创建成功 / Task created")
    record = body["data"]
    assert set(record) == RECORD_KEYS
    assert (record["status"], record["kind"], record["type"]) == ("held", "crawl", "site")
    assert record["params"] == {"start_urls": [URL], "max_pages": 100, "scope": "host"}
    assert TIME.fullmatch(record["created_at"])
    stored = await api.bench.read(record["task_id"])
    assert stored.params["start_urls"] == [URL]


async def test_answer_ends_in_a_newline_with_chinese_unescaped(api: ApiServer) -> None:
    answer = await api.client.post("/api/v1/tasks", json={**WEB_TASK, "title": "露营"})

    assert answer.content.endswith(b"}\n")
    assert "露营".encode() in answer.content
    assert b"\n" not in answer.content[:-1]


async def test_pretty_indents(api: ApiServer) -> None:
    answer = await api.client.get("/api/v1/tasks?pretty=1")

    assert answer.text.startswith('{\n  "code": 0')


@pytest.mark.parametrize(
    ("language", "message", "record_message"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "任务创建成功", "已创建，等待手动开始"),
        ("en-US,en;q=0.9", "Task created", "Created; start it by hand"),
        ("", "任务创建成功 / Task created", "已创建，等待手动开始"),
        ("fr", "任务创建成功 / Task created", "已创建，等待手动开始"),
    ],
)
async def test_messages_follow_the_accepted_language(
    api: ApiServer, language: str, message: str, record_message: str
) -> None:
    answer = await api.client.post("/api/v1/tasks", json=WEB_TASK, headers={"Accept-Language": language})

    body = answer.json()
    assert (body["message"], body["data"]["message"]) == (message, record_message)


async def test_short_form_takes_all_other_names_as_params(api: ApiServer) -> None:
    body = {"platform": "xhs", "type": "search", "keywords": ["露营"], "limit": 20, "priority": 2, "start": "manual"}

    answer = await api.client.post("/api/v1/tasks", json=body)

    record = answer.json()["data"]
    assert record["params"] == {"keywords": ["露营"], "limit": 20}
    assert record["priority"] == 2


async def test_unavailable_platform_accepts_with_a_notice(api: ApiServer) -> None:
    answer = await api.client.post("/api/v1/tasks", json={"platform": "xhs", "keywords": ["露营"], "start": "manual"})

    assert answer.json()["data"]["notice"] == {"code": "NO_BROWSER", "message": "需要浏览器", "action": "安装浏览器"}


async def test_unavailable_platform_is_409_when_it_is_required(api: ApiServer) -> None:
    answer = await api.client.post("/api/v1/tasks?require_available=1", json={"platform": "xhs", "keywords": ["露营"]})

    assert (answer.status_code, answer.json()["code"]) == (409, 40903)
    assert await api.stored() == 0


async def test_same_key_and_body_return_the_first_task(api: ApiServer) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = await api.client.post("/api/v1/tasks", json=WEB_TASK, headers=headers)

    again = await api.client.post("/api/v1/tasks", json=WEB_TASK, headers=headers)

    assert again.headers["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first.headers
    assert again.json()["data"] == first.json()["data"]
    assert await api.stored() == 1


async def test_same_key_with_another_body_is_409(api: ApiServer) -> None:
    headers = {"Idempotency-Key": "k-1"}
    await api.client.post("/api/v1/tasks", json=WEB_TASK, headers=headers)

    again = await api.client.post("/api/v1/tasks", json={**WEB_TASK, "title": "other"}, headers=headers)

    assert (again.status_code, again.json()["code"]) == (409, 40902)
    assert await api.stored() == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "é"])
async def test_unusable_idempotency_key_is_refused(api: ApiServer, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode("latin-1")}

    answer = await api.client.post("/api/v1/tasks", json=WEB_TASK, headers=headers)

    assert answer.status_code == 422
    assert answer.json()["error"]["fields"][0]["path"] == "Idempotency-Key"


async def test_created_task_runs_to_its_end(api: ApiServer) -> None:
    record = await api.create(start="now")

    answer = await api.client.get(f"/api/v1/tasks/{record['task_id']}?wait=10")

    body = answer.json()["data"]
    assert (body["status"], body["is_final"]) == ("succeeded", True)
    assert [(one["from"], one["to"]) for one in body["history"]][-1] == ("running", "succeeded")


async def test_long_poll_answers_at_the_next_change(api: ApiServer) -> None:
    record = await api.create()
    waiting = asyncio.create_task(api.client.get(f"/api/v1/tasks/{record['task_id']}?wait=20&until=changed"))
    await asyncio.sleep(0)

    await api.client.delete(f"/api/v1/tasks/{record['task_id']}")

    assert (await waiting).json()["data"]["status"] == "cancelled"


async def test_long_poll_is_given_up_when_the_caller_hangs_up(api: ApiServer) -> None:
    record = await api.create()
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    request = f"GET /api/v1/tasks/{record['task_id']}?wait=30 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    writer.write(request.encode())
    await until(lambda: len(polls()) == 1)

    writer.close()

    await until(lambda: not polls())


async def test_cancelled_held_task_is_cancelled_at_once(api: ApiServer) -> None:
    record = await api.create()

    answer = await api.client.delete(f"/api/v1/tasks/{record['task_id']}")

    body = answer.json()
    assert (answer.status_code, body["code"], body["data"]["status"]) == (200, 0, "cancelled")
    assert body["data"]["cancel"]["requested_by"] == "local"
    assert body["message"] == "任务已取消 / Task cancelled"
    assert (await api.bench.read(record["task_id"])).status == "cancelled"


async def test_cancel_waits_for_the_end_of_a_running_task(api: ApiServer) -> None:
    api.bench.executor.script = hang
    record = await api.create(start="now")
    await api.bench.executor.begun.wait()

    answer = await api.client.delete(f"/api/v1/tasks/{record['task_id']}?wait=10")

    body = answer.json()["data"]
    assert body["status"] == "cancelled"
    assert body["cancel_latency_ms"] is not None
    assert set(body["cancel"]["released"]) == {"tasks", "connections", "children", "files"}


async def test_cancel_is_idempotent(api: ApiServer) -> None:
    record = await api.create()
    first = await api.client.delete(f"/api/v1/tasks/{record['task_id']}")

    again = await api.client.delete(f"/api/v1/tasks/{record['task_id']}")

    assert again.status_code == 200
    assert again.json()["data"] == first.json()["data"]


async def test_purge_removes_a_final_task(api: ApiServer) -> None:
    record = await api.create()
    await api.client.delete(f"/api/v1/tasks/{record['task_id']}")

    answer = await api.client.delete(f"/api/v1/tasks/{record['task_id']}?purge=1")

    assert answer.json()["data"] == {"task_id": record["task_id"], "purged": True}
    gone = await api.client.get(f"/api/v1/tasks/{record['task_id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, 40401)
    assert (await api.client.get("/api/v1/tasks")).json()["data"]["items"] == []


async def test_purge_of_a_living_task_is_409(api: ApiServer) -> None:
    record = await api.create()

    answer = await api.client.delete(f"/api/v1/tasks/{record['task_id']}?purge=1")

    assert (answer.status_code, answer.json()["code"]) == (409, 40901)
    assert (await api.bench.read(record["task_id"])).status == "held"


async def test_started_task_runs(api: ApiServer) -> None:
    record = await api.create()

    answer = await api.client.post(f"/api/v1/tasks/{record['task_id']}/start")

    assert answer.json()["data"]["status"] == "pending"
    await asyncio.wait_for(api.bench.executor.begun.wait(), 10)


@pytest.mark.parametrize("verb", ["start", "resume", "retry"])
async def test_move_in_the_wrong_state_is_409(api: ApiServer, verb: str) -> None:
    record = await api.create()
    if verb == "start":
        await api.client.delete(f"/api/v1/tasks/{record['task_id']}")

    answer = await api.client.post(f"/api/v1/tasks/{record['task_id']}/{verb}")

    assert (answer.status_code, answer.json()["code"]) == (409, 40901)


async def test_retry_makes_a_new_task(api: ApiServer) -> None:
    record = await api.create()
    await api.client.delete(f"/api/v1/tasks/{record['task_id']}")

    answer = await api.client.post(f"/api/v1/tasks/{record['task_id']}/retry")

    body = answer.json()["data"]
    assert body["retry_of"] == record["task_id"]
    assert body["task_id"] != record["task_id"]
    assert await api.stored() == 2


@pytest.mark.parametrize("path", ["", "/items", "/pages", "/artifacts", "/logs", "/history"])
@pytest.mark.parametrize("task_id", ["t_0", "..%2f..%2fetc", "a" * 41, "%F0%9F%98%80"])
async def test_task_that_does_not_exist_is_404(api: ApiServer, task_id: str, path: str) -> None:
    answer = await api.client.get(f"/api/v1/tasks/{task_id}{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, 40401)
    assert answer.json()["error"]["name"] == "TASK_NOT_FOUND"


async def test_history_is_listed(api: ApiServer) -> None:
    record = await api.create()

    answer = await api.client.get(f"/api/v1/tasks/{record['task_id']}/history")

    assert answer.json()["data"]["items"] == record["history"]
    assert record["history"][0]["reason"] == "created"


async def test_logs_are_read_by_seq(api: ApiServer) -> None:
    async def script(context: Any) -> Any:
        for number in range(5):
            context.log("warning" if number == 3 else "info", f"行 {number}", url=URL)
        return await original(context)

    original, api.bench.executor.script = api.bench.executor.script, script
    record = await api.create(start="now")
    await api.client.get(f"/api/v1/tasks/{record['task_id']}?wait=10")
    path = f"/api/v1/tasks/{record['task_id']}/logs"

    newest = (await api.client.get(path, params={"limit": 2})).json()["data"]
    after = (await api.client.get(path, params={"after": 1, "limit": 2})).json()["data"]
    loud = (await api.client.get(path, params={"level": "warning"})).json()["data"]

    assert [one["seq"] for one in newest["items"]] == [newest["last_seq"] - 1, newest["last_seq"]]
    assert (newest["first_seq"], newest["next_cursor"]) == (1, None)
    assert [one["seq"] for one in after["items"]] == [2, 3]
    assert [(one["level"], one["message"], one["fields"]) for one in loud["items"]] == [
        ("warning", "行 3", {"url": URL})
    ]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=-1", "after=x", "level=loud", "nope=1"])
async def test_bad_log_query_is_422(api: ApiServer, query: str) -> None:
    record = await api.create()

    answer = await api.client.get(f"/api/v1/tasks/{record['task_id']}/logs?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, 42201)


async def test_cancel_leaves_one_access_line_and_no_error(api: ApiServer) -> None:
    from backend.core.logs import captured_log

    with captured_log() as lines:
        record = await api.create()
        await api.client.delete(f"/api/v1/tasks/{record['task_id']}?token=hunter2hunter2")

    access = [line for line in lines if "tornado.access:log_request" in line]
    assert re.search(
        r"\| INFO     \| tornado\.access:log_request:\d+ \| 200 POST /api/v1/tasks \(127\.0\.0\.1\)", access[0]
    )
    assert len(access) == 2
    assert "hunter2" not in "".join(lines)


def polls() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("request:")]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
