from datetime import UTC, datetime
from typing import Any

import pytest

from bench.chaos.fleet import Spell, Start
from bench.chaos.history import Starts, broken_histories, strays_of, takeovers, tenures_of
from bench.chaos.journal import Seen

STARTS = Starts([Start("s1", "s1-1", 0), Start("s1", "s1-2", 50), Start("s2", "s2-1", 0)], {"w_a": "s1", "w_b": "s2"})


def entry(at: float, change: str, reason: str, worker_id: str | None = None) -> dict[str, Any]:
    before, _, after = change.partition(">")
    moment = datetime.fromtimestamp(at, UTC)
    return {
        **{"at": moment, "from_status": before or None, "to_status": after, "reason": reason, "worker_id": worker_id}
    }


def task(*history: dict[str, Any]) -> dict[str, Any]:
    return {"_id": "t_1", "status": history[-1]["to_status"], "history": list(history)}


CREATED = entry(1, ">pending", "created")
CLAIMED_BY_A = entry(10, "pending>running", "claimed", "w_a-x")
LOST_BY_A = entry(20, "running>pending", "lease_expired", "w_a-x")
CLAIMED_BY_B = entry(21, "pending>running", "claimed", "w_b-y")
ENDED_BY_B = entry(30, "running>succeeded", "ended", "w_b-y")
TAKEN_OVER = task(CREATED, CLAIMED_BY_A, LOST_BY_A, CLAIMED_BY_B, ENDED_BY_B)


def kinds(*seen: Seen, spells: tuple[Spell, ...] = ()) -> list[str]:
    return [stray.kind for stray in strays_of("t_1", seen, tenures_of(TAKEN_OVER, STARTS), spells)]


def test_start_is_found_by_its_instance_and_the_moment() -> None:
    assert [STARTS.tag_of("w_a-x", at) for at in (10, 60)] == ["s1-1", "s1-2"]


def test_request_of_the_owner_of_that_moment_is_no_stray() -> None:
    assert kinds(Seen(11, "s1-1", "p/0"), Seen(20.3, "s1-1", "p/1"), Seen(25, "s2-1", "p/1")) == []


def test_request_of_the_last_owner_beside_the_present_one_is_run_twice() -> None:
    assert kinds(Seen(24, "s1-1", "p/1")) == ["twice"]


def test_request_between_two_claims_has_no_owner() -> None:
    history = task(CREATED, CLAIMED_BY_A, LOST_BY_A)

    [stray] = strays_of("t_1", [Seen(22, "s1-1", "p/1")], tenures_of(history, STARTS), [])

    assert stray.kind == "unowned"


def test_request_after_the_end_is_told_apart() -> None:
    assert kinds(Seen(31, "s2-1", "p/1")) == ["after_end"]


def test_thawed_process_may_complete_what_a_crawl_had_in_flight() -> None:
    spell = Spell("s1", "s1-1", "frozen", 15, 24)

    assert kinds(
        *(Seen(24.1, "s1-1", "p/1"), Seen(24.1, "s1-1", "p/2"), Seen(24.2, "s1-1", "p/3")), spells=(spell,)
    ) == ["thawed", "thawed", "twice"]


def test_thawed_process_may_complete_one_request_of_another_kind_and_no_request_twice() -> None:
    spell = Spell("s1", "s1-1", "frozen", 15, 24)

    assert kinds(Seen(24.1, "s1-1", "poll j1"), Seen(24.2, "s1-1", "poll j2"), spells=(spell,)) == ["thawed", "twice"]
    assert kinds(Seen(24.1, "s1-1", "p/1"), Seen(24.2, "s1-1", "p/1"), spells=(spell,)) == ["thawed", "twice"]


def test_held_up_wire_excuses_no_request() -> None:
    assert kinds(Seen(24.1, "s1-1", "p/1"), spells=(Spell("s1", "s1-1", "held", 15, 24),)) == ["twice"]


def test_sound_history_has_no_complaint() -> None:
    assert list(broken_histories(TAKEN_OVER)) == []


@pytest.mark.parametrize(
    "broken",
    [
        task(CREATED, CLAIMED_BY_A, LOST_BY_A, CLAIMED_BY_B, entry(25, "running>succeeded", "ended", "w_a-x")),
        task(CREATED, CLAIMED_BY_A, entry(15, "running>succeeded", "ended", "w_a-x"), ENDED_BY_B),
        task(CREATED, CLAIMED_BY_A, CLAIMED_BY_B),
        {**TAKEN_OVER, "status": "running"},
    ],
    ids=["ended by a former owner", "two ends", "claimed while it ran", "another status than its history's"],
)
def test_write_of_a_passed_fence_shows_in_the_history(broken: dict[str, Any]) -> None:
    assert list(broken_histories(broken))


def test_takeover_is_timed_from_the_kill_of_the_owner() -> None:
    assert list(takeovers(TAKEN_OVER, STARTS, {"s1-1": 12.0})) == [("t_1", 12.0, 21.0)]
