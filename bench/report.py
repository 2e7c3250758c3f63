"""The result of one measurement: figures, the goals they are held to, and how both are printed."""

import dataclasses
import math
import operator
from collections.abc import Mapping, Sequence

import orjson
from rich.console import Console
from rich.table import Table

_COMPARISONS = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}


@dataclasses.dataclass(frozen=True, slots=True)
class Goal:
    """What one figure has to reach: `target` reads like "<= 100"."""

    target: str
    met: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """The figures of one measurement, and the goals for some of them (by the figure's name)."""

    name: str
    figures: dict[str, float]
    goals: dict[str, Goal]

    @property
    def is_ok(self) -> bool:
        """Whether every goal was met."""
        return all(goal.met for goal in self.goals.values())

    def to_json(self) -> str:
        """Return the report as one JSON object on one line."""
        goals = {metric: dataclasses.asdict(goal) for metric, goal in self.goals.items()}
        document = {"name": self.name, "figures": self.figures, "goals": goals, "ok": self.is_ok}
        return orjson.dumps(document).decode()

    def print_table(self) -> None:
        """Print the report for a person."""
        table = Table(title=f"bench {self.name}")
        for heading in ("figure", "value", "goal", "met"):
            table.add_column(heading, justify="right" if heading == "value" else "left")
        for metric, value in self.figures.items():
            goal = self.goals.get(metric)
            verdict = "" if goal is None else "yes" if goal.met else "NO"
            table.add_row(metric, f"{value:,.6g}", "" if goal is None else goal.target, verdict)
        Console().print(table)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of `values` (NaN when there are none)."""
    if not values:
        return math.nan
    ordered = sorted(values)
    rank = math.ceil(percent / 100 * len(ordered))
    return ordered[min(max(rank, 1), len(ordered)) - 1]


def spread(prefix: str, values: Sequence[float]) -> dict[str, float]:
    """Return p50, p99 and max of `values` as figures named `PREFIX_p50`, `PREFIX_p99`, `PREFIX_max`."""
    return {
        f"{prefix}_p50": percentile(values, 50),
        f"{prefix}_p99": percentile(values, 99),
        f"{prefix}_max": max(values, default=math.nan),
    }


def judge(figures: Mapping[str, float], targets: Mapping[str, str]) -> dict[str, Goal]:
    """Return the goal of each figure named in `targets`, such as `{"cancel_p99_ms": "<= 20"}`.

    A figure that is missing or not a number misses its goal. Raises ValueError for a target it cannot read.
    """
    return {metric: _goal(figures.get(metric, math.nan), target) for metric, target in targets.items()}


def _goal(figure: float, target: str) -> Goal:
    sign, _, bound = target.partition(" ")
    if sign not in _COMPARISONS:
        raise ValueError(f"a goal reads '<= x', '>= x' or '== x', not {target!r}")
    return Goal(target=target, met=bool(_COMPARISONS[sign](figure, float(bound))))
