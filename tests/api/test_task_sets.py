"""POST /tasks/bulk, DELETE /tasks?… and facets over a real socket."""

import asyncio
from typing import Any

from backend.api.app import App
from backend.domain.task import Task
from tests.fixtures.api_server import URL, WEB_TASK, ApiServer, StartApi
from tests.fixtures.scripted import hang

BULK, TASKS = "/api/v1/tasks/bulk", "/api/v1/tasks"
ERROR_KEYS = {"code", "message", "name", "retryable", "advice", "fields", "request_id"}


async def bulk(api: ApiServer, tasks: object, headers: dict[str, str] | None = None, **more: object) -> dict[str, Any]:
    answer = await api.client.post(BULK, json={"tasks": tasks, **more}, headers=headers)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def cancel(api: ApiServer, query: str) -> dict[str, Any]:
    answer = await api.client.delete(f"{TASKS}?{query}")
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def held(api: ApiServer) -> int:
    return int((await api.client.get(f"{TASKS}?status=held&limit=1")).json()["data"]["total"])


async def refused(api: ApiServer, body: object, headers: dict[str, str] | None = None) -> tuple[int, str, list[str]]:
    answer = await api.client.post(BULK, json=body, headers=headers)
    error = answer.json()["error"]
    return answer.status_code, error["name"], [one["path"] for one in error["fields"]]


# -- POST /tasks/bulk ------------------------------------------------------------------------------------------------


async def test_bulk_makes_every_task_under_one_batch(api: ApiServer) -> None:
    data = await bulk(api, [{**WEB_TASK, "title": f"第 {n} 个"} for n in range(3)], batch_title="露营十城")

    listed = (await api.client.get(TASKS, params={"batch_id": data["batch_id"]})).json()["data"]["items"]
    assert [set(one) for one in data["items"]] == [{"index", "task_id"}] * 3
    assert {one["task_id"]: one["title"] for one in listed} == {
        one["task_id"]: f"第 {one['index']} 个" for one in data["items"]
    }


async def test_batch_is_found_by_its_title(api: ApiServer) -> None:
    await bulk(api, [WEB_TASK], batch_title="露营十城")
    await api.create(title="别的")

    found = (await api.client.get(TASKS, params={"q": "十城"})).json()["data"]

    assert found["total"] == 1


async def test_bad_entries_do_not_spoil_the_others(api: ApiServer) -> None:
    private = {"platform": "web", "params": {"start_urls": [URL, "http://10.0.0.1/"]}}

    data = await bulk(api, [WEB_TASK, {"platform": "nope"}, private, 7, {**WEB_TASK, "prority": 1}, WEB_TASK])

    told = {one["index"]: one["error"] for one in data["items"] if "error" in one}
    assert [one["index"] for one in data["items"] if "task_id" in one] == [0, 5]
    assert {index: (one["name"], [field["path"] for field in one["fields"]]) for index, one in told.items()} == {
        1: ("UNKNOWN_PLATFORM", []),
        2: ("VALIDATION_FAILED", ["params.start_urls.1"]),
        3: ("VALIDATION_FAILED", [""]),
        4: ("VALIDATION_FAILED", ["prority"]),
    }
    assert all(set(one) == ERROR_KEYS for one in told.values())
    assert told[1]["code"] == 42202
    assert await api.stored() == 2


async def test_short_form_is_taken_in_bulk_too(api: ApiServer) -> None:
    data = await bulk(api, [{"platform": "xhs", "keywords": ["露营"], "start": "manual"}])

    record = (await api.client.get(f"{TASKS}/{data['items'][0]['task_id']}")).json()["data"]
    assert (record["params"]["keywords"], record["notice"]["code"]) == (["露营"], "NO_BROWSER")


async def test_bulk_can_ask_for_available_platforms_only(api: ApiServer) -> None:
    answer = await api.client.post(
        f"{BULK}?require_available=1", json={"tasks": [{"platform": "xhs", "keywords": ["露营"]}, WEB_TASK]}
    )

    items = answer.json()["data"]["items"]
    assert (items[0]["error"]["name"], "task_id" in items[1]) == ("PLATFORM_UNAVAILABLE", True)


