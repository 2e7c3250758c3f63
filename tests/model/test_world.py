"""Every order of the steps of two runners, one task, a user, sweepers and time, looked at one by one."""

from collections import defaultdict

import pytest

from tests.model.table import FINAL, MAX_LOST, OWNED
from tests.model.world import Move, World, explore

MAX_FENCE = 4

Explored = list[tuple[World, list[Move]]]


@pytest.fixture(scope="module", params=[0, MAX_LOST - 1])
def explored(request: pytest.FixtureRequest) -> Explored:
    return list(explore(max_fence=MAX_FENCE, lost=request.param))


def test_two_runners_never_work_at_once(explored: Explored) -> None:
    both = [world for world, _ in explored if all(runner.works for runner in world.runners)]

    assert both == []


def test_end_is_for_good(explored: Explored) -> None:
    reopened = [
        (world, name, after)
        for world, moves in explored
        for name, after in moves
        if world.row.is_final and after.row != world.row
    ]

    assert reopened == []


def test_nothing_works_once_the_task_says_cancelled(explored: Explored) -> None:
    still = [
        world
        for world, _ in explored
        if world.row.status == "cancelled" and any(runner.works for runner in world.runners)
    ]

    assert still == []


def test_no_open_job_is_left_by_a_cancel_that_asked_nobody(explored: Explored) -> None:
    silent = [
        world for world, _ in explored if world.row.status == "cancelled" and world.row.is_open and not world.has_asked
    ]

    assert silent == []


def test_owned_has_an_owner_and_nobody_else_has_one(explored: Explored) -> None:
    def is_sound(world: World) -> bool:
        row = world.row
        waits_for_abandon = row.status == "cancelling" and row.is_open and row.lease == "over"
        return (row.worker is not None) == (row.status in OWNED) or waits_for_abandon

    assert [world for world, _ in explored if not is_sound(world)] == []


def test_passed_fence_changes_nothing(explored: Explored) -> None:
    def is_by_a_passed_fence(world: World, name: str) -> bool:
        k = {"a": 0, "b": 1}.get(name[0])
        if k is None or name[1] != ":" or world.runners[k].phase not in {"body", "stopping", "asked", "thawed"}:
            return False
        return world.runners[k].fence != world.row.fence

    changed = [
        (world, name)
        for world, moves in explored
        for name, after in moves
        if is_by_a_passed_fence(world, name) and after.row != world.row
    ]

    assert changed == []


def test_attempts_count_no_lost_lease(explored: Explored) -> None:
    assert all(0 <= world.row.attempt <= world.row.fence for world, _ in explored)
    assert all(world.row.lost <= MAX_LOST + 1 for world, _ in explored)


def test_every_task_can_come_to_its_end_whatever_has_happened(explored: Explored) -> None:
    """No world is a trap: without any help of a user, steps lead on to an end."""
    before: defaultdict[World, list[World]] = defaultdict(list)
    for world, moves in explored:
        for name, after in moves:
            if name not in {"start", "resume", "cancel"}:
                before[after].append(world)
    reaching = [world for world, _ in explored if world.row.status in FINAL]
    seen = set(reaching)
    while reaching:
        for world in before[reaching.pop()]:
            if world not in seen:
                seen.add(world)
                reaching.append(world)

    trapped = [
        world
        for world, _ in explored
        # At the end of what is explored there is no claim left; a person is asked for in held and waiting.
        if world.row.fence < MAX_FENCE - 1 and world.row.status not in {"held", "waiting"} and world not in seen
    ]

    assert trapped == []


@pytest.mark.parametrize("broken", ["fences", "leases"])
def test_broken_table_is_caught(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that cannot fail is worth nothing: without fences, or with leases that are not honoured, it does."""
    from tests.model import table

    if broken == "fences":
        monkeypatch.setattr(table, "_is_mine", lambda row, holder: row.status in OWNED)
    else:
        monkeypatch.setattr(table, "claim", _claim_of_anybodys)

    worlds = list(explore(max_fence=3))

    two_at_once = [world for world, _ in worlds if all(runner.works for runner in world.runners)]
    by_passed = [
        name
        for world, moves in worlds
        for name, after in moves
        if name.startswith("a:") and 0 < world.runners[0].fence < world.row.fence and after.row != world.row
        if world.runners[0].phase == "thawed"
    ]
    assert two_at_once if broken == "leases" else by_passed


def _claim_of_anybodys(row: object, worker: str, seen_fence: int) -> object:
    from dataclasses import replace

    from tests.model.table import Row

    assert isinstance(row, Row)
    if row.status not in {"pending", "running"} or row.fence != seen_fence:
        return None
    return replace(row, status="running", worker=worker, lease="live", fence=row.fence + 1, attempt=row.attempt + 1)
