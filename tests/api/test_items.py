from datetime import UTC, datetime, timedelta

import pytest

from backend.domain.item import Author, Item, Media, Metrics
from backend.domain.task import Lease
from backend.store.frontier import NewRow, RowResult
from tests.fixtures.api_server import ApiServer

AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
ITEM_KEYS = {
    *("id", "task_id", "platform", "kind", "item_id", "parent_id", "root_id", "url", "title", "text", "lang"),
    *("author", "published_at", "metrics", "media", "tags", "queries", "first_seen_at", "content_hash", "source"),
    "extra",
}


def item(task_id: str, number: int) -> Item:
    return Item(
        *(task_id, "web", "post", f"p{number}", f"https://a.example/{number}", f"露营 {number}", "正文"),
        *(AT + timedelta(seconds=number), "sha256:x", "html:text"),
        author=Author("9f", "张*"),
        metrics=Metrics(like=27_000, raw={"like": "2.7万"}),
        media=(Media("image", "https://a.example/i.png", width=800),),
        tags=("a",),
        queries=("露营",),
    )


async def test_items_are_listed_page_by_page(api: ApiServer) -> None:
    task_id = (await api.create())["task_id"]
    await api.items.upsert_many(Lease(task_id, "w", 1), [item(task_id, number) for number in range(3)])
    path = f"/api/v1/tasks/{task_id}/items"

    first = (await api.client.get(path, params={"limit": 2})).json()["data"]
    second = (await api.client.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()["data"]

    assert [one["item_id"] for one in first["items"] + second["items"]] == ["p0", "p1", "p2"]
    assert second["next_cursor"] is None


async def test_item_has_every_key(api: ApiServer) -> None:
    task_id = (await api.create())["task_id"]
    await api.items.upsert_many(Lease(task_id, "w", 1), [item(task_id, 0)])
    path = f"/api/v1/tasks/{task_id}/items"

    (plain,) = (await api.client.get(path)).json()["data"]["items"]
    (raw,) = (await api.client.get(f"{path}?raw=1")).json()["data"]["items"]

    assert set(plain) == ITEM_KEYS
    assert plain["metrics"] == {"like": 27_000, "comment": None, "share": None, "save": None, "view": None}
    assert raw["metrics"]["raw"] == {"like": "2.7万"}
    assert plain["media"][0]["artifact_id"] is None
    assert plain["first_seen_at"] == "2026-11-21T08:00:00.000Z"


async def test_pages_tell_how_each_url_ended(api: ApiServer) -> None:
    task_id = (await api.create())["task_id"]
    lease = Lease(task_id, "w", 1)
    urls = ["https://a.example/", "https://a.example/b"]
    await api.frontier.add_many(lease, [NewRow(url, url, "https://a.example", 0) for url in urls])
    rows = await api.frontier.take(lease, "https://a.example", 1)
    await api.frontier.finish(lease, [RowResult(rows[0].fingerprint, "skipped", 1, reason="robots")])
    path = f"/api/v1/tasks/{task_id}/pages"

    all_pages = (await api.client.get(path)).json()["data"]["items"]
    skipped = (await api.client.get(f"{path}?outcome=skipped")).json()["data"]["items"]
    queued = (await api.client.get(f"{path}?state=queued")).json()["data"]["items"]

    assert len(all_pages) == 2
    assert [(one["outcome"], one["reason"]) for one in skipped] == [("skipped", "robots")]
    assert [one["state"] for one in queued] == ["queued"]
    assert set(all_pages[0]) == {
        *("url", "final_url", "state", "outcome", "reason", "http_status", "depth", "attempts", "size_bytes"),
        *("error", "fetched_at", "item_id"),
    }


@pytest.mark.parametrize("query", ["outcome=good", "state=over", "limit=500", "x=1"])
async def test_bad_query_is_422(api: ApiServer, query: str) -> None:
    task_id = (await api.create())["task_id"]

    answer = await api.client.get(f"/api/v1/tasks/{task_id}/pages?{query}")

    assert answer.status_code == 422


@pytest.mark.parametrize("part", ["items", "pages"])
async def test_bad_cursor_is_400(api: ApiServer, part: str) -> None:
    task_id = (await api.create())["task_id"]

    answer = await api.client.get(f"/api/v1/tasks/{task_id}/{part}?cursor=nonsense")

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
