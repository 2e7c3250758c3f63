"""Every named step of a task's life × every fault that may strike there, and what became of the task.

A server dies (SIGKILL), freezes (SIGSTOP, later SIGCONT) or stalls (its loop blocked for longer than a lease) at the
step; another server, or the next start on the same machine, takes the task over. Looked at from outside: the store, the
stand-ins' counters, mongod's profile, the files, the logs. Linux only.
"""

import argparse
import asyncio
import dataclasses
import math
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from bench.crash_lab.checks import file_problems
from bench.crash_lab.scenarios import FAULTS, SCENARIOS, Fault, Scenario
from bench.crash_lab.trial import TAKEOVER_S, Outcome, Trial
from bench.harness.stores import SharedStores
from bench.report import Report, judge

_RESTARTED_S = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    points = [one.point for one in SCENARIOS]
    parser.add_argument("--points", nargs="+", default=points, choices=points, metavar="POINT", help="only these")
    parser.add_argument("--faults", nargs="+", default=list(FAULTS), choices=list(FAULTS), help="only these")
    parser.add_argument("--at-once", type=int, default=3, help="trials at once; restarts go one by one (3)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")


def run(args: argparse.Namespace) -> Report:
    """Run the matrix, or a part of it."""
    chosen = [
        (one, fault)
        for one in SCENARIOS
        if one.point in args.points
        for fault in FAULTS
        if fault in args.faults and one.allows(fault)
    ]
    return report_of(asyncio.run(outcomes_of(chosen, at_once=args.at_once, keep=args.keep)))


async def outcomes_of(
    chosen: Sequence[tuple[Scenario, Fault]], *, at_once: int = 3, keep: bool = False
) -> list[Outcome]:
    """Return what became of each trial, in the order given."""
    # Short, because a unix socket's path may not pass 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="mcc-"))
    shared = SharedStores(folder / "s")
    places, turn = asyncio.Semaphore(at_once), asyncio.Lock()

    async def one(number: int, scenario: Scenario, fault: Fault) -> Outcome:
        has_second = fault in {"kill", "stop", "stall"}
        trial = Trial(scenario, fault, folder / f"{number}", shared if has_second else None)
        # How soon a restart runs again is measured, so nothing else of ours starts meanwhile.
        async with turn if fault == "restart" else places:
            outcome = await trial.run()
        outcome.problems += file_problems(trial.folder)
        return outcome

    await shared.start()
    try:
        waits = [one(number, scenario, fault) for number, (scenario, fault) in enumerate(chosen) if fault != "restart"]
        rest = [one(number, scenario, fault) for number, (scenario, fault) in enumerate(chosen) if fault == "restart"]
        found = [*await asyncio.gather(*waits), *await asyncio.gather(*rest)]
    finally:
        await shared.stop()
        if keep:
            print(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    order = {(scenario.point, fault): place for place, (scenario, fault) in enumerate(chosen)}
    return sorted(found, key=lambda outcome: order[outcome.point, outcome.fault])


@dataclasses.dataclass(frozen=True, slots=True)
class CrashReport(Report):
    """The figures, and the table of all trials."""

    outcomes: tuple[Outcome, ...] = ()

    def to_json(self) -> str:
        """Return the report as one JSON object on one line, the trials in it."""
        document = orjson.loads(super(CrashReport, self).to_json())
        trials = [dataclasses.asdict(one) for one in self.outcomes]
        return orjson.dumps({**document, "trials": trials}).decode()

    def print_table(self) -> None:
        """Print the trials, then the figures."""
        table = Table(title="step × fault: how the task ended, and after how many seconds it went on", show_lines=False)
        table.add_column("step")
        for fault in FAULTS:
            table.add_column(fault)
        for point in dict.fromkeys(one.point for one in self.outcomes):
            row = {one.fault: one for one in self.outcomes if one.point == point}
            table.add_row(point, *(_shown(row.get(fault)) for fault in FAULTS))
        console = Console()
        console.print(table)
        for fault, meaning in FAULTS.items():
            console.print(f"{fault}: {meaning}", highlight=False)
        for one in self.outcomes:
            for problem in one.problems:
                console.print(f"NOT SO  {one.point} {one.fault}: {problem}", highlight=False, markup=False)
        super(CrashReport, self).print_table()


def report_of(outcomes: Sequence[Outcome]) -> CrashReport:
    """Return the figures of the trials, held to the promises."""
    figures: dict[str, float] = {
        "trials": len(outcomes),
        "trials_failed": sum(not one.is_ok for one in outcomes),
        "requests_of_the_struck_later": sum(one.requests_after for one in outcomes),
    }
    targets = {"trials_failed": "== 0", "requests_of_the_struck_later": "== 0"}
    elsewhere = _seconds(one for one in outcomes if one.fault in {"kill", "stop", "stall"})
    restarts = _seconds(one for one in outcomes if one.fault == "restart")
    launches = [one.launched_s for one in outcomes if one.launched_s is not None]
    if elsewhere:
        figures["takeover_elsewhere_s_max"] = max(elsewhere)
        targets["takeover_elsewhere_s_max"] = f"<= {TAKEOVER_S:g}"
    if restarts:
        figures["running_again_after_restart_s_max"] = max(restarts)
        figures["the_same_from_the_launch_s_max"] = max(launches, default=math.nan)
        targets["running_again_after_restart_s_max"] = f"<= {_RESTARTED_S:g}"
    return CrashReport("crashes", figures, judge(figures, targets), tuple(outcomes))


def _seconds(outcomes: Iterable[Outcome]) -> list[float]:
    return [one.resumed_s for one in outcomes if one.resumed_s is not None]


def _shown(outcome: Outcome | None) -> str:
    if outcome is None:
        return "-"
    took = "" if outcome.resumed_s is None else f" {outcome.resumed_s:.1f}"
    return f"{outcome.status}{took}" if outcome.is_ok else f"NO: {outcome.status or 'no end'}{took}"
