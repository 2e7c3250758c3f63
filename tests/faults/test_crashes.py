"""The small part of `python -m bench crashes`: three steps, two faults, real servers on real stores."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bench.crash_lab.scenarios import SCENARIOS, Fault, Scenario
from bench.crash_lab.stand_in import Seen
from bench.crash_lab.trial import Document, Outcome, Trial
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


def entry(second: int, worker: str | None, status: str, reason: str) -> Document:
    at = datetime(2026, 11, 22, 8, tzinfo=UTC) + timedelta(seconds=second)
    return {"at": at, "worker_id": worker, "to_status": status, "reason": reason}


def test_request_of_the_struck_counts_unless_it_has_claimed_the_task_anew() -> None:
    history = [
        *(entry(0, "w-1", "running", "claimed"), entry(10, None, "pending", "lease_expired")),
        *(entry(11, "w-2", "running", "claimed"), entry(20, None, "pending", "lease_expired")),
        *(entry(21, "w-1", "running", "claimed"), entry(30, None, "succeeded", "finished")),
    ]
    trial = Trial(scenario("mid_store"), "stop", Path(), None, known=1, struck_at=history[0]["at"].timestamp())
    trial.stand_in.seen = [
        Seen("first", f"/{second}", history[0]["at"].timestamp() + second) for second in (5, 12, 22, 31)
    ]

    assert trial.requests_of_the_struck({"history": history}) == ["/12", "/31"]
