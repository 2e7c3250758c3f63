"""A list that is shown part by part, on a page that a test scripts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from backend.crawl.browser import Captured
from backend.crawl.feed import Feed, Part, Patience, Shown
from backend.crawl.refusal import EMPTY_ANSWER, Refusal, refusal_of_status
from backend.domain.challenge import ChallengeKind
from backend.domain.text import Text

if TYPE_CHECKING:
    from backend.crawl.browsing import Visit

PATIENCE = Patience(first_s=1, answer_s=1, glance_s=1, steps=3)
WALL = Refusal("NEEDS_LOGIN", Text("登录", "log in"), needs=ChallengeKind.LOGIN)


def part(first: int, count: int = 3, *, has_more: bool | None = True) -> Part:
    ids = tuple(str(one) for one in range(first, first + count))
    return Part(ids, ids, has_more, "x")


@dataclass
class Page:
    """Stands for the visit and the source: `parts` are what the page gets, one for each going on; None: nothing."""

    parts: Sequence[Part | Refusal | None]
    in_state: Part | None = None
    repeats_first: bool = False
    is_wall: bool = False
    is_asking: bool = False
    can_go_on: bool = True
    starts_hidden: bool = False
    page: str = "list"
    shown: str | None = None
    visits: int = 0
    steps: int = 0
    queue: list[Part | Refusal] = field(default_factory=list)
    at: int = 0

    # the visit

    def shows(self, page: str) -> bool:
        return self.shown == page

    def forget(self) -> None:
        self.shown = None

    async def pause(self) -> None:
        pass

    async def wall(self) -> Refusal | None:
        return WALL if self.is_wall else None

    async def answer(self, belongs: Any, *, within_s: float) -> Captured | None:
        if not self.queue:
            return None
        return cast("Captured", self.queue.pop(0))

    # the source

    async def open(self) -> Refusal | None:
        self.shown, self.visits, self.at, self.queue = self.page, self.visits + 1, 0, []
        if self.in_state is None:
            await self.go_on()
        elif self.repeats_first:
            self.queue.append(self.in_state)
        return None

    def from_state(self) -> Part | None:
        return self.in_state

    def belongs(self, answer: Captured) -> bool:
        return True

    def is_first(self, answer: Captured) -> bool:
        return cast("Any", answer) is self.in_state

    def read(self, answer: Captured) -> Part | Refusal:
        return cast("Part | Refusal", answer)

    async def go_on(self) -> bool:
        self.steps += 1
        if self.can_go_on and self.at < len(self.parts):
            found = self.parts[self.at]
            self.at += 1
            if found is not None:
                self.queue.append(found)
        return self.can_go_on


def feed(page: Page) -> Feed:
    return Feed(page, cast("Visit", page), PATIENCE)


async def ids(made: Feed, number: int) -> list[str]:
    shown = await made.part(number)
    assert isinstance(shown, Shown)
    return sorted(shown.new_ids)


async def test_parts_come_one_after_the_other() -> None:
    made = feed(Page([part(0), part(3), part(6, has_more=False)]))

    first, last = await made.part(1), None
    assert await ids(made, 2) == ["3", "4", "5"]
    last = await made.part(3)

    assert isinstance(first, Shown)
    assert isinstance(last, Shown)
    assert (first.is_last, last.is_last) == (False, True)


async def test_first_part_may_be_in_the_state_and_asked_for_again() -> None:
    page = Page([part(3)], in_state=part(0), repeats_first=True)
    made = feed(page)

    assert await ids(made, 1) == ["0", "1", "2"]
    assert await ids(made, 2) == ["3", "4", "5"]


async def test_part_without_new_ids_is_the_last_whatever_is_promised() -> None:
    made = feed(Page([part(0), part(1, 2)]))
    await made.part(1)

    shown = await made.part(2)

    assert isinstance(shown, Shown)
    assert (shown.is_last, shown.new_ids) == (True, frozenset())


async def test_parts_before_the_wanted_one_are_passed_over() -> None:
    assert await ids(feed(Page([part(0), part(3), part(5, 4)])), 3) == ["6", "7", "8"]


async def test_page_that_was_left_is_shown_again_up_to_the_place() -> None:
    page = Page([part(0), part(3), part(6)])
    made = feed(page)
    await made.part(2)
    page.shown = "another"

    assert await ids(made, 3) == ["6", "7", "8"]
    assert page.visits == 2


async def test_refusal_has_the_page_loaded_again() -> None:
    page = Page([part(0), refusal_of_status(503), part(3)])
    made = feed(page)
    await made.part(1)

    refused = await made.part(2)
    page.parts = [part(0), part(3)]

    assert isinstance(refused, Refusal)
    assert await ids(made, 2) == ["3", "4", "5"]
    assert page.visits == 2


async def test_page_without_data_is_blocked_and_no_end() -> None:
    found = await feed(Page([None])).part(1)

    assert isinstance(found, Refusal)
    assert found.error == EMPTY_ANSWER.error == "BLOCKED"


async def test_wall_in_the_place_of_data_is_named() -> None:
    assert await feed(Page([None], is_wall=True)).part(1) is WALL


async def test_answer_that_does_not_come_is_no_end() -> None:
    page = Page([part(0)])
    made = feed(page)
    await made.part(1)
    page.is_asking = True

    found = await made.part(2)

    assert isinstance(found, Refusal)
    assert (found.error, found.may_pass) == ("NO_ANSWER", True)


async def test_page_is_asked_to_go_on_until_it_asks() -> None:
    page = Page([part(0), None, None, part(3)])
    made = feed(page)
    await made.part(1)

    assert await ids(made, 2) == ["3", "4", "5"]
    assert page.steps == 4


async def test_list_that_stops_although_more_was_promised_has_not_ended() -> None:
    made = feed(Page([part(0)]))
    await made.part(1)

    for _ in range(2):
        found = await made.part(2)
        assert isinstance(found, Refusal)
        assert (found.error, found.may_pass) == ("NO_ANSWER", True)


@pytest.mark.parametrize("has_more", [False, None])
async def test_list_that_promises_nothing_ends(has_more: bool | None) -> None:
    made = feed(Page([part(0, has_more=has_more)]))
    await made.part(1)

    assert await made.part(2) is None


async def test_hidden_list_without_anything_to_press_has_changed() -> None:
    page = Page([], can_go_on=False, starts_hidden=True)

    found = await feed(page).part(1)

    assert isinstance(found, Refusal)
    assert found.error == "PARSE_FAILED"
