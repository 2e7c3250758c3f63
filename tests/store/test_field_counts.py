"""Counters of filled fields: made from the items, the same however often."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.drift import Alert, GroupKey
from backend.domain.item import Item
from backend.domain.task import Lease
from backend.store.field_counts import FieldCountStore
from backend.store.items import ItemStore
from tests.fixtures.camping import camping, post

ENDED_AT = datetime(2026, 11, 22, 8, tzinfo=UTC)


class Counting:
    def __init__(self, database: Database) -> None:
        self.items = ItemStore(database)
        self.counts = FieldCountStore(database)

    async def start(self) -> None:
        await self.items.ensure_indexes()
        await self.counts.ensure_indexes()

    async def put(self, *items: Item) -> None:
        await self.items.upsert_many(Lease(items[0].task_id, "w", 1), items)


@pytest.fixture(params=["mongod", "memory"])
def counting(request: pytest.FixtureRequest, io_loop: tornado.ioloop.IOLoop) -> Iterator[Counting]:
    memory = Database("", "test", clock=Clock(), is_memory=True)
    io_loop.run_sync(memory.connect)
    made = Counting(request.getfixturevalue("database") if request.param == "mongod" else memory)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(memory.close)


async def test_fields_are_counted_by_kind_and_source(counting: Counting) -> None:
    bare = replace(post("t_1", 9), title=None, text="", tags=(), author=None, source="state")
    await counting.put(*camping("t_1", posts=3, comments=2), bare)

    counts = await counting.counts.count_task("t_1", "xhs", ENDED_AT)

    groups = {(one.key.kind, one.key.source): (one.items, one.filled) for one in counts.groups}
    assert set(groups) == {("post", "search/notes"), ("post", "state"), ("comment", "page")}
    items, filled = groups["post", "search/notes"]
    assert (items, filled["title"], filled["like"], filled["view"], filled["tags"]) == (3, 3, 3, 0, 3)
    items, filled = groups["post", "state"]
    assert (items, filled["title"], filled["text"], filled["tags"], filled["author"], filled["media"]) == (
        1,
        0,
        0,
        0,
        0,
        1,
    )


async def test_counting_again_changes_nothing(counting: Counting) -> None:
    await counting.put(*camping("t_1", posts=3))

    first = await counting.counts.count_task("t_1", "xhs", ENDED_AT)
    again = await counting.counts.count_task("t_1", "xhs", ENDED_AT)

    assert first == again
    assert await counting.counts.newest("xhs", limit=10) == [first]
    assert await counting.counts.counted(["t_1", "t_2"]) == {"t_1"}


async def test_task_of_many_items_is_sampled(counting: Counting) -> None:
    await counting.put(*camping("t_1", posts=230))

    counts = await counting.counts.count_task("t_1", "xhs", ENDED_AT)

    assert [one.items for one in counts.groups] == [200]


async def test_newest_task_comes_first(counting: Counting) -> None:
    for hours in (2, 0, 1):
        await counting.put(post(f"t_{hours}", 1))
        await counting.counts.count_task(f"t_{hours}", "xhs", ENDED_AT - timedelta(hours=hours))

    found = await counting.counts.newest("xhs", limit=2)

    assert [one.task_id for one in found] == ["t_0", "t_1"]


async def test_purged_task_leaves_no_counts(counting: Counting) -> None:
    await counting.put(post("t_1", 1))
    await counting.counts.count_task("t_1", "xhs", ENDED_AT)

    assert await counting.counts.delete_of("t_1") == 1
    assert await counting.counts.newest("xhs", limit=2) == []


async def test_alert_is_news_once(counting: Counting) -> None:
    alert = Alert(GroupKey("post", "note"), "title", 0.9, ENDED_AT)

    news = [await counting.counts.raise_alert("xhs", alert) for _ in range(2)]
    known = await counting.counts.alerts("xhs")
    gone = [await counting.counts.drop_alert("xhs", alert.key, "title") for _ in range(2)]

    assert (news, known, gone) == ([True, False], [alert], [True, False])
    assert await counting.counts.alerts("xhs") == []
