import pytest

from tests.fixtures.api_server import RECORD_KEYS, ApiServer

LEFT_OUT = {"params", "history", "checkpoint", "ignored", "artifacts"}


async def test_list_shows_records_without_the_heavy_fields(api: ApiServer) -> None:
    record = await api.create(title="露营", labels=["春季"])

    answer = await api.client.get("/api/v1/tasks")

    data = answer.json()["data"]
    assert data["items"] == [{name: record[name] for name in RECORD_KEYS - LEFT_OUT}]
    assert {name: data[name] for name in data if name not in {"items", "stream_cursor"}} == {
        "next_cursor": None,
        "total": 1,
        "total_is_capped": False,
    }
    assert isinstance(data["stream_cursor"], str)


async def test_pages_follow_by_cursor(api: ApiServer) -> None:
    made = [(await api.create())["task_id"] for _ in range(3)]

    first = (await api.client.get("/api/v1/tasks?limit=2")).json()["data"]
    second = (await api.client.get("/api/v1/tasks", params={"limit": 2, "cursor": first["next_cursor"]})).json()["data"]

    assert sorted(one["task_id"] for one in first["items"] + second["items"]) == sorted(made)
    assert (first["total"], second["total"], second["next_cursor"]) == (3, 3, None)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status=active", 1),
        ("status=cancelled", 1),
        ("status=active,cancelled", 2),
        ("status=active&status=cancelled", 2),
        ("status=", 2),
        ("q=one", 1),
        ("q=ONE&platform=web&kind=crawl&type=site", 1),
        ("label=a", 1),
        ("label=%E6%98%A5", 0),
        ("created_by=local", 2),
        ("created_from=2020-01-01T00:00:00Z&created_to=2021-01-01T00:00:00%2B08:00", 0),
        ("batch_id=b_none", 0),
        ("sort=-priority&limit=200", 2),
    ],
)
async def test_filters_are_read_from_the_query(api: ApiServer, query: str, count: int) -> None:
    await api.create(title="one", labels=["a"])
    other = await api.create(title="two")
    await api.client.delete(f"/api/v1/tasks/{other['task_id']}")

    answer = await api.client.get(f"/api/v1/tasks?{query}")

    assert (answer.status_code, len(answer.json()["data"]["items"])) == (200, count)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("nope=1", "nope"),
        ("Status=active", "Status"),
        ("status=walking", "status.0"),
        ("kind=other", "kind"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=1e3", "limit"),
        ("limit=9999999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"),
        ("sort=title", "sort"),
        ("created_from=yesterday", "created_from"),
        ("created_from=2026-01-01T00:00:00", "created_from"),
        ("created_from=1700000000", "created_from"),
        ("q=" + "x" * 201, "q"),
        ("q=a%00b", "q"),
        ("facets=2", "facets"),
        ("ids=" + ",".join(f"t_{i}" for i in range(201)), "ids"),
    ],
)
async def test_bad_query_is_422_with_the_name(api: ApiServer, query: str, path: str) -> None:
    answer = await api.client.get(f"/api/v1/tasks?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, 42201)
    assert [one["path"] for one in answer.json()["error"]["fields"]] == [path]


async def test_bad_cursor_is_400(api: ApiServer) -> None:
    answer = await api.client.get("/api/v1/tasks?cursor=nonsense")

    assert (answer.status_code, answer.json()["code"], answer.json()["error"]["name"]) == (400, 40002, "BAD_CURSOR")


async def test_query_that_is_not_utf8_is_400(api: ApiServer) -> None:
    answer = await api.client.get("/api/v1/tasks?q=%FF%FE")

    assert (answer.status_code, answer.json()["error"]["name"]) == (400, "NOT_UTF8")
