"""The lists of the site as its pages show them: a search, a creator's notes, a note's comments, a comment's replies.

Which answers a page asks for, and where its state holds the first part: as of 2026-11-21, not checked on the live site.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backend.core.clock import Clock
from backend.crawl.browser import Captured, Listen
from backend.crawl.browsing import Visit
from backend.crawl.feed import Part
from backend.crawl.fetch import retry_after_s
from backend.crawl.platforms.xhs.links import Addresses, CreatorLink, NoteLink
from backend.crawl.platforms.xhs.mapping import Hit, hits_of
from backend.crawl.platforms.xhs.walls import read_answer
from backend.crawl.refusal import NO_ANSWER, Refusal
from backend.crawl.source_record import Record
from backend.domain.text import Text

SEARCH = Listen("POST", "/search/notes")
NOTE = Listen("POST", "/feed")
COMMENTS = Listen("GET", "/comment/page")
REPLIES = Listen("GET", "/comment/sub/page")
POSTED = Listen("GET", "/user_posted")
PROFILE = Listen("GET", "/user/otherinfo")
LISTEN = (SEARCH, NOTE, COMMENTS, REPLIES, POSTED, PROFILE)

_SCROLLED = ".note-scroller"
# Moved into sight, and on a slow machine not at once.
_OPENS_WITHIN_S = 4.0
# A press can miss a panel that still moves: then the page asks for nothing, and a person presses again.
_ASKS_WITHIN_S = 4.0
_PRESSES = 3
_FILTERS = (".filter", ".filter-box", ".search-layout__top .filter")
# The words on the page's own choices, the first that is there is pressed.
_SORTS = {"popularity_descending": ("最多点赞", "最热"), "time_descending": ("最新",)}
_NOTE_TYPES = {"video": ("视频",), "image": ("图文",)}
_AGES = {"day": ("一天内",), "week": ("一周内",), "half_year": ("半年内",)}
_NO_FILTER = Refusal(
    "PARSE_FAILED",
    Text("搜索页上找不到排序的选项，可能已改版", "The search page has no choice of order; it may have changed"),
    Text("改用综合排序，或升级到最新版本", "Use the general order, or upgrade to the latest version"),
    outcome="failed",
)


class _Source:
    """What all lists of the site have in common."""

    listen: Listen
    starts_hidden = False

    def __init__(self, visit: Visit, clock: Clock) -> None:
        self._visit = visit
        self._clock = clock

    def _is_mine(self, answer: Captured) -> bool:
        return answer.method == self.listen.method and answer.path.endswith(self.listen.path_suffix)

    def read_data(self, answer: Captured) -> Record | Refusal:
        """Return the data of an answer, or what it is instead."""
        return read_captured(answer, self._clock)

    async def go_on(self) -> bool:
        """Scroll."""
        await self._visit.scroll()
        return True


@dataclass(frozen=True, slots=True)
class Choices:
    """What is chosen on the search page, in the words of the task's parameters."""

    sort: str = "general"
    note_type: str = "all"
    published_within: str = "any"


