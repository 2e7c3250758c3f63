"""The small part of `python -m bench crashes`: three steps, two faults, real servers on real stores."""

import sys

import pytest

from bench.crash_lab.scenarios import SCENARIOS, Fault, Scenario
from bench.crash_lab.trial import Outcome
from bench.crashes import outcomes_of, report_of

TRIALS: tuple[tuple[str, Fault], ...] = (
    ("after_submit_answer", "kill"),
    ("mid_store", "stop"),
    ("mid_download", "kill"),
)


def scenario(point: str) -> Scenario:
    return next(one for one in SCENARIOS if one.point == point)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="who holds a connection is read from /proc")
async def test_struck_server_loses_nothing_pays_once_and_never_runs_beside_its_successor() -> None:
    outcomes = await outcomes_of([(scenario(point), fault) for point, fault in TRIALS], at_once=len(TRIALS))

    assert {f"{one.point} {one.fault}": one.problems for one in outcomes if not one.is_ok} == {}
    assert all(one.resumed_s is not None for one in outcomes)


def test_one_problem_of_one_trial_fails_the_measurement() -> None:
    fine = Outcome("after_claim", "kill", "succeeded", 6.0)
    broken = Outcome("after_claim", "stop", "succeeded", 6.0, problems=["books do not balance"])

    assert report_of([fine]).is_ok
    assert not report_of([fine, broken]).is_ok


def test_late_takeover_fails_the_measurement() -> None:
    assert not report_of([Outcome("after_claim", "kill", "succeeded", 20.1)]).is_ok
    assert not report_of([Outcome("after_claim", "restart", "succeeded", 3.1)]).is_ok
