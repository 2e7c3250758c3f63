"""Reads the units of one task on the site's pages, and says which comes next."""

from collections.abc import Callable, Mapping, Sequence

from backend.crawl.browsing import Visit, with_walls_solved
from backend.crawl.platforms.xhs.listing import ListReader
from backend.crawl.platforms.xhs.mapping import PLATFORM
from backend.crawl.platforms.xhs.noting import NoteReader
from backend.crawl.platforms.xhs.plan import Group, Plan
from backend.crawl.platforms.xhs.talk import TalkReader
from backend.crawl.platforms.xhs.work import Work
from backend.crawl.privacy import Privacy
from backend.crawl.refusal import Refusal
from backend.crawl.unit import Reading
from backend.store.author_salt import AuthorSalt
from backend.store.frontier import NewRow, Row
from backend.store.items import ItemStore


class XhsReader:
    """The reader of one attempt (crawl/unit.py: UnitReader)."""

    def __init__(self, plan: Plan, visit: Visit, *, salt: AuthorSalt, make_work: Callable[[Privacy], Work]) -> None:
        """`salt` is reached; `make_work` makes what the readers share, once the salt is known."""
        self._plan = plan
        self._visit = visit
        self._salt = salt
        self._make_work = make_work
        self._readers: _Readers | None = None

    def starts(self) -> Sequence[NewRow]:
        """Return the first page of each group, or the notes themselves."""
        return self._plan.starts

    async def load(self) -> None:
        """Take over the notes that are stored already, by the keyword or creator they were found by."""
        privacy = Privacy(await self._salt.salt(), is_full=self._plan.depth.is_full)
        work = self._make_work(privacy)
        task_id = work.context.task.task_id
        work.posts |= await work.items.ids_of(task_id, PLATFORM, "post")
        for group in self._plan.groups:
            author = None if group.creator is None else privacy.hashed(PLATFORM, group.creator.creator_id)
            group.stored |= await work.items.ids_of(task_id, PLATFORM, "post", query=group.keyword, author=author)
        self._readers = _Readers(work)

    def next_lane(self, queued: Mapping[str, int]) -> str | None:
        """Return comments first, then results as long as they are wanted, then notes; group after group."""
        self._loaded.work.queued = queued
        for group in self._plan.groups:
            lane = self._lane_of(group, queued)
            if lane is not None:
                return lane
        return None

    async def read(self, row: Row) -> Reading:
        """Read one unit, having walls solved on the way."""
        readers, data = self._loaded, row.data or {}
        group = self._plan.group_of(row.origin)

        async def once() -> Reading | Refusal:
            unit = data.get("unit")
            if unit == "list":
                return await readers.lists.read(row, group, int(data["part"]))
            if unit == "note":
                return await readers.notes.read(row, group, data)
            if unit == "comments":
                return await readers.talk.read_comments(row, group, data)
            return await readers.talk.read_replies(row, group, data)

        found = await with_walls_solved(self._visit, once)
        return readers.notes.instead(found, data) if isinstance(found, Refusal) else found

    def note_stored(self, row: Row, reading: Reading) -> None:
        """Count the notes and comments that are stored now."""
        posts = {item.item_id for item in reading.items if item.kind == "post"}
        self._loaded.work.posts |= posts
        self._plan.group_of(row.origin).stored |= posts
        self._loaded.talk.note_stored(reading.items)

    def expected(self) -> int | None:
        """Return the sum of the limits, when no comments come on top."""
        if self._plan.depth.comments:
            return None
        limits = [group.limit for group in self._plan.groups]
        return len(self._plan.starts) if None in limits else sum(limit or 0 for limit in limits)

    async def reported_total(self, items: ItemStore) -> int | None:
        """Return how many notes and comments there are by the site's own counts; it counts no notes of a search."""
        if not self._plan.depth.comments or self._readers is None:
            return None
        return await items.reported_with_comments(self._readers.work.context.task.task_id)

    async def reset(self) -> None:
        """Leave the tab that failed."""
        await self._visit.close()

    async def close(self) -> None:
        """Close the tab."""
        await self._visit.close()

    @property
    def _loaded(self) -> "_Readers":
        if self._readers is None:
            raise RuntimeError("load() comes first")
        return self._readers

    def _lane_of(self, group: Group, queued: Mapping[str, int]) -> str | None:
        if queued.get(group.lane("talk")):
            return group.lane("talk")
        if group.room <= 0:
            return None
        notes, lists = queued.get(group.lane("notes"), 0), queued.get(group.lane("list"), 0)
        # Where dates decide, a page's notes are looked at before the next page is asked for.
        enough = 1 if self._plan.not_before is not None else group.room
        if lists and notes < enough:
            return group.lane("list")
        return group.lane("notes") if notes else None


class _Readers:
    def __init__(self, work: Work) -> None:
        self.work = work
        self.lists = ListReader(work)
        self.notes = NoteReader(work)
        self.talk = TalkReader(work)
