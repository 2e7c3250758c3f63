"""Fields that dry up are told apart from those that never came, and from samples that say nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from backend.domain.drift import Alert, FieldState, GroupCounts, GroupDrift, GroupKey, TaskCounts, compare

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
NOTES = GroupKey("post", "note")


def task(age: int, *, items: int = 50, title: float = 1.0, key: GroupKey = NOTES) -> TaskCounts:
    filled = {"title": round(items * title), "text": items}
    counts = GroupCounts(key, items, filled)
    return TaskCounts(f"t_{age}", "xhs", NOW - timedelta(hours=age), [counts])


def state_of(groups: list[GroupDrift], field: str = "title", key: GroupKey = NOTES) -> FieldState:
    (group,) = [one for one in groups if one.key == key]
    return next(one.state for one in group.fields if one.field == field)


def history(recent: float, before: float) -> list[TaskCounts]:
    return [*(task(age, title=recent) for age in range(2)), *(task(age, title=before) for age in range(2, 8))]


@pytest.mark.parametrize(
    ("recent", "before", "state"),
    [
        (1.0, 1.0, FieldState.OK),
        (0.0, 1.0, FieldState.DRY),
        (0.04, 0.5, FieldState.DRY),
        (0.3, 1.0, FieldState.FALLING),
        (0.6, 1.0, FieldState.OK),
        (0.0, 0.2, FieldState.OK),
        (0.0, 0.0, FieldState.OK),
        (1.0, 0.0, FieldState.OK),
    ],
)
def test_field_is_judged_by_what_it_used_to_be(recent: float, before: float, state: FieldState) -> None:
    assert state_of(compare(history(recent, before))) is state


def test_few_items_say_nothing() -> None:
    few_new = [task(0, items=29, title=0)]
    few_old = [task(0, items=100, title=0), task(1, items=59)]

    assert state_of(compare(few_new)) is FieldState.FEW
    assert state_of(compare(few_old)) is FieldState.FEW


def test_sources_are_not_mixed() -> None:
    # A list never had what the page of a note has.
    from_lists = GroupKey("post", "search")
    counts = [*(task(age, title=0, key=from_lists) for age in range(3)), *(task(age) for age in range(3, 8))]

    groups = compare(counts)

    assert state_of(groups) is FieldState.OK
    assert state_of(groups, key=from_lists) is FieldState.FEW


def test_newest_items_are_compared_with_those_before_them() -> None:
    (group,) = compare([task(age) for age in range(40)])

    assert (group.recent.items, group.before.items) == (100, 1_000)
    assert (group.recent.last, group.recent.first) == (NOW, NOW - timedelta(hours=1))


def test_field_stays_dry_when_all_that_is_remembered_lacks_it() -> None:
    alert = Alert(NOTES, "title", 0.9, NOW)

    groups = compare(history(0.0, 0.0), [alert])

    (dry,) = [one for one in groups[0].fields if one.state is FieldState.DRY]
    assert (dry.field, dry.before, dry.since) == ("title", 0.9, NOW)


def test_field_that_is_filled_again_is_dry_no_more() -> None:
    assert state_of(compare(history(0.8, 0.0), [Alert(NOTES, "title", 0.9, NOW)])) is FieldState.OK


def test_few_new_items_do_not_end_an_alert() -> None:
    counts = [task(0, items=10), *(task(age, items=5, title=0) for age in range(1, 3))]

    assert state_of(compare(counts, [Alert(NOTES, "title", 0.9, NOW)])) is FieldState.DRY