class SearchList(_Source):
    """The notes that a keyword finds.

    Order, type and age are chosen as a person chooses them, on the page; each choice makes the page search again.
    """

    listen = SEARCH

    def __init__(
        self, visit: Visit, clock: Clock, addresses: Addresses, keyword: str, *, choices: Choices, within_s: float
    ) -> None:
        """`within_s`: how long the answer to a choice may take."""
        super().__init__(visit, clock)
        self._keyword = keyword
        self._choices = choices
        self._within_s = within_s
        self._url = addresses.search(keyword)
        self._chosen: Part | None = None
        self.page = f"search {keyword}"

    async def open(self) -> Refusal | None:
        """Show the page that searches for the keyword, and choose on it."""
        self._chosen = None
        refusal = await self._visit.show(self._url, page=self.page)
        if refusal is not None:
            return refusal
        for words, is_needed in self._presses():
            found = await self._choose(words)
            if isinstance(found, Refusal):
                return found
            if found is None and is_needed:
                return await self._visit.wall() or _NO_FILTER
            self._chosen = found or self._chosen
        return None

    def from_state(self) -> Part | None:
        """Return the hits that the last choice brought; without any, those that the server wrote into the page."""
        if self._chosen is not None:
            return self._chosen
        found = self._visit.state.inner("search")
        hits = [hit for name in ("feeds", "notes", "items") for hit in hits_of(found.raw(name))]
        has_more = found.flag("has_more")
        # Nothing, and no more to come, is what the site says of a keyword without results.
        return _part(hits, has_more, "search:state") if hits or has_more is False else None

    def belongs(self, answer: Captured) -> bool:
        """Whether it is an answer to this search."""
        return self._is_mine(answer) and _asked(answer).get("keyword") in {None, self._keyword}

    def is_first(self, answer: Captured) -> bool:
        """Whether it is the first page of results."""
        return str(_asked(answer).get("page")) == "1"

    def read(self, answer: Captured) -> Part | Refusal:
        """Return the hits of an answer."""
        data = self.read_data(answer)
        if isinstance(data, Refusal):
            return data
        return _part(list(hits_of(data.raw("items", "notes"))), data.flag("has_more"), "search", answer)

    def _presses(self) -> Iterator[tuple[tuple[str, ...], bool]]:
        """Yield the words of each choice, and whether the task cannot do without: type and age are checked here too."""
        chosen = self._choices
        for words, is_needed in (
            (_SORTS.get(chosen.sort), True),
            (_NOTE_TYPES.get(chosen.note_type), False),
            (_AGES.get(chosen.published_within), False),
        ):
            if words is not None:
                yield words, is_needed

    async def _choose(self, words: tuple[str, ...]) -> Part | Refusal | None:
        """Press a choice and return what the page then finds; None when there is no such choice."""
        # The answer to an earlier search must not be taken for this one's.
        while await self._visit.answer(self.belongs, within_s=0) is not None:
            pass
        for word in words:
            for _ in range(_PRESSES):
                if not await self._pressed(f'.filter-panel .tags:has-text("{word}")'):
                    break
                answer = await self._answered()
                if answer is not None:
                    return self.read(answer)
                if self._visit.is_asking:
                    return await self._visit.wall() or NO_ANSWER
            else:
                return await self._visit.wall()
        return None

    async def _answered(self) -> Captured | None:
        """Return the answer to a press; a press that makes the page ask for nothing is not waited for long."""
        glance_s = min(_ASKS_WITHIN_S, self._within_s)
        answer = await self._visit.answer(self.belongs, within_s=glance_s)
        if answer is None and self._visit.is_asking:
            answer = await self._visit.answer(self.belongs, within_s=self._within_s - glance_s)
        return answer

    async def _pressed(self, selector: str) -> bool:
        await self._visit.pause()
        if await self._visit.click(selector):
            return True
        # The panel opens under the mouse.
        for opener in _FILTERS:
            if await self._visit.click(opener):
                break
        else:
            # The page's own script may not have come to it yet.
            if not await self._visit.click(_FILTERS[0], within_s=_OPENS_WITHIN_S):
                return False
        return await self._visit.click(selector, within_s=_OPENS_WITHIN_S)


class CreatorList(_Source):
    """The notes of a creator."""

    listen = POSTED

    def __init__(self, visit: Visit, clock: Clock, addresses: Addresses, link: CreatorLink) -> None:
        super().__init__(visit, clock)
        self._creator_id = link.creator_id
        self._url = addresses.creator(link)
        self.page = f"creator {link.creator_id}"

    async def open(self) -> Refusal | None:
        """Show the creator's page."""
        return await self._visit.show(self._url, page=self.page)

    def from_state(self) -> Part | None:
        """Return the notes that the server wrote into the page."""
        user = self._visit.state.inner("user")
        hits = list(hits_of(user.raw("notes")))
        has_more = next(user.each("note_queries"), Record(None)).flag("has_more")
        return _part(hits, has_more, "creator:state") if hits or has_more is False else None

    def profile(self) -> Record:
        """Return what the server wrote into the page about the creator; empty when it did not."""
        return self._visit.state.inner("user").inner("user_page_data")

    def belongs(self, answer: Captured) -> bool:
        """Whether it is an answer for this creator's notes."""
        return self._is_mine(answer) and _query(answer).get("user_id") in {None, self._creator_id}

    def is_first(self, answer: Captured) -> bool:
        """Whether it is the first page of notes."""
        return not _query(answer).get("cursor")

    def read(self, answer: Captured) -> Part | Refusal:
        """Return the notes of an answer."""
        data = self.read_data(answer)
        if isinstance(data, Refusal):
            return data
        return _part(list(hits_of(data.raw("notes", "items"))), data.flag("has_more"), "creator", answer)


class NotePage(_Source):
    """A note's page: the note itself."""

    listen = NOTE

    def __init__(self, visit: Visit, clock: Clock, addresses: Addresses, link: NoteLink) -> None:
        super().__init__(visit, clock)
        self.note_id = link.note_id
        self._url = addresses.note(link)
        self.page = f"note {link.note_id}"

    async def open(self) -> Refusal | None:
        """Show the note's page."""
        return await self._visit.show(self._url, page=self.page)

    def entry(self) -> Record:
        """Return what the server wrote into the page about this note: `note` and `comments`; empty when nothing."""
        for one in self._visit.state.inner("note").each("note_detail_map"):
            if one.inner("note").id("note_id", "id") == self.note_id:
                return one
        return Record(None)

    def belongs(self, answer: Captured) -> bool:
        """Whether it is the answer for this note."""
        return self._is_mine(answer) and _asked(answer).get("source_note_id") in {None, self.note_id}


