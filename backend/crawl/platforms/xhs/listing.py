"""Reading pages of results: of a keyword's search, of a creator's notes."""

from dataclasses import replace

from backend.crawl.feed import Feed, Shown
from backend.crawl.platforms.xhs.lists import PROFILE, CreatorList, SearchList, read_captured
from backend.crawl.platforms.xhs.mapping import Hit
from backend.crawl.platforms.xhs.plan import Group, list_row, note_row
from backend.crawl.platforms.xhs.work import Work
from backend.crawl.refusal import Refusal
from backend.crawl.source_record import Record
from backend.crawl.unit import Reading
from backend.domain.item import Item
from backend.store.frontier import NewRow, Row
from backend.store.task_documents import document_of

_MOST_A_PART = 1_000
_PROFILE_S = 3.0


class ListReader:
    """Turns pages of results into units for notes, or into notes where the list itself is enough."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._feeds: dict[int, Feed] = {}
        self._creators: dict[int, CreatorList] = {}

    async def read(self, row: Row, group: Group, part: int) -> Reading | Refusal:
        """Read one page of a group's results; what was passed over on the way to it counts for nothing."""
        shown = await self._feed(group).part(part)
        if isinstance(shown, Refusal):
            return shown
        creator = await self._creator(group) if part == 1 else ()
        if shown is None:
            return Reading("empty", items=creator)
        hits = [hit for hit in shown.part.entries if hit.link.note_id in shown.new_ids and self._is_wanted(hit)]
        items, found = await self._kept(group, hits, part, shown.part.source)
        if not shown.is_last:
            found = (*found, list_row(group, part + 1, self._work.addresses))
        outcome, reason = _outcome(shown)
        return Reading(
            outcome,
            items=(*creator, *items),
            found=found,
            reason=reason,
            http_status=shown.part.http_status,
            size_bytes=shown.part.size_bytes,
        )

    def _feed(self, group: Group) -> Feed:
        if group.index not in self._feeds:
            work = self._work
            if group.creator is not None:
                made = CreatorList(work.visit, work.clock, work.addresses, group.creator)
                self._creators[group.index] = made
                self._feeds[group.index] = Feed(made, work.visit, work.patience)
            else:
                search = SearchList(
                    *(work.visit, work.clock, work.addresses, group.keyword or ""),
                    choices=work.plan.choices,
                    within_s=work.patience.first_s,
                )
                self._feeds[group.index] = Feed(search, work.visit, work.patience)
        return self._feeds[group.index]

    async def _creator(self, group: Group) -> tuple[Item, ...]:
        """Return the creator whose page is shown, from its state or from the page's own request."""
        if group.creator is None:
            return ()
        work, source = self._work, "creator:state"
        page = self._creators[group.index].profile()
        if not page:
            answer = await work.visit.answer(
                lambda one: one.method == PROFILE.method and one.path.endswith(PROFILE.path_suffix), within_s=_PROFILE_S
            )
            data = None if answer is None else read_captured(answer, work.clock)
            page, source = data if isinstance(data, Record) else Record(None), "creator"
        if not page:
            return ()
        return (work.mapper.creator(page, group.creator.creator_id, now=work.clock.now(), source=source),)

    def _is_wanted(self, hit: Hit) -> bool:
        kind = hit.card.text("type", limit=40)
        return self._work.plan.kind is None or kind is None or kind == self._work.plan.kind

    async def _kept(
        self, group: Group, hits: list[Hit], part: int, source: str
    ) -> tuple[tuple[Item, ...], tuple[NewRow, ...]]:
        """Return the items to store now and the units to follow: the first of the page, never beyond the limit."""
        room = self._room(group)
        items: list[Item] = []
        rows: list[NewRow] = []
        for place, hit in enumerate(hits):
            if hit.link.note_id in group.stored:
                continue
            if room <= 0:
                break
            room -= 1
            item = self._item(group, hit, source)
            if hit.link.note_id in self._work.posts:
                # Another keyword's: it is stored already, and learns that this one found it too.
                items.append(item)
            elif self._work.plan.depth.opens_notes:
                rows.append(self._note(group, hit, item, part * _MOST_A_PART + place))
            else:
                items.append(await self._work.with_media(item))
        return tuple(items), tuple(rows)

    def _room(self, group: Group) -> int:
        if self._work.plan.not_before is not None:
            # How many of them are new enough is only seen on their pages.
            return _MOST_A_PART
        return group.room - self._work.queued.get(group.lane("notes"), 0)

    def _note(self, group: Group, hit: Hit, item: Item, place: int) -> NewRow:
        # A card has no date: whether it is new enough nobody can say.
        card = document_of(item) if self._work.plan.not_before is None else None
        return note_row(group, hit.link, place, self._work.addresses, card=card)

    def _item(self, group: Group, hit: Hit, source: str) -> Item:
        work = self._work
        item = work.mapper.post(hit.card, hit.link.note_id, now=work.clock.now(), source=source, queries=group.queries)
        return with_creator(item, group, work)


def with_creator(item: Item, group: Group, work: Work) -> Item:
    """Return a note with its author: on a creator's page all are the creator's, also where none is named."""
    if item.author is not None or group.creator is None:
        return item
    return replace(item, author=work.mapper.author(group.creator.creator_id))


def _outcome(shown: Shown) -> tuple[str, str | None]:
    if not shown.part.ids:
        return "empty", None
    return ("ok", None) if shown.new_ids else ("skipped", "duplicate")