BAD_BULKS: list[tuple[object, str]] = [
    ({}, "tasks"),
    ({"tasks": []}, "tasks"),
    ({"tasks": [WEB_TASK] * 1_001}, "tasks"),
    ({"tasks": {"0": WEB_TASK}}, "tasks"),
    ({"tasks": "web"}, "tasks"),
    ({"tasks": None}, "tasks"),
    ({"tasks": [WEB_TASK], "batch_titel": "x"}, "batch_titel"),
    ({"tasks": [WEB_TASK], "batch_title": "x" * 201}, "batch_title"),
    ({"tasks": [WEB_TASK], "batch_title": 7}, "batch_title"),
    ([WEB_TASK], ""),
]


async def test_bad_bulk_makes_nothing(api: ApiServer) -> None:
    told = [await refused(api, body) for body, _ in BAD_BULKS]

    assert told == [(422, "VALIDATION_FAILED", [path]) for _, path in BAD_BULKS]
    assert await api.stored() == 0


async def test_thousand_tasks_are_taken(api: ApiServer) -> None:
    data = await bulk(api, [WEB_TASK] * 1_000)

    assert len({one["task_id"] for one in data["items"]}) == await api.stored() == 1_000


async def test_repeat_of_a_bulk_with_its_key_returns_the_first_tasks(api: ApiServer) -> None:
    key, tasks = {"Idempotency-Key": "k-1"}, [WEB_TASK, {"platform": "nope"}, {**WEB_TASK, "title": "b"}]
    first = await api.client.post(BULK, json={"tasks": tasks}, headers=key)

    again = await api.client.post(BULK, json={"tasks": tasks}, headers=key)

    def made(answer: Any) -> list[str | None]:
        return [one.get("task_id") for one in answer.json()["data"]["items"]]

    assert made(again) == made(first)
    assert again.json()["data"]["batch_id"] == first.json()["data"]["batch_id"]
    assert (first.headers.get("Idempotent-Replay"), again.headers.get("Idempotent-Replay")) == (None, "true")
    assert await api.stored() == 2


async def test_key_of_a_bulk_with_another_body_is_409(api: ApiServer) -> None:
    key = {"Idempotency-Key": "k-1"}
    await bulk(api, [WEB_TASK] * 2, headers=key)
    others: list[list[object]] = [[WEB_TASK], [WEB_TASK] * 3, [{**WEB_TASK, "title": "a"}, WEB_TASK]]

    told = [await refused(api, {"tasks": other}, headers=key) for other in others]

    assert told == [(409, "IDEMPOTENCY_CONFLICT", [])] * 3
    assert await api.stored() == 2


async def test_keys_of_single_and_bulk_calls_do_not_meet(api: ApiServer) -> None:
    key = {"Idempotency-Key": "k-1"}
    await api.client.post(TASKS, json=WEB_TASK, headers=key)

    data = await bulk(api, [WEB_TASK], headers=key)

    assert "task_id" in data["items"][0]
    assert await api.stored() == 2


async def test_half_made_batch_is_completed_by_its_repeat(api: ApiServer) -> None:
    key, tasks = {"Idempotency-Key": "k-1"}, [{**WEB_TASK, "title": str(n)} for n in range(4)]
    first = await bulk(api, tasks, headers=key)
    lost = first["items"][3]["task_id"]
    await api.database.do(api.database.collection("tasks").delete_one({"_id": lost}))

    again = await bulk(api, tasks, headers=key)

    assert again["items"][:3] == first["items"][:3]
    assert again["items"][3]["task_id"] != lost
    assert await api.stored() == 4


async def test_bulk_spawns_no_more_than_there_are_slots(api: ApiServer) -> None:
    api.bench.executor.script = hang
    spawned: list[Task] = []
    schedule = api.tasks.schedule

    def counted(task: Task) -> None:
        spawned.append(task)
        schedule(task)

    api.tasks.schedule = counted  # type: ignore[method-assign]

    await bulk(api, [{**WEB_TASK, "start": "now"}] * 200)

    assert len(spawned) == api.bench.slots.total
    assert api.bench.runner.has_backlog


