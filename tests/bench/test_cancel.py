import math
from typing import Any

from bench.cancel import report_of
from bench.harness.cuts import Cut, Stage, Target


def cut(latency_ms: float, *, seen: int = 0, later: int = 0) -> Cut:
    record: dict[str, Any] = {}
    return Cut(Target("t_1", lambda: seen + later), latency_ms, latency_ms, record, seen)


def test_stage_without_a_fault_has_no_problem() -> None:
    assert Stage("poll", "轮询中", cuts=[cut(12.0), cut(99.0)]).is_ok


def test_one_slow_cancel_of_twenty_fails_the_stage() -> None:
    stage = Stage("poll", "轮询中", cuts=[*(cut(5.0) for _ in range(19)), cut(101.0)])

    assert len(stage.all_problems()) == 1
    assert "101.0 ms > 100 ms" in stage.all_problems()[0]


def test_stage_that_cancelled_nothing_is_no_success() -> None:
    assert not Stage("poll", "轮询中").is_ok


def test_request_that_comes_after_the_end_is_counted_for_its_task() -> None:
    assert cut(5.0, seen=3, later=2).requests_after == 2


def test_every_stage_is_held_to_its_own_limit() -> None:
    stages = [Stage("poll", "", cuts=[cut(50.0)]), Stage("hang", "", limit_ms=5_100, cuts=[cut(5_040.0)])]

    report = report_of(stages, log_complaints=0, is_whole=False)

    assert report.is_ok
    assert report.goals["poll_ms_p99"].target == "<= 100"
    assert report.goals["hang_ms_p99"].target == "<= 5100"


def test_whole_measurement_needs_three_hundred_cancels() -> None:
    report = report_of([Stage("poll", "", cuts=[cut(50.0)])], log_complaints=0, is_whole=True)

    assert not report.goals["cancels"].met


def test_what_is_left_over_all_stages_is_summed_and_must_be_nothing() -> None:
    stages = [
        Stage("a", "", cuts=[cut(1.0)], leaked_files=1, requests_after=2),
        Stage("b", "", cuts=[cut(1.0)], leaked_files=1, problems=["wrong"]),
    ]

    report = report_of(stages, log_complaints=1, is_whole=False)

    assert (report.figures["leaked_files"], report.figures["requests_after"]) == (2, 2)
    missed = {name for name, goal in report.goals.items() if not goal.met}
    assert missed == {"leaked_files", "requests_after", "untrue_records", "log_complaints"}


def test_stage_that_failed_before_its_first_cancel_misses_its_goal() -> None:
    report = report_of([Stage("poll", "", problems=["not reached"])], log_complaints=0, is_whole=False)

    assert math.isnan(report.figures["poll_ms_p99"])
    assert not report.goals["poll_ms_p99"].met
