"""What one task asks of the site, and the units its work is cut into.

A task has one group for each keyword, each creator, or all links. Each group has three lanes in the frontier: `list`
(pages of results), `notes` (notes to be opened) and `talk` (pages of comments and replies).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from backend.crawl.platforms.xhs.links import Addresses, CreatorLink, NoteLink, creator_link, note_link
from backend.crawl.platforms.xhs.lists import Choices
from backend.crawl.platforms.xhs.params import AGES, CreatorParams, DetailParams, SearchParams
from backend.store.frontier import NewRow

_COMMENTS = 80
_REPLIES = 70
_NOTE_TYPES = {"video": "video", "image": "normal"}


@dataclass(frozen=True, slots=True)
class Depth:
    """How much of each note is read. `opens_notes`: each note's own page is looked at; `media`: none | images | all."""

    opens_notes: bool
    comments: bool
    comments_limit: int
    replies: bool
    media: str
    is_full: bool


@dataclass(slots=True)
class Group:
    """One keyword, one creator, or all links of a task; `stored` are the ids of its notes that are stored."""

    index: int
    limit: int | None = None
    keyword: str | None = None
    creator: CreatorLink | None = None
    stored: set[str] = field(default_factory=set)

    def lane(self, name: str) -> str:
        """Return the lane of this group: list, notes or talk."""
        return f"{self.index}:{name}"

    @property
    def room(self) -> int:
        """How many notes may still be stored."""
        return 1_000_000 if self.limit is None else self.limit - len(self.stored)

    @property
    def queries(self) -> tuple[str, ...]:
        """The keywords that found its notes."""
        return () if self.keyword is None else (self.keyword,)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one task asks for. `not_before`: older notes are left out; `kind`: only notes of this type of the site."""

    groups: tuple[Group, ...]
    starts: tuple[NewRow, ...]
    depth: Depth
    choices: Choices = field(default_factory=Choices)
    not_before: datetime | None = None

    @property
    def kind(self) -> str | None:
        """The site's own word for the type of notes that is wanted; None for all."""
        return _NOTE_TYPES.get(self.choices.note_type)

    def group_of(self, lane: str) -> Group:
        """Return the group that a lane belongs to."""
        return self.groups[int(lane.partition(":")[0])]


def plan_of(type_id: str, raw: Mapping[str, Any], addresses: Addresses, *, created_at: datetime) -> Plan:
    """Return what the parameters ask for; ages count back from `created_at`. Raises pydantic.ValidationError."""
    if type_id == "detail":
        return _of_links(DetailParams.model_validate(raw), addresses)
    if type_id == "creator":
        return _of_creators(CreatorParams.model_validate(raw), addresses)
    return _of_keywords(SearchParams.model_validate(raw), addresses, created_at)


def list_row(group: Group, part: int, addresses: Addresses) -> NewRow:
    """Return the unit of one page of a group's results, numbered from 1."""
    if group.creator is not None:
        url, name = addresses.shown_creator(group.creator.creator_id), f"creator:{group.creator.creator_id}"
    else:
        url, name = addresses.search(group.keyword or ""), f"search:{group.keyword}"
    # Those of one page come before the next page's.
    return NewRow(
        f"{name}:{part}", _numbered(url, "page", part), group.lane("list"), 0, -part, {"unit": "list", "part": part}
    )


def note_row(
    group: Group, link: NoteLink, place: int, addresses: Addresses, *, card: Mapping[str, Any] | None = None
) -> NewRow:
    """Return the unit of one note; `place` is its place in the results, `card` the item that the list alone gives."""
    data = {"unit": "note", "note": link.note_id, "token": link.token, "from": link.token_source, "card": card}
    return NewRow(
        f"note:{link.note_id}",
        addresses.shown_note(link.note_id),
        group.lane("notes"),
        1,
        -place,
        data,
    )


def comments_row(group: Group, link: NoteLink, part: int, addresses: Addresses) -> NewRow:
    """Return the unit of one page of a note's comments, numbered from 1."""
    data = {"unit": "comments", "note": link.note_id, "token": link.token, "from": link.token_source, "part": part}
    url = _numbered(addresses.shown_note(link.note_id), "comments", part)
    return NewRow(f"comments:{link.note_id}:{part}", url, group.lane("talk"), 2, _COMMENTS, data)


def replies_row(
    group: Group, link: NoteLink, root_id: str, part: int, addresses: Addresses, *, root_part: int
) -> NewRow:
    """Return the unit of one page of replies; `root_part` is the page of comments that has their comment."""
    data = {"unit": "replies", "note": link.note_id, "token": link.token, "from": link.token_source, "part": part}
    url = _numbered(addresses.shown_note(link.note_id), f"replies-{root_id}", part)
    more = {"root": root_id, "root_part": root_part}
    return NewRow(f"replies:{root_id}:{part}", url, group.lane("talk"), 3, _REPLIES, data | more)


def link_of(data: Mapping[str, Any]) -> NoteLink:
    """Return the note that a unit is about."""
    return NoteLink(data["note"], data["token"], data["from"])


def _of_keywords(params: SearchParams, addresses: Addresses, created_at: datetime) -> Plan:
    keywords = dict.fromkeys(params.keywords)
    groups = tuple(Group(index, params.limit, keyword) for index, keyword in enumerate(keywords))
    age: timedelta | None = AGES.get(params.published_within)
    return Plan(
        groups,
        tuple(list_row(group, 1, addresses) for group in groups),
        _depth(params, opens=params.details or age is not None),
        choices=Choices(params.sort, params.note_type, params.published_within),
        not_before=None if age is None else created_at - age,
    )


def _of_links(params: DetailParams, addresses: Addresses) -> Plan:
    group = Group(0)
    links = [link for url in params.urls if (link := note_link(url)) is not None]
    unique = {link.note_id: link for link in reversed(links)}
    rows = [note_row(group, link, place, addresses) for place, link in enumerate(reversed(unique.values()))]
    return Plan((group,), tuple(rows), _depth(params, opens=True))


def _of_creators(params: CreatorParams, addresses: Addresses) -> Plan:
    links = {link.creator_id: link for url in params.urls if (link := creator_link(url)) is not None}
    groups = tuple(Group(index, params.limit, creator=link) for index, link in enumerate(links.values()))
    starts = tuple(list_row(group, 1, addresses) for group in groups)
    return Plan(groups, starts, _depth(params, opens=params.details))


def _depth(params: SearchParams | DetailParams | CreatorParams, *, opens: bool) -> Depth:
    return Depth(
        opens_notes=opens or params.comments,
        comments=params.comments,
        comments_limit=params.comments_limit,
        replies=params.comments and params.replies,
        media=params.media,
        is_full=params.profile == "full",
    )


def _numbered(url: str, what: str, part: int) -> str:
    return url if part == 1 and what == "page" else f"{url}#{what}-{part}"
