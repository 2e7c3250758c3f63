"""What callers see while MongoDB or Redis is stopped, killed, frozen, unreachable, slow, flushed or restarted.

Two servers on one MongoDB and one Redis of the measurement's own, loaded with crawls, jobs at a stand-in provider and
films, while every route is called all the time. Each fault is undone, and everything must go on by itself.
"""

import argparse
import asyncio
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.harness.server import GRACE_S
from bench.outage.embedded import measure_embedded
from bench.outage.faults import FAULTS, Fault
from bench.outage.house import LEASE_S, House
from bench.outage.leaving import Departure, leave
from bench.outage.round import EACH, Outcome, Round
from bench.report import Report, judge
from scripts.devtools.logsearch import loop_errors

_NAMES = [fault.name for fault in FAULTS]
_LEAVINGS = [name for name in _NAMES if name.endswith(("_stopped", "_frozen", "_half_open"))]
# On top of the lease: the sweeper's share of a takeover (lifecycle.md §3).
_SWEEP_S = 15.0
_EMBEDDED = {
    "embedded_mongo_max_s": "<= 6",
    "embedded_valkey_max_s": "<= 3",
    "embedded_left_frozen_s": f"<= {GRACE_S:g}",
    "embedded_children_left": "== 0",
}
_NOTHING = (
    *("wrong_answers", "wrong_successes", "tasks_lost", "unbalanced", "paid_twice", "files_left"),
    *("requests_after_fence", "children_after_fence", "runs_after_fence"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--faults", nargs="*", default=_NAMES, choices=_NAMES, metavar="NAME", help="only these")
    parser.add_argument(
        "--leavings", nargs="*", default=_LEAVINGS, choices=_NAMES, metavar="NAME", help="SIGTERM in these"
    )
    parser.add_argument("--embedded", action=argparse.BooleanOptionalAction, default=True, help="embedded stores too")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the SIGTERMs (1)")
    parser.add_argument("--each", type=int, default=EACH, help="crawls, and as many jobs and films (10)")
    parser.add_argument("--lease", type=float, default=LEASE_S, help="LEASE_S of the servers (15)")
    parser.add_argument("--logs", type=Path, default=None, help="folder to keep the servers' logs in")


def run(args: argparse.Namespace) -> Report:
    """Measure all faults, or the named ones, one after the other."""
    # The one without a fault comes first, always: it fills pools that are kept, and the others are held to its files.
    faults = [fault for fault in FAULTS if fault.name in args.faults or (args.faults and fault.store == "none")]
    leavings = [fault for fault in FAULTS if fault.name in args.leavings]
    found = asyncio.run(_measure(faults, leavings, args))
    if not args.json:
        _print(found.outcomes)
    return report_of(found, faults, lease_s=args.lease)


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that was measured. `complaints`: tracebacks and words of closed loops in the servers' logs."""

    outcomes: Sequence[Outcome]
    departures: Sequence[Departure]
    embedded: Mapping[str, float]
    complaints: int


async def _measure(faults: Sequence[Fault], leavings: Sequence[Fault], args: argparse.Namespace) -> Found:
    outcomes, departures = [], []
    dice = random.Random(args.seed)
    async with House(lease_s=args.lease, logs=args.logs) as house:
        for fault in faults:
            outcomes.append(await Round(house, fault, each=args.each).run())
            _complain(outcomes[-1])
        for fault in leavings:
            departures.append(await leave(house, fault, dice))
            _say(departures[-1].fault, departures[-1].problems)
        embedded = await measure_embedded(house.folder / "embedded", house.logs) if args.embedded else {}
        complaints = [*loop_errors(house.logs), *_tracebacks(house.logs)]
        _say("log", complaints)
    return Found(outcomes, departures, embedded, len(complaints))


def _tracebacks(logs: Path) -> Iterator[str]:
    for path in sorted(logs.glob("*.log")):
        found = path.read_text("utf-8", "replace").count("Traceback (most recent call last)")
        if found:
            yield f"{path.name}: {found} tracebacks"


def report_of(found: Found, faults: Sequence[Fault], *, lease_s: float) -> Report:
    """Return the figures of all faults, named FAULT.FIGURE, and the goals for them."""
    figures: dict[str, float] = {"log_complaints": found.complaints}
    figures |= {name: round(value, 2) for name, value in found.embedded.items()}
    targets: dict[str, str] = {"log_complaints": "== 0"} | (_EMBEDDED if found.embedded else {})
    for one in found.departures:
        name = f"leave_{one.fault}"
        figures |= {f"{name}.took_s": round(one.took_s, 2), f"{name}.problems": len(one.problems) + one.paid_twice}
        targets |= {f"{name}.took_s": f"<= {GRACE_S:g}", f"{name}.problems": "== 0"}
    for outcome, fault in zip(found.outcomes, faults, strict=True):
        named = {f"{outcome.fault}.{name}": value for name, value in _figures(outcome).items()}
        figures |= {name: round(value, 2) for name, value in named.items() if not math.isnan(value)}
        targets |= {f"{outcome.fault}.{name}": goal for name, goal in _targets(fault, lease_s).items()}
    return Report("outages", figures, judge(figures, targets))


def _figures(outcome: Outcome) -> dict[str, float]:
    return {
        "first_503_s": outcome.first_503_s,
        "worst_answer_s": outcome.worst_answer_s,
        "worst_health_s": outcome.worst_health_s,
        "worst_create_s": outcome.worst_create_s,
        "cancel_reached_s": outcome.cancel_reached_s,
        "health_told_s": outcome.health_told_s,
        "takeover_s": outcome.takeover_s,
        "recovered_s": outcome.recovered_s,
        "resync_s": outcome.resync_s,
        "wrong_answers": len(outcome.wrong_answers),
        "wrong_successes": len(outcome.wrong_successes),
        "tasks_lost": len(outcome.lost),
        "unbalanced": len(outcome.unbalanced),
        "paid_twice": outcome.paid_twice,
        "files_left": outcome.files_left,
        "requests_after_fence": outcome.requests_after_fence,
        "children_after_fence": outcome.children_after_fence,
        "runs_after_fence": outcome.runs_after_fence,
    }


def _targets(fault: Fault, lease_s: float) -> dict[str, str]:
    targets = dict.fromkeys(_NOTHING, "== 0") | {"worst_answer_s": "<= 3.5", "worst_health_s": "<= 1.5"}
    if fault.store == "none":
        del targets["files_left"]
    targets["recovered_s"] = f"<= {lease_s + _SWEEP_S:g}"
    if fault.store == "mongo" and fault.is_total:
        targets |= {"first_503_s": "<= 3.5", "health_told_s": "<= 3.5"}
    if fault.store == "mongo" and fault.is_total and fault.is_partial:
        targets["takeover_s"] = f"<= {lease_s + _SWEEP_S:g}"
    if fault.store == "redis":
        targets["worst_create_s"] = "<= 1.5"
    if fault.tells_resync:
        # Counted from the loss; told once Redis is back.
        targets["resync_s"] = "<= 15"
    if fault.store == "redis" and fault.is_total:
        targets |= {"cancel_reached_s": f"<= {lease_s / 3 + 0.5:g}", "health_told_s": "<= 3.5"}
    return targets


_COLUMNS = (
    *("first_503_s", "worst_answer_s", "worst_health_s", "worst_create_s", "cancel_reached_s", "takeover_s"),
    *("recovered_s", "wrong_answers", "wrong_successes", "tasks_lost", "requests_after_fence", "files_left"),
)


def _print(outcomes: Sequence[Outcome]) -> None:
    table = Table(title="bench outages")
    table.add_column("fault")
    for name in _COLUMNS:
        table.add_column(name.replace("_", " "), justify="right")
    for outcome in outcomes:
        figures = _figures(outcome)
        cells = (figures[name] for name in _COLUMNS)
        table.add_row(outcome.fault, *("" if math.isnan(cell) else f"{cell:.3g}" for cell in cells))
    Console(width=180).print(table)


def _complain(outcome: Outcome) -> None:
    for what in (outcome.wrong_answers, outcome.wrong_successes, outcome.lost, outcome.unbalanced):
        _say(outcome.fault, what)


def _say(of: str, problems: Sequence[str]) -> None:
    error = Console(stderr=True)
    for one in problems:
        error.print(f"{of}: {one}", markup=False)
