from dataclasses import replace

from bench.outage.faults import FAULTS
from bench.outage.leaving import Departure
from bench.outage.probes import Answer, first_503_s, worst_s, wrong_words
from bench.outage.round import Outcome
from bench.outages import Found, report_of

LEASE_S = 15.0
KILLED = next(fault for fault in FAULTS if fault.name == "mongo_killed")
GOOD = Outcome(KILLED.name, first_503_s=3.0, worst_answer_s=3.1, worst_health_s=1.0, health_told_s=1.2, recovered_s=9.0)
REFUSED = Answer("list", 10.0, 12.8, 503, name="STORE_UNAVAILABLE", retry_after="3")
BOTH = frozenset({200, 503})


def report_is_ok(outcome: Outcome, *departures: Departure, complaints: int = 0) -> bool:
    return report_of(Found([outcome], departures, {}, complaints), [KILLED], lease_s=LEASE_S).is_ok


def test_outage_that_went_well_meets_every_goal() -> None:
    assert report_is_ok(GOOD, Departure("mongo_killed", 8.0))


def test_one_wrong_success_misses_the_goal() -> None:
    assert not report_is_ok(replace(GOOD, wrong_successes=["create k: told 200, is not there"]))


def test_request_after_the_fence_misses_the_goal() -> None:
    assert not report_is_ok(replace(GOOD, requests_after_fence=1))


def test_late_or_broken_departure_misses_the_goal() -> None:
    assert not report_is_ok(GOOD, Departure("mongo_killed", 10.5))
    assert not report_is_ok(GOOD, Departure("mongo_killed", 1.0, problems=["ended with 1"]))


def test_traceback_in_a_log_misses_the_goal() -> None:
    assert not report_is_ok(GOOD, complaints=1)


def test_wait_counts_from_the_call_or_from_the_loss_whichever_is_later() -> None:
    early = replace(REFUSED, begun=5.0)

    assert worst_s([early], 10.0) == worst_s([REFUSED], 0.0) == first_503_s([REFUSED], 10.0) == 12.8 - 10.0


def test_refusal_without_retry_after_is_a_wrong_answer() -> None:
    assert not wrong_words([REFUSED], allowed=BOTH)
    assert wrong_words([replace(REFUSED, retry_after="")], allowed=BOTH)
    assert wrong_words([replace(REFUSED, status=500, name="INTERNAL")], allowed=BOTH)