# -- DELETE /tasks ---------------------------------------------------------------------------------------------------


async def test_cancel_of_a_set_reaches_what_matches_and_nothing_else(api: ApiServer) -> None:
    mine = [(await api.create(labels=["a"]))["task_id"] for _ in range(3)]
    other = (await api.create(labels=["b"]))["task_id"]

    told = await cancel(api, "label=a")

    listed = (await api.client.get(TASKS)).json()["data"]["items"]
    assert told == {"matched": 3, "cancelled": 3, "cancelling": 0}
    assert {one["task_id"]: one["status"] for one in listed} == {**dict.fromkeys(mine, "cancelled"), other: "held"}


async def test_set_cancel_records_who_and_when(api: ApiServer) -> None:
    made = await api.create()

    await cancel(api, f"ids={made['task_id']}")

    record = (await api.client.get(f"{TASKS}/{made['task_id']}")).json()["data"]
    assert record["cancel"]["requested_by"] == "local"
    assert record["cancel"]["ended_at"] is not None
    assert record["history"][-1] | {"at": ""} == {
        **{"at": "", "from": "held", "to": "cancelled", "reason": "cancel_requested", "attempt": 0},
        **{"worker_id": None, "by": "local"},
    }
    assert (record["message"], record["books"]["balanced"]) == ("任务已取消", True)


async def test_running_tasks_of_a_set_are_told_and_end(api: ApiServer) -> None:
    api.bench.executor.script = hang
    made = (await api.create(start="now"))["task_id"]
    await api.bench.executor.begun.wait()

    told = await cancel(api, "status=running")

    ended = await api.client.get(f"{TASKS}/{made}?wait=10&until=final")
    assert told == {"matched": 1, "cancelled": 0, "cancelling": 1}
    assert ended.json()["data"]["status"] == "cancelled"


async def test_set_cancel_is_idempotent(api: ApiServer) -> None:
    await api.create()
    await cancel(api, "status=active")

    assert await cancel(api, "status=active") == {"matched": 0, "cancelled": 0, "cancelling": 0}


async def test_final_states_match_nothing(api: ApiServer) -> None:
    made = await api.create()
    await api.client.delete(f"{TASKS}/{made['task_id']}")

    assert (await cancel(api, "status=cancelled,failed"))["matched"] == 0


async def test_set_cancel_without_a_filter_is_refused(api: ApiServer) -> None:
    await api.create()

    answers = [await api.client.delete(f"{TASKS}{query}") for query in ("", "?pretty=1")]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(422, 42204)] * 2
    assert answers[0].json()["error"]["name"] == "FILTER_REQUIRED"
    assert await held(api) == 1


BAD_FILTERS = [
    ("nope=1", "nope"),
    ("lable=a", "lable"),
    ("status=walking", "status.0"),
    ("status=", "status"),
    ("ids=&kind=crawl", "ids"),
    ("ids=" + ",".join(f"t_{n}" for n in range(201)), "ids"),
    ("label=", "label"),
    ("batch_id=", "batch_id"),
    ("q=", "q"),
    ("kind=other", "kind"),
    ("created_to=yesterday", "created_to"),
    ("kind=crawl&limit=10", "limit"),
    ("kind=crawl&cursor=x", "cursor"),
    ("kind=crawl&purge=1", "purge"),
]


async def test_bad_filter_cancels_nothing(api: ApiServer) -> None:
    await api.create(labels=["a"])

    answers = [await api.client.delete(f"{TASKS}?{query}") for query, _ in BAD_FILTERS]

    told = [(one.status_code, [field["path"] for field in one.json()["error"]["fields"]]) for one in answers]
    assert told == [(422, [path]) for _, path in BAD_FILTERS]
    assert await held(api) == 1


