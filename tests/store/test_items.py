from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.errors import BadCursorError
from backend.domain.item import Author, Item, Media, Metrics
from backend.domain.task import Lease
from backend.store.items import ItemStore, with_id

SEEN_AT = datetime(2026, 11, 22, 8, 0, 0, 123_000, tzinfo=UTC)
LEASE = Lease("t_1", "w_1", 1)


def item(number: int = 0, *, task_id: str = "t_1") -> Item:
    return Item(
        task_id=task_id,
        platform="web",
        kind="page",
        item_id=f"https://example.org/{number}",
        url=f"https://example.org/{number}",
        title=f"第 {number} 页",
        text="正文",
        first_seen_at=SEEN_AT + timedelta(seconds=number),
        content_hash="sha256:00",
        source="html:text",
    )


@pytest.fixture(params=["mongod", "memory"])
def items(request: pytest.FixtureRequest, io_loop: tornado.ioloop.IOLoop) -> Iterator[ItemStore]:
    if request.param == "mongod":
        store = ItemStore(request.getfixturevalue("database"))
        io_loop.run_sync(store.ensure_indexes)
        yield store
        return
    memory = Database("", "test", clock=Clock(), is_memory=True)
    io_loop.run_sync(memory.connect)
    store = ItemStore(memory)
    io_loop.run_sync(store.ensure_indexes)
    yield store
    io_loop.run_sync(memory.close)


async def test_item_comes_back_as_it_was_stored(items: ItemStore) -> None:
    full = replace(
        item(),
        author=Author("9f", "张*"),
        metrics=Metrics(like=27_000, raw={"like": "2.7万"}),
        media=(Media("image", "https://example.org/a.png", width=8),),
        tags=("露营",),
        queries=("camp",),
        published_at=SEEN_AT,
        extra={"og": {"title": "x"}},
    )

    await items.upsert_many(LEASE, [full])

    assert await items.get(with_id(full).id) == with_id(full)


async def test_item_stored_twice_is_counted_once(items: ItemStore) -> None:
    first = await items.upsert_many(LEASE, [item(1), item(2)])
    second = await items.upsert_many(LEASE, [item(2), item(3)])

    assert (first, second, await items.count("t_1")) == (2, 1, 3)


async def test_same_item_of_two_tasks_is_two_items(items: ItemStore) -> None:
    await items.upsert_many(LEASE, [item(1)])
    await items.upsert_many(Lease("t_2", "w_1", 1), [item(1, task_id="t_2")])

    assert (await items.count("t_1"), await items.count("t_2")) == (1, 1)


async def test_item_found_again_keeps_its_content_and_gains_the_query(items: ItemStore) -> None:
    await items.upsert_many(LEASE, [replace(item(1), queries=("露营",))])

    await items.upsert_many(LEASE, [replace(item(1), queries=("帐篷",), text="后来")])

    stored = await items.get(with_id(item(1)).id)
    assert stored is not None
    assert (stored.text, stored.queries) == ("正文", ("露营", "帐篷"))


async def test_list_walks_every_item_once_in_the_order_seen(items: ItemStore) -> None:
    await items.upsert_many(LEASE, [item(number) for number in range(7)])

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await items.list("t_1", limit=3, cursor=cursor)
        seen += [one.item_id for one in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == [f"https://example.org/{number}" for number in range(7)]


async def test_list_pages_items_of_the_same_moment(items: ItemStore) -> None:
    await items.upsert_many(LEASE, [replace(item(number), first_seen_at=SEEN_AT) for number in range(5)])

    first = await items.list("t_1", limit=3)
    second = await items.list("t_1", limit=3, cursor=first.next_cursor)

    assert len({one.id for one in first.items + second.items}) == 5
    assert second.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "W10", "WzEsMl0", "a" * 2_000, "WyJhIiwiYiJd", "é"])
async def test_foreign_cursor_is_refused(items: ItemStore, cursor: str) -> None:
    with pytest.raises(BadCursorError):
        await items.list("t_1", limit=3, cursor=cursor)


async def test_existing_names_only_what_is_stored(items: ItemStore) -> None:
    await items.upsert_many(LEASE, [item(1)])

    found = await items.existing([with_id(item(1)).id, with_id(item(2)).id])

    assert found == {with_id(item(1)).id}


async def test_delete_removes_the_items_of_one_task_only(items: ItemStore) -> None:
    await items.upsert_many(LEASE, [item(1), item(2)])
    await items.upsert_many(Lease("t_2", "w_1", 1), [item(1, task_id="t_2")])

    removed = await items.delete_of("t_1")

    assert (removed, await items.count("t_1"), await items.count("t_2")) == (2, 0, 1)


async def test_ids_are_found_by_keyword_root_and_author(items: ItemStore) -> None:
    post = replace(item(), kind="post", item_id="p", queries=("camp",), author=Author("9f", "张*"))
    other = replace(item(), kind="post", item_id="q", queries=("tent",))
    comment = replace(item(), kind="comment", item_id="c", root_id="p")
    await items.upsert_many(LEASE, [post, other, comment])

    found = [
        await items.ids_of("t_1", "web", "post"),
        await items.ids_of("t_1", "web", "post", query="camp"),
        await items.ids_of("t_1", "web", "post", author="9f"),
        await items.ids_of("t_1", "web", "comment", root_id="p"),
        await items.ids_of("t_1", "web", "comment", root_id="q"),
        await items.ids_of("t_2", "web", "post"),
    ]

    assert found == [{"p", "q"}, {"p"}, {"p"}, {"c"}, set(), set()]


async def test_reported_are_the_posts_and_the_comments_they_say_they_have(items: ItemStore) -> None:
    posts = [
        replace(item(number), kind="post", metrics=Metrics(comment=comment))
        for number, comment in enumerate([319, None])
    ]
    await items.upsert_many(LEASE, [*posts, replace(item(9), kind="comment", metrics=Metrics(comment=7))])

    assert await items.reported_with_comments("t_1") == 321
    assert await items.reported_with_comments("t_2") == 0
