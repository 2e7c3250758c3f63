from collections.abc import Iterator
from datetime import timedelta

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.item import Item
from backend.domain.task import Lease
from backend.store.item_reads import ItemFilter, ItemReads, place_of
from backend.store.items import ItemStore
from tests.fixtures.camping import SEEN_AT, camping, post

ALL = ItemFilter()


class Shelf:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.reads = ItemReads(database)
        self.items = ItemStore(database)

    async def put(self, *items: Item) -> None:
        for item in items:
            await self.items.upsert_many(Lease(item.task_id, "w_1", 1), [item])

    async def walk(self, *task_ids: str, wanted: ItemFilter = ALL, limit: int = 2) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        place = None
        while page := await self.reads.items(task_ids, wanted, behind=place, limit=limit):
            found += [(item.task_id, item.item_id) for item in page]
            place = place_of(page[-1])
        return found


@pytest.fixture(params=["mongod", "memory"])
def shelf(request: pytest.FixtureRequest, io_loop: tornado.ioloop.IOLoop) -> Iterator[Shelf]:
    if request.param == "mongod":
        made = Shelf(request.getfixturevalue("database"))
        io_loop.run_sync(made.items.ensure_indexes)
        yield made
        return
    memory = Database("", "test", clock=Clock(), is_memory=True)
    io_loop.run_sync(memory.connect)
    made = Shelf(memory)
    io_loop.run_sync(made.items.ensure_indexes)
    yield made
    io_loop.run_sync(memory.close)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_walk_meets_every_item_once_in_order(shelf: Shelf, limit: int) -> None:
    await shelf.put(*camping("t_2", posts=3, comments=1), *camping("t_1", posts=4), *camping("t_3", posts=1))

    found = await shelf.walk("t_1", "t_2", limit=limit)

    expected = [*camping("t_1", posts=4), *camping("t_2", posts=3, comments=1)]
    assert found == [(item.task_id, item.item_id) for item in expected]


async def test_walk_goes_on_between_items_of_the_same_moment(shelf: Shelf) -> None:
    await shelf.put(*(post("t_1", number, later_s=-number) for number in range(5)))

    found = await shelf.walk("t_1", limit=2)

    assert sorted(found) == [("t_1", post("t_1", number).item_id) for number in range(5)]


async def test_filter_takes_a_kind_and_a_span_of_time(shelf: Shelf) -> None:
    await shelf.put(*camping("t_1", posts=5, comments=1))
    span = {"seen_from": SEEN_AT + timedelta(seconds=1), "seen_to": SEEN_AT + timedelta(seconds=4)}

    found = await shelf.walk("t_1", wanted=ItemFilter("post", **span), limit=2)

    assert found == [("t_1", post("t_1", number).item_id) for number in (1, 2, 3)]


async def test_keys_say_what_the_items_are(shelf: Shelf) -> None:
    await shelf.put(*camping("t_1", posts=2))

    (first, second) = await shelf.reads.keys(["t_1"], ALL, behind=None, limit=5)

    assert (first.platform, first.kind, first.item_id) == ("xhs", "post", post("t_1", 0).item_id)
    assert second.place.first_seen_at == SEEN_AT + timedelta(seconds=1)


async def test_items_are_counted_by_kind(shelf: Shelf) -> None:
    await shelf.put(*camping("t_1", posts=2, comments=2), *camping("t_2", posts=1))

    assert await shelf.reads.count(["t_1", "t_2"], ALL) == {"post": 3, "comment": 4}
    assert await shelf.reads.count(["t_1"], ItemFilter(kind="post")) == {"post": 2}


async def test_every_page_is_read_along_the_index(database: Database) -> None:
    shelf = Shelf(database)
    await shelf.items.ensure_indexes()
    await shelf.put(*camping("t_1", posts=20))
    await database.do(database.collection("items").database.command("profile", 2))

    await shelf.walk("t_1", "t_2", limit=5)

    profile = database.collection("system.profile").find({"op": "query", "ns": f"{database.name}.items"})
    reads = await database.do(profile.to_list(None))
    assert {read["planSummary"] for read in reads} == {"IXSCAN { task_id: 1, first_seen_at: 1, _id: 1 }"}
    assert not any(read.get("hasSortStage") for read in reads)
    assert max(read["docsExamined"] for read in reads) <= 6


async def test_counting_reads_no_item(database: Database) -> None:
    shelf = Shelf(database)
    await shelf.items.ensure_indexes()
    await shelf.put(*camping("t_1", posts=5))
    await database.do(database.collection("items").database.command("profile", 2))

    await shelf.reads.count(["t_1"], ALL)

    profile = database.collection("system.profile").find({"op": "command", "ns": f"{database.name}.items"})
    (read,) = await database.do(profile.to_list(None))
    assert (read["keysExamined"] > 0, read["docsExamined"]) == (True, 0)
