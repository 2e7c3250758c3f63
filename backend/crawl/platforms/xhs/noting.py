"""Reading notes: each on its own page."""

from collections.abc import Mapping
from typing import Any

from backend.crawl.platforms.xhs.links import NoteLink
from backend.crawl.platforms.xhs.listing import with_creator
from backend.crawl.platforms.xhs.lists import NotePage, read_captured
from backend.crawl.platforms.xhs.plan import Group, comments_row, link_of
from backend.crawl.platforms.xhs.walls import NOTE_GONE
from backend.crawl.platforms.xhs.work import Work
from backend.crawl.refusal import EMPTY_PAGE, NO_ANSWER, Refusal
from backend.crawl.source_record import Record
from backend.crawl.unit import Reading
from backend.domain.item import Item
from backend.store.frontier import Row
from backend.store.items import item_of


class NoteReader:
    """Turns a note's page into an item, and into the units of its comments."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def read(self, row: Row, group: Group, data: Mapping[str, Any]) -> Reading | Refusal:
        """Read one note."""
        work, link = self._work, link_of(data)
        page = NotePage(work.visit, work.clock, work.addresses, link)
        refusal = await page.open()
        if refusal is not None:
            return refusal
        source = "note:state"
        note = page.entry().inner("note")
        if not note:
            asked = await self._asked(page)
            if isinstance(asked, Refusal):
                return asked
            note, source = asked, "note"
        item = with_creator(
            work.mapper.post(note, link.note_id, now=work.clock.now(), source=source, queries=group.queries),
            *(group, work),
        )
        not_before = work.plan.not_before
        if not_before is not None and item.published_at is not None and item.published_at < not_before:
            return Reading("skipped", reason="scope")
        item = await work.with_media(item)
        return Reading("ok", items=(item,), found=self._talk(item, link, group), item_id=item.item_id)

    def instead(self, refusal: Refusal, data: Mapping[str, Any]) -> Reading:
        """Return what is kept of a note that cannot be read: what the list showed of it."""
        card = data.get("card")
        items: tuple[Item, ...] = () if card is None else (item_of({**card, "_id": ""}),)
        return Reading(refusal.outcome, items=items, refusal=refusal)

    async def _asked(self, page: NotePage) -> Record | Refusal:
        """Return the note as the page asked for it."""
        visit = self._work.visit
        answer = await visit.answer(page.belongs, within_s=self._work.patience.first_s)
        if answer is None:
            is_asking = visit.is_asking
            visit.forget()
            return await visit.wall() or (NO_ANSWER if is_asking else EMPTY_PAGE)
        data = read_captured(answer, self._work.clock)
        if isinstance(data, Refusal):
            visit.forget()
            return data
        first = next(data.each("items"), Record(None))
        return first.inner("note_card") or NOTE_GONE

    def _talk(self, item: Item, link: NoteLink, group: Group) -> tuple[Any, ...]:
        wants = self._work.plan.depth.comments and item.metrics.comment != 0
        return (comments_row(group, link, 1, self._work.addresses),) if wants else ()
