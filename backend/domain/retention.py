"""How long ended tasks are kept: rules by kind and status. Without a rule a task is kept for good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.domain.task import TaskKind, TaskStatus

ALL = "all"
MAX_DAYS = 36_500
KINDS = tuple(kind.value for kind in TaskKind)
STATUSES = tuple(status.value for status in TaskStatus if status.is_final)

# A kind and a status.
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Ended tasks of this kind and status go after so many days; either may be `all`."""

    kind: str
    status: str
    days: int

    def __str__(self) -> str:
        return f"{self.kind}.{self.status}={self.days}"

    @property
    def pairs(self) -> list[Pair]:
        """Every kind and status it speaks of."""
        kinds = KINDS if self.kind == ALL else (self.kind,)
        statuses = STATUSES if self.status == ALL else (self.status,)
        return [(kind, status) for kind in kinds for status in statuses]


def read_rule(text: str) -> RetentionRule:
    """Return the rule that `kind.status=days` is. Raises ValueError."""
    name, equals, days = (part.strip() for part in text.partition("="))
    kind, dot, status = name.partition(".")
    if not (equals and dot):
        raise ValueError(f"{text!r} does not read kind.status=days")
    if kind not in (*KINDS, ALL):
        raise ValueError(f"{kind!r} is no kind of task; there are {', '.join(KINDS)} and {ALL}")
    if status not in (*STATUSES, ALL):
        raise ValueError(f"{status!r} is no end of a task; there are {', '.join(STATUSES)} and {ALL}")
    if not (days.isascii() and days.isdigit() and 1 <= int(days[:9]) <= MAX_DAYS):
        raise ValueError(f"{days!r} is not a number of days from 1 to {MAX_DAYS}")
    return RetentionRule(kind, status, int(days))


def assigned(rules: Sequence[RetentionRule]) -> Mapping[RetentionRule, list[Pair]]:
    """Return which rule decides on which kind and status: the closest one, of two as close the one that keeps longer.

    Raises ValueError when one is there twice.
    """
    if len({(rule.kind, rule.status) for rule in rules}) < len(rules):
        raise ValueError("names a kind and status twice")
    found: dict[RetentionRule, list[Pair]] = {rule: [] for rule in rules}
    for pair in RetentionRule(ALL, ALL, 1).pairs:
        fitting = [rule for rule in rules if pair in rule.pairs]
        if fitting:
            found[max(fitting, key=lambda rule: (-_width(rule), rule.days))].append(pair)
    return found


def _width(rule: RetentionRule) -> int:
    return (rule.kind == ALL) + (rule.status == ALL)
