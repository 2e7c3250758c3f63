"""Reading what people say below notes: comments, and the replies to them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backend.crawl.feed import Feed, Part
from backend.crawl.platforms.xhs.links import NoteLink
from backend.crawl.platforms.xhs.lists import CommentList, NotePage, ReplyList
from backend.crawl.platforms.xhs.mapping import PLATFORM, FoundComment
from backend.crawl.platforms.xhs.plan import Group, comments_row, link_of, replies_row
from backend.crawl.platforms.xhs.work import Work
from backend.crawl.refusal import Refusal
from backend.crawl.unit import Reading
from backend.domain.item import Item
from backend.store.frontier import NewRow, Row


class TalkReader:
    """Turns pages of comments and of replies into items, never more for a note than its limit."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._note_id: str | None = None
        self._stored: set[str] = set()
        self._comments: Feed | None = None
        self._replies: dict[str, Feed] = {}

    async def read_comments(self, row: Row, group: Group, data: Mapping[str, Any]) -> Reading | Refusal:
        """Read one page of a note's comments."""
        link, number = link_of(data), int(data["part"])
        room = await self._room(link)
        if room <= 0:
            return Reading("skipped", reason="limit")
        shown = await self._feed(link).part(number)
        if isinstance(shown, Refusal):
            return shown
        if shown is None:
            return Reading("empty")
        found = self._found(shown.part, link)
        items = self._first_new(found, room)
        rows: list[NewRow] = []
        if len(items) < room:
            rows = [*self._replies_of(found, link, group, number)]
            if not shown.is_last:
                rows.append(comments_row(group, link, number + 1, self._work.addresses))
        return _reading(shown.part, bool(shown.new_ids), items, rows)

    async def read_replies(self, row: Row, group: Group, data: Mapping[str, Any]) -> Reading | Refusal:
        """Read one page of the replies below a comment."""
        link, number, root_id = link_of(data), int(data["part"]), str(data["root"])
        room = await self._room(link)
        if room <= 0:
            return Reading("skipped", reason="limit")
        # What is pressed for them stands below their comment, which has to be there first.
        reached = await self._feed(link).part(int(data["root_part"]))
        if isinstance(reached, Refusal):
            return reached
        shown = await self._reply_feed(link, root_id).part(number)
        if isinstance(shown, Refusal):
            return shown
        if shown is None:
            return Reading("empty")
        found = self._found(shown.part, link, root_id=root_id)
        items = self._first_new(found, room)
        rows: list[NewRow] = []
        if len(items) < room and not shown.is_last:
            root_part = int(data["root_part"])
            rows.append(replies_row(group, link, root_id, number + 1, self._work.addresses, root_part=root_part))
        return _reading(shown.part, bool(shown.new_ids), items, rows)

    def note_stored(self, items: Sequence[Item]) -> None:
        """Count comments that are stored."""
        self._stored |= {item.item_id for item in items if item.kind == "comment" and item.root_id == self._note_id}

    async def _room(self, link: NoteLink) -> int:
        """Return how many comments of this note may still be stored."""
        if self._note_id != link.note_id:
            task_id = self._work.context.task.task_id
            stored = await self._work.items.ids_of(task_id, PLATFORM, "comment", root_id=link.note_id)
            self._note_id, self._stored = link.note_id, set(stored)
            self._comments, self._replies = None, {}
        return self._work.plan.depth.comments_limit - len(self._stored)

    def _feed(self, link: NoteLink) -> Feed:
        if self._comments is None:
            source = CommentList(self._work.visit, self._work.clock, self._page(link))
            self._comments = Feed(source, self._work.visit, self._work.patience)
        return self._comments

    def _reply_feed(self, link: NoteLink, root_id: str) -> Feed:
        if root_id not in self._replies:
            source = ReplyList(self._work.visit, self._work.clock, self._page(link), root_id)
            self._replies[root_id] = Feed(source, self._work.visit, self._work.patience)
        return self._replies[root_id]

    def _page(self, link: NoteLink) -> NotePage:
        return NotePage(self._work.visit, self._work.clock, self._work.addresses, link)

    def _found(self, part: Part, link: NoteLink, *, root_id: str | None = None) -> list[FoundComment]:
        now = self._work.clock.now()
        made = (
            self._work.mapper.comment(one, link.note_id, now=now, source=part.source, root_id=root_id)
            for one in part.entries
        )
        return [one for one in made if one is not None]

    def _first_new(self, found: Sequence[FoundComment], room: int) -> tuple[Item, ...]:
        wanted: dict[str, Item] = {}
        for item in self._in_order(found):
            if item.item_id not in self._stored:
                wanted.setdefault(item.item_id, item)
        return tuple(wanted.values())[:room]

    def _in_order(self, found: Sequence[FoundComment]) -> Iterator[Item]:
        for one in found:
            yield one.item
            if self._work.plan.depth.replies:
                yield from self._in_order(one.replies)

    def _replies_of(self, found: Sequence[FoundComment], link: NoteLink, group: Group, part: int) -> Iterator[NewRow]:
        if self._work.plan.depth.replies:
            for one in found:
                if one.has_more_replies:
                    root_id = one.item.item_id
                    yield replies_row(group, link, root_id, 1, self._work.addresses, root_part=part)


def _reading(part: Part, has_new: bool, items: tuple[Item, ...], rows: Sequence[NewRow]) -> Reading:
    outcome = "ok" if has_new else "skipped" if part.ids else "empty"
    return Reading(
        outcome,
        items=items,
        found=tuple(rows),
        reason="duplicate" if outcome == "skipped" else None,
        http_status=part.http_status,
        size_bytes=part.size_bytes,
    )