class CommentList(_Source):
    """The comments of a note."""

    listen = COMMENTS

    def __init__(self, visit: Visit, clock: Clock, note: NotePage) -> None:
        super().__init__(visit, clock)
        self._note = note
        self.page = note.page

    async def open(self) -> Refusal | None:
        """Show the note's page."""
        return await self._note.open()

    def from_state(self) -> Part | None:
        """Return the comments that the server wrote into the page."""
        comments = self._note.entry().inner("comments")
        found = list(comments.each("list"))
        has_more = comments.flag("has_more")
        return _comments(found, has_more, "comments:state") if found or has_more is False else None

    def belongs(self, answer: Captured) -> bool:
        """Whether it is an answer for this note's comments."""
        return self._is_mine(answer) and _query(answer).get("note_id") in {None, self._note.note_id}

    def is_first(self, answer: Captured) -> bool:
        """Whether it is the first page of comments."""
        return not _query(answer).get("cursor")

    def read(self, answer: Captured) -> Part | Refusal:
        """Return the comments of an answer."""
        data = self.read_data(answer)
        if isinstance(data, Refusal):
            return data
        return _comments(list(data.each("comments")), data.flag("has_more"), "comments", answer)

    async def go_on(self) -> bool:
        """Scroll the comments, which may have a scroll bar of their own."""
        await self._visit.scroll(over=_SCROLLED)
        return True


class ReplyList(_Source):
    """The replies below a comment, as far as they did not come along with it."""

    listen = REPLIES
    starts_hidden = True

    def __init__(self, visit: Visit, clock: Clock, note: NotePage, root_id: str) -> None:
        super().__init__(visit, clock)
        self._note = note
        self._root_id = root_id
        self.page = note.page

    async def open(self) -> Refusal | None:
        """Show the note's page."""
        return await self._note.open()

    def from_state(self) -> Part | None:
        """Return None: the server writes no more replies than come along with their comment."""
        return None

    def belongs(self, answer: Captured) -> bool:
        """Whether it is an answer for the replies below this comment."""
        return self._is_mine(answer) and _query(answer).get("root_comment_id") in {None, self._root_id}

    def is_first(self, answer: Captured) -> bool:
        """Return False: no part of it is in the state."""
        del answer
        return False

    def read(self, answer: Captured) -> Part | Refusal:
        """Return the replies of an answer."""
        data = self.read_data(answer)
        if isinstance(data, Refusal):
            return data
        return _comments(list(data.each("comments")), data.flag("has_more"), "replies", answer)

    async def go_on(self) -> bool:
        """Press what opens more replies below the comment; False when there is nothing to press."""
        quoted = json.dumps(f"comment-{self._root_id}")
        for selector in (f".parent-comment:has([id={quoted}]) .show-more", f"[id={quoted}] .show-more"):
            if await self._visit.click(selector):
                return True
        return False


def read_captured(answer: Captured, clock: Clock) -> Record | Refusal:
    """Return the data of an answer that a page got, or what it is instead."""
    return read_answer(
        answer.status,
        answer.body,
        retry_after_s=retry_after_s(answer.headers.get("retry-after"), now=clock.now()),
        asks_to_verify="verifytype" in answer.headers,
    )


def _part(hits: list[Hit], has_more: bool | None, source: str, answer: Captured | None = None) -> Part:
    unique = {hit.link.note_id: hit for hit in hits}
    return Part(
        tuple(unique.values()),
        tuple(unique),
        has_more,
        source,
        http_status=None if answer is None else answer.status,
        size_bytes=None if answer is None else len(answer.body),
    )


def _comments(found: list[Record], has_more: bool | None, source: str, answer: Captured | None = None) -> Part:
    unique = {comment_id: one for one in found if (comment_id := one.id("id", "comment_id")) is not None}
    return Part(
        tuple(unique.values()),
        tuple(unique),
        has_more,
        source,
        http_status=None if answer is None else answer.status,
        size_bytes=None if answer is None else len(answer.body),
    )


def _query(answer: Captured) -> Mapping[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.url).query).items()}


def _asked(answer: Captured) -> Mapping[str, Any]:
    """Return what the page's own request said, as far as it is JSON."""
    try:
        value = json.loads(answer.request_body or "null")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
