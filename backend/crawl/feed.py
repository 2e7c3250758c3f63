"""A list that a page shows part by part: the first with the page itself, the others as a person goes on.

Parts are numbered from 1. They cannot be jumped to: after a restart, or when the page was lost, those before the
wanted one are passed over again.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from backend.crawl.browser import Captured
from backend.crawl.browsing import Visit
from backend.crawl.refusal import EMPTY_PAGE, NO_ANSWER, NOTHING_TO_PRESS, STOPPED_SHORT, Refusal


@dataclass(frozen=True, slots=True)
class Part:
    """One page of results. `has_more` is what the source says, None when it says nothing."""

    entries: tuple[Any, ...]
    ids: tuple[str, ...]
    has_more: bool | None
    source: str
    http_status: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A part, which of its ids no part before had, and whether it is the last: a part without new ids is."""

    part: Part
    new_ids: frozenset[str]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a page may take, in seconds, and how often it is asked to go on before it is taken to be at its end.

    `first_s`: for its first answer; `answer_s`: for one that it has asked for; `glance_s`: to begin asking.
    """

    first_s: float = 20.0
    answer_s: float = 20.0
    glance_s: float = 0.5
    steps: int = 12


class FeedSource(Protocol):
    """How one site shows one list."""

    @property
    def page(self) -> str:
        """The name of the page it is on (Visit.show)."""

    @property
    def starts_hidden(self) -> bool:
        """Whether the first part, too, only comes when asked to go on."""

    async def open(self) -> Refusal | None:
        """Show its page; return the wall in its place, or None."""

    def from_state(self) -> Part | None:
        """Return the first part as the page's server wrote it, None when it did not."""

    def belongs(self, answer: Captured) -> bool:
        """Whether an answer is of this list."""

    def is_first(self, answer: Captured) -> bool:
        """Whether an answer is the list's first part."""

    def read(self, answer: Captured) -> Part | Refusal:
        """Return what an answer holds."""

    async def go_on(self) -> bool:
        """Ask the page for more as a person does; False when there is nothing to ask with."""


class Feed:
    """One list of one task."""

    def __init__(self, source: FeedSource, visit: Visit, patience: Patience) -> None:
        self._source = source
        self._visit = visit
        self._patience = patience
        self._at = 0
        self._visited = -1
        self._was_in_state = False
        self._has_more: bool | None = None
        self._seen: set[str] = set()

    async def part(self, number: int) -> Shown | Refusal | None:
        """Return a part, what came instead, or None when the list ends before it."""
        self._lose_place()
        shown: Shown | None = None
        while self._at < number:
            found = await self._next()
            if isinstance(found, Refusal):
                # Reloading is how a person tries again.
                self._visit.forget()
            if not isinstance(found, Part):
                return found
            self._at += 1
            self._has_more = found.has_more
            new_ids = frozenset(found.ids) - self._seen
            self._seen |= new_ids
            shown = Shown(found, new_ids, is_last=found.has_more is False or not new_ids)
        return shown

    def _lose_place(self) -> None:
        if not self._visit.shows(self._source.page) or self._visited != self._visit.visits:
            self._at = 0

    async def _next(self) -> Part | Refusal | None:
        if self._at == 0:
            refusal = await self._source.open()
            if refusal is not None:
                return refusal
            self._visited = self._visit.visits
            found = self._source.from_state()
            self._was_in_state = found is not None
            if found is not None:
                return found
            if not self._source.starts_hidden:
                answer = await self._visit.answer(self._source.belongs, within_s=self._patience.first_s)
                return await self._nothing_came() if answer is None else self._source.read(answer)
        return await self._gone_on()

    async def _gone_on(self) -> Part | Refusal | None:
        # What the page fetched ahead is here already.
        answer = await self._another(within_s=0)
        for _ in range(self._patience.steps):
            if answer is not None:
                return self._source.read(answer)
            if not self._visit.is_asking:
                await self._visit.pause()
                if not await self._source.go_on():
                    return NOTHING_TO_PRESS if self._at == 0 else await self._nothing_came()
                answer = await self._another(within_s=self._patience.glance_s)
            if answer is None and self._visit.is_asking:
                answer = await self._another(within_s=self._patience.answer_s)
                if answer is None:
                    break
        return await self._nothing_came() if answer is None else self._source.read(answer)

    async def _another(self, *, within_s: float) -> Captured | None:
        answer = await self._visit.answer(self._source.belongs, within_s=within_s)
        if answer is not None and self._at == 1 and self._was_in_state and self._source.is_first(answer):
            # The page asks again for what its server had written into it.
            return await self._visit.answer(self._source.belongs, within_s=within_s)
        return answer

    async def _nothing_came(self) -> Refusal | None:
        """Say why: a wall, an answer that is still not there, a page without data, or the end of the list."""
        wall = await self._visit.wall()
        if wall is not None:
            return wall
        if self._visit.is_asking:
            return NO_ANSWER
        if self._at == 0:
            return EMPTY_PAGE
        # Where the source has promised more, a page that asks for nothing is no end of the list.
        return STOPPED_SHORT if self._has_more is True else None
