from dataclasses import replace

import pytest

from backend.domain.task import TaskKind
from backend.runner.slots import Slots
from tests.fixtures.scripted import INFO

RSS = replace(INFO, id="rss", max_running=1)
VIDEO = replace(INFO, id="video", kind=TaskKind.GENERATE)


def test_slot_is_taken_until_it_is_given_back() -> None:
    slots = Slots([INFO], total=1)

    assert slots.take("web") is True
    assert slots.take("web") is False
    slots.release("web")
    assert slots.take("web") is True


def test_cap_of_the_whole_counts_every_platform() -> None:
    slots = Slots([INFO, VIDEO], total=2)
    slots.take("web")
    slots.take("video")

    assert (slots.used, slots.free) == (2, 0)
    assert slots.open_platforms() == []


def test_cap_of_a_platform_leaves_the_others_open() -> None:
    slots = Slots([INFO, RSS], total=10)
    slots.take("rss")

    assert slots.open_platforms() == ["web"]


def test_cap_of_a_kind_counts_all_its_platforms_and_no_others() -> None:
    slots = Slots([INFO, RSS, VIDEO], total=10, by_kind={TaskKind.CRAWL: 2})
    slots.take("web")
    slots.take("rss")

    assert slots.open_platforms() == ["video"]


@pytest.mark.parametrize("ask", ["has_free", "take"])
def test_platform_that_is_not_installed_never_has_a_slot(ask: str) -> None:
    assert getattr(Slots([INFO], total=10), ask)("gone") is False


def test_who_queues_has_the_slot_before_any_new_task() -> None:
    slots = Slots([INFO], total=1)
    slots.take("web")
    turn = slots.new_turn("web")
    slots.queue(turn)

    slots.release("web")

    assert turn.came.is_set()
    assert slots.take("web") is False


def test_turns_are_served_in_their_order_also_when_one_asks_again() -> None:
    slots = Slots([INFO], total=1)
    slots.take("web")
    first, second = slots.new_turn("web"), slots.new_turn("web")
    slots.queue(second)
    slots.queue(first)

    slots.release("web")

    assert (first.came.is_set(), second.came.is_set()) == (True, False)


def test_turn_that_waits_for_a_full_platform_holds_up_no_other() -> None:
    slots = Slots([INFO, RSS], total=2)
    slots.take("rss")
    slots.take("web")
    blocked, free = slots.new_turn("rss"), slots.new_turn("web")
    slots.queue(blocked)
    slots.queue(free)

    slots.release("web")

    assert (blocked.came.is_set(), free.came.is_set()) == (False, True)


def test_turn_of_a_shut_platform_comes_when_it_is_open_again() -> None:
    slots = Slots([INFO], total=1)
    slots.shut("web")
    turn = slots.new_turn("web")
    slots.queue(turn)

    slots.reopen()

    assert turn.came.is_set()
    assert slots.used == 1


def test_who_leaves_the_queue_is_given_nothing_later() -> None:
    slots = Slots([INFO], total=1)
    slots.take("web")
    turn = slots.new_turn("web")
    slots.queue(turn)

    assert slots.leave(turn) is False
    slots.release("web")

    assert slots.used == 0


def test_who_leaves_with_the_slot_already_there_has_it() -> None:
    slots = Slots([INFO], total=1)
    turn = slots.new_turn("web")
    slots.queue(turn)

    assert slots.leave(turn) is True
    assert slots.used == 1
