import json
import math

import pytest

from bench.__main__ import main, names
from bench.report import Goal, Report, judge, percentile, spread


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_the_value_at_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_a_percentile_of_nothing_is_no_number() -> None:
    assert math.isnan(percentile([], 50))


def test_a_spread_names_its_figures() -> None:
    assert spread("took_ms", [3, 1, 2]) == {"took_ms_p50": 2, "took_ms_p99": 3, "took_ms_max": 3}


@pytest.mark.parametrize(
    ("target", "met"), [("<= 5", True), ("<= 4.9", False), (">= 5", True), (">= 6", False), ("== 5", True)]
)
def test_a_goal_is_judged_by_its_sign(target: str, met: bool) -> None:
    assert judge({"x": 5}, {"x": target}) == {"x": Goal(target, met)}


def test_a_missing_figure_misses_its_goal() -> None:
    assert judge({}, {"x": "<= 5"})["x"].met is False


def test_a_target_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="< 5"):
        judge({"x": 1}, {"x": "< 5"})


def test_a_report_as_json_has_the_agreed_shape() -> None:
    report = Report("x", {"took_ms": 7.5}, {"took_ms": Goal("<= 5", met=False)})

    assert json.loads(report.to_json()) == {
        "name": "x",
        "figures": {"took_ms": 7.5},
        "goals": {"took_ms": {"target": "<= 5", "met": False}},
        "ok": False,
    }


def test_the_measurements_are_listed_without_the_parts_they_share(capsys: pytest.CaptureFixture[str]) -> None:
    code = main([])

    assert (code, "client" in capsys.readouterr().out) == (0, True)
    assert "client" in names()
    assert not {"report", "_stand_in", "__main__"} & set(names())


def test_an_unknown_measurement_is_refused() -> None:
    assert main(["nonsense"]) == 2
