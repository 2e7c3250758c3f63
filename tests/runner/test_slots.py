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
