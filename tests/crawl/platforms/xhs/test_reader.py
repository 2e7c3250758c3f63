"""The reader on pages whose state says everything: what it keeps, and in which order. No browser, real stores."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.http import HttpGate
from backend.crawl.feed import Patience
from backend.crawl.platform import CrawlTools
from backend.crawl.platforms.xhs.links import Addresses
from backend.crawl.platforms.xhs.mapping import Mapper
from backend.crawl.platforms.xhs.plan import plan_of
from backend.crawl.platforms.xhs.reader import XhsReader
from backend.crawl.platforms.xhs.work import Work
from backend.crawl.refusal import Refusal
from backend.crawl.source_record import Record
from backend.crawl.unit import UnitManners
from backend.crawl.units import UnitCrawl
from backend.domain.item import Item
from backend.domain.task import Lease, TaskStatus
from backend.store.author_salt import AuthorSalt
from backend.store.frontier import FrontierStore
from backend.store.items import ItemStore
from tests.fixtures.bare_context import BareContext, Carried, carry_out, crawl_task

if TYPE_CHECKING:
    from backend.crawl.browsing import Visit

PATIENCE = Patience(first_s=0, answer_s=0, glance_s=0, steps=1)
MANNERS = UnitManners(back_off_s=0, report_every_s=0, note_every_s=0)


def hit(note_id: str, **card: Any) -> dict[str, Any]:
    return {"id": note_id, "xsec_token": f"T{note_id}", "note_card": {"display_title": f"card {note_id}", **card}}


def searched(*note_ids: str, **card: Any) -> dict[str, Any]:
    return {"search": {"feeds": [hit(one, **card) for one in note_ids], "has_more": False}}


@dataclass
class Shelf:
    """Stands for the visit: each page has a state, or a wall in its place."""

    pages: dict[str, dict[str, Any]] = field(default_factory=dict)
    walls: dict[str, Refusal] = field(default_factory=dict)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    state: Record = field(default_factory=lambda: Record(None))
    visits: int = 0
    is_asking: bool = False
    shown: str | None = None

    def shows(self, page: str) -> bool:
        return self.shown == page

    async def show(self, url: str, *, page: str) -> Refusal | None:
        if self.shown == page:
            return None
        self.opened.append(page)
        if page in self.walls:
            return self.walls[page]
        kind, _, name = page.partition(" ")
        note = {"note": {"note_detail_map": {name: {"note": {"note_id": name, **self.notes.get(name, {})}}}}}
        self.state = Record(note if kind == "note" else self.pages.get(page, {}))
        self.shown, self.visits = page, self.visits + 1
        return None

    def forget(self) -> None:
        self.shown = None

    async def answer(self, belongs: Any, *, within_s: float) -> None:
        return None

    async def pause(self) -> None:
        pass

    async def scroll(self, over: str | None = None) -> None:
        pass

    async def click(self, selector: str, *, within_s: float = 0.0) -> bool:
        return False

    async def wall(self) -> None:
        return None

    async def close(self) -> None:
        pass


@dataclass
class Rig:
    tools: CrawlTools
    salt: AuthorSalt
    shelf: Shelf = field(default_factory=Shelf)
    fence: int = 0

    async def run(self, params: dict[str, Any], type_id: str = "search") -> Carried:
        self.fence += 1
        context = BareContext(crawl_task("xhs", type_id, params), Lease("t_1", "w", self.fence))
        return await carry_out(context, self.begin)

    def begin(self, context: BareContext) -> UnitCrawl:
        addresses, visit = Addresses(), cast("Visit", self.shelf)
        plan = plan_of(context.task.type, context.task.params, addresses, created_at=context.task.created_at)

        def work(privacy: Any) -> Work:
            mapper = Mapper("t_1", privacy=privacy, addresses=addresses)
            tools = self.tools
            return Work(context, plan, visit, mapper, addresses, PATIENCE, tools.clock, tools.items, media=None)

        reader = XhsReader(plan, visit, salt=self.salt, make_work=work)
        return UnitCrawl(context, self.tools, reader, manners=MANNERS, chance=random.Random(1))

    async def posts(self) -> dict[str, Item]:
        found = (await self.tools.items.list("t_1", limit=200)).items
        return {item.item_id: item for item in found if item.kind == "post"}


@pytest.fixture
def rig(crawl_gate: HttpGate, database: Database, clock: Clock, io_loop: tornado.ioloop.IOLoop) -> Rig:
    items, frontier = ItemStore(database), FrontierStore(database, clock=clock)
    io_loop.run_sync(items.ensure_indexes)
    io_loop.run_sync(frontier.ensure_indexes)
    return Rig(CrawlTools(crawl_gate, items, frontier, clock), AuthorSalt(database))


@pytest.mark.parametrize("details", [True, False])
async def test_note_that_two_keywords_find_is_one_note_and_counts_for_both(rig: Rig, details: bool) -> None:
    rig.shelf.pages = {"search a": searched("1", "2", "3"), "search b": searched("2", "4", "5")}

    await rig.run({"keywords": ["a", "b"], "limit": 2, "details": details})

    queries = {note_id: set(item.queries) for note_id, item in (await rig.posts()).items()}
    assert queries == {"1": {"a"}, "2": {"a", "b"}, "4": {"b"}}


async def test_results_are_looked_through_before_notes_are_opened(rig: Rig) -> None:
    rig.shelf.pages = {"search a": searched("1", "2"), "search b": searched("3")}

    await rig.run({"keywords": ["a", "b"], "limit": 5})

    assert rig.shelf.opened == ["search a", "note 1", "note 2", "search b", "note 3"]


async def test_note_that_cannot_be_opened_is_kept_as_its_card(rig: Rig) -> None:
    from backend.crawl.platforms.xhs.walls import NOTE_GONE

    rig.shelf.pages = {"search a": searched("1", "2")}
    rig.shelf.walls = {"note 1": NOTE_GONE}
    rig.shelf.notes = {"2": {"title": "whole"}}

    carried = await rig.run({"keywords": ["a"], "limit": 5})

    assert {note_id: item.title for note_id, item in (await rig.posts()).items()} == {"1": "card 1", "2": "whole"}
    assert carried.ending is not None
    assert carried.books is not None
    assert (carried.ending.status, carried.books.failed, carried.books.ok) == (TaskStatus.PARTIAL, 1, 2)


async def test_too_old_notes_make_room_for_others(rig: Rig) -> None:
    now = crawl_task("xhs", "search", {}).created_at
    days = {"1": 1, "2": 9, "3": 2, "4": 3}
    rig.shelf.pages = {"search a": searched(*days)}
    rig.shelf.notes = {
        note_id: {"time": int((now - timedelta(days=age)).timestamp() * 1000)} for note_id, age in days.items()
    }

    carried = await rig.run({"keywords": ["a"], "limit": 2, "published_within": "week"})

    assert set(await rig.posts()) == {"1", "3"}
    assert carried.books is not None
    assert (carried.books.skipped_by, carried.books.queued_left) == ({"scope": 1}, 1)


async def test_notes_of_another_type_are_passed_over(rig: Rig) -> None:
    feeds = [hit("1", type="normal"), hit("2", type="video"), hit("3")]
    rig.shelf.pages = {"search a": {"search": {"feeds": feeds, "has_more": False}}}

    await rig.run({"keywords": ["a"], "note_type": "video", "details": False})

    assert set(await rig.posts()) == {"2", "3"}


async def test_notes_of_a_creator_are_the_creators_where_none_is_named(rig: Rig) -> None:
    rig.shelf.pages = {
        "creator c": {"user": {"notes": [[hit("1"), hit("2"), hit("3")]], "note_queries": [{"has_more": False}]}}
    }
    url = "https://www.xiaohongshu.com/user/profile/c"

    first = await rig.run({"urls": [url], "limit": 2, "details": False}, "creator")
    again = await rig.run({"urls": [url], "limit": 2, "details": False}, "creator")

    assert set(await rig.posts()) == {"1", "2"}
    assert [one.books and one.books.stored for one in (first, again)] == [2, 2]


async def test_note_without_comments_is_not_asked_for_any(rig: Rig) -> None:
    rig.shelf.pages = {"search a": searched("1")}
    rig.shelf.notes = {"1": {"interact_info": {"comment_count": "0"}}}

    carried = await rig.run({"keywords": ["a"], "limit": 1, "comments": True})

    assert carried.books is not None
    assert (carried.books.requested, carried.books.reported_total) == (2, 1)
