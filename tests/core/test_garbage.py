import gc
import weakref
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from backend.core.garbage import GarbageKeeper
from tests.fixtures.clocks import SetClock


class Knot:
    """Refers to itself: only a collection can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def keeper(clock: SetClock) -> Iterator[GarbageKeeper]:
    made = GarbageKeeper(clock=clock)
    made.start()
    yield made
    made.stop()


@pytest.mark.usefixtures("keeper")
def test_full_collection_looks_only_at_what_is_new() -> None:
    gc.collect()

    assert len(gc.get_objects()) < gc.get_freeze_count() / 10


@pytest.mark.usefixtures("keeper")
def test_what_was_set_aside_goes_with_its_last_reference() -> None:
    thing = Knot()
    thing.itself = None  # type: ignore[assignment]
    gone = weakref.ref(thing)
    gc.collect()

    del thing

    assert gone() is None


@pytest.mark.usefixtures("keeper")
def test_cycle_that_was_set_aside_is_freed_when_everything_is_looked_at_again(clock: SetClock) -> None:
    knot = Knot()
    gone = weakref.ref(knot)
    gc.collect()
    del knot
    gc.collect()
    was_there = gone() is not None

    clock.advance(601)
    gc.collect()

    assert (was_there, gone()) == (True, None)


@pytest.mark.usefixtures("keeper")
def test_everything_is_looked_at_again_when_much_more_was_set_aside() -> None:
    knot = Knot()
    gone = weakref.ref(knot)
    gc.collect()
    del knot
    many = [[number] for number in range(gc.get_freeze_count())]
    gc.collect()

    gc.collect()

    assert gone() is None
    assert many


@pytest.mark.usefixtures("keeper")
def test_what_was_set_aside_is_not_counted_while_it_cannot_have_grown_much(monkeypatch: pytest.MonkeyPatch) -> None:
    count = Mock(return_value=0)
    monkeypatch.setattr(gc, "get_freeze_count", count)

    for _ in range(5):
        gc.collect()

    assert count.call_count == 0


def test_cycle_of_the_last_minute_goes_within_the_next(clock: SetClock) -> None:
    later = Mock()
    keeper = GarbageKeeper(clock=clock)
    keeper.start(later)
    gone = weakref.ref(Knot())

    (delay_s, look), _ = later.call_args
    look()

    assert (delay_s, gone()) == (60.0, None)
    assert later.call_count == 2
    keeper.stop()
    later.return_value.cancel.assert_called_once_with()


def test_everything_is_looked_at_each_ten_minutes_without_being_called_for(clock: SetClock) -> None:
    later = Mock()
    keeper = GarbageKeeper(clock=clock)
    keeper.start(later)
    knot = Knot()
    gone = weakref.ref(knot)
    gc.collect()
    del knot
    look = later.call_args.args[1]
    look()
    was_there = gone() is not None

    clock.advance(601)
    look()

    assert (was_there, gone()) == (True, None)
    keeper.stop()


def test_stop_leaves_the_collector_as_it_was(clock: SetClock) -> None:
    before = gc.get_threshold(), len(gc.callbacks)
    keeper = GarbageKeeper(clock=clock)
    keeper.start()

    keeper.stop()

    assert (gc.get_threshold(), len(gc.callbacks)) == before
    assert gc.get_freeze_count() == 0