FILTERS: list[tuple[str, set[str]]] = [
    ("status=active", {"one", "two", "three"}),
    ("status=held", {"one", "two"}),
    ("status=held,pending", {"one", "two", "three"}),
    ("q=ON", {"one"}),
    ("label=b", {"two"}),
    ("kind=crawl", {"one", "two", "three"}),
    ("kind=generate", set()),
    ("platform=xhs", {"three"}),
    ("type=site", {"one", "two"}),
    ("created_by=local", {"one", "two", "three"}),
    ("created_by=li", set()),
    ("created_from=2020-01-01T00:00:00Z&status=active", {"one", "two", "three"}),
    ("created_to=2020-01-01T00:00:00Z", set()),
    ("schedule_id=s_1", set()),
    ("batch_id=BATCH", {"two"}),
    ("ids=ONE,t_none", {"one"}),
    ("platform=web&label=a&q=one", {"one"}),
    ("status=held&platform=xhs", set()),
]


async def test_every_filter_narrows_list_and_cancel_alike(api: ApiServer) -> None:
    for query, titles in FILTERS:
        one = await api.create(title="one", labels=["a"])
        batch = await bulk(api, [{**WEB_TASK, "title": "two", "labels": ["b"]}])
        later = {"run_at": "2096-01-01T00:00:00Z", "start": "now"}
        await api.create(platform="xhs", params={"keywords": ["x"]}, title="three", **later)
        chosen = query.replace("BATCH", batch["batch_id"]).replace("ONE", one["task_id"])

        listed = (await api.client.get(f"{TASKS}?{chosen}")).json()["data"]["items"]
        told = await cancel(api, chosen)

        cancelled = (await api.client.get(f"{TASKS}?status=cancelled")).json()["data"]["items"]
        assert {task["title"] for task in listed} == {task["title"] for task in cancelled} == titles, query
        assert told == {"matched": len(titles), "cancelled": len(titles), "cancelling": 0}, query
        await api.database.do(api.database.collection("tasks").delete_many({}))


async def test_set_cancel_goes_on_when_its_caller_leaves(api: ApiServer) -> None:
    await bulk(api, [WEB_TASK] * 450)
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    begun, may_go_on = asyncio.Event(), asyncio.Event()
    keep = api.bench.tasks.keep

    async def slowly(task_id: str) -> None:
        begun.set()
        await may_go_on.wait()
        await keep(task_id)

    api.bench.tasks.keep = slowly  # type: ignore[method-assign]
    writer.write(b"DELETE /api/v1/tasks?status=held HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await begun.wait()
    writer.transport.abort()
    may_go_on.set()

    # What a server that leaves waits for.
    assert api._server is not None
    app = api._server.request_callback
    assert isinstance(app, App)
    await app.answering.over()

    assert await held(api) == 0


async def test_set_calls_want_the_token_too(start_api: StartApi) -> None:
    api = await start_api(auth_token="t" * 16)

    answers = [
        await api.client.delete(f"{TASKS}?status=active"),
        await api.client.post(BULK, json={"tasks": [WEB_TASK]}),
        await api.client.get(f"{TASKS}?facets=1"),
    ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(401, 40101)] * 3


async def test_set_cancel_from_elsewhere_is_refused(api: ApiServer) -> None:
    await api.create()
    strangers = [{"Origin": "https://evil.example"}, {"Host": "evil.example"}]

    answers = [await api.client.delete(f"{TASKS}?status=active", headers=one) for one in strangers]

    assert [one.status_code for one in answers] == [403, 403]
    assert await held(api) == 1


# -- facets ----------------------------------------------------------------------------------------------------------


async def test_facets_count_what_matches(api: ApiServer) -> None:
    await bulk(api, [{**WEB_TASK, "labels": ["a"]}] * 3)
    other = await api.create(platform="xhs", params={"keywords": ["x"]}, labels=["a"])
    await api.create()
    await api.client.delete(f"{TASKS}/{other['task_id']}")

    data = (await api.client.get(f"{TASKS}?label=a&facets=1&limit=1")).json()["data"]

    assert data["facets"] == {
        "status": {"held": 3, "cancelled": 1},
        "kind": {"crawl": 4},
        "platform": {"web": 3, "xhs": 1},
    }
    assert len(data["items"]) == 1


async def test_facets_are_there_only_when_asked_for(api: ApiServer) -> None:
    assert "facets" not in (await api.client.get(f"{TASKS}?facets=0")).json()["data"]
