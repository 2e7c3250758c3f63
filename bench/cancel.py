"""How fast a cancel ends a task, wherever the task is, and what it leaves: the product measured from outside.

Every stage of scripts/verify_cancellation.py, on servers of its own: DELETE sent to answer with the end, requests
that stand-ins see afterwards, and tasks, child processes and half-written files left.
"""

import argparse
import asyncio
import math
import sys
from collections.abc import Sequence

from bench.harness.cuts import LIMIT_MS, Stage
from bench.harness.lab import Lab, LabOptions
from bench.harness.load import SECTIONS as LOADED_SECTIONS
from bench.harness.load import Load, LoadLab
from bench.harness.verification import complaints, run_stages, stage_names
from bench.report import Report, judge, percentile, spread

CANCELS = 300
LAG_MS = 50.0
# Under load a cancel may take so many times what the loop's lag is.
LAGS = 3
_MOST_PROBLEMS = 5
NOTHING = (
    *("requests_after", "leaked_tasks", "leaked_children", "leaked_files", "leaked_threads", "leaked_sockets"),
    *("later_writes", "untrue_records", "log_complaints"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--count", type=int, default=20, help="cancels in each stage (20)")
    parser.add_argument("--moments", type=int, default=1_000, help="cancels at random moments of mixed tasks (1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (1)")
    parser.add_argument("--load", action="store_true", help="beside 100 crawls and 1,000 pollers of the same server")
    parser.add_argument("--crawls", type=int, default=100, help="of the load (100)")
    parser.add_argument("--pollers", type=int, default=1_000, help="of the load (1000)")
    parser.add_argument(
        "--stages",
        nargs="+",
        default=[],
        choices=sorted({*stage_names(), *_loaded_names()}),
        metavar="NAME",
        help="only these",
    )


def run(args: argparse.Namespace) -> Report:
    """Measure all stages, or the named ones."""
    if args.load:
        load = Load(crawls=args.crawls, pollers=args.pollers)
        return asyncio.run(_measure_loaded(LabOptions(count=args.count, seed=args.seed), load, args.stages))
    return asyncio.run(_measure(LabOptions(count=args.count, moments=args.moments, seed=args.seed), args.stages))


async def _measure(options: LabOptions, names: Sequence[str]) -> Report:
    async with Lab(options) as lab:
        stages = [stage async for _, stage in run_stages(lab, names)]
        await lab.stop_servers()
        log_complaints = len(list(complaints(lab.logs)))
    return report_of(stages, log_complaints=log_complaints, is_whole=not names)


async def _measure_loaded(options: LabOptions, load: Load, names: Sequence[str]) -> Report:
    async with LoadLab(options, load) as lab:
        stages = [stage async for _, stage in run_stages(lab, names, sections=LOADED_SECTIONS)]
        await lab.stop_servers()
        log_complaints = len(list(complaints(lab.logs)))
    return loaded_report_of(stages, log_complaints=log_complaints)


def loaded_report_of(stages: Sequence[Stage], *, log_complaints: int) -> Report:
    """Return the same figures under load, each p99 held to its limit or to three times the loop's lag p99.

    `*_per_lag` is a p99, less what its stage may take longer, over the lag p99 of the same run.
    """
    plain = report_of(stages, log_complaints=log_complaints, is_whole=False)
    figures = {name: value for name, value in plain.figures.items() if not name.startswith("lag_ms")}
    lag_ms = percentile([lag for stage in stages for lag in stage.server_lags_ms], 99)
    targets = {name: goal.target for name, goal in plain.goals.items()} | {"server_lag_ms_p99": f"<= {LAG_MS:g}"}
    for stage in stages:
        for problem in stage.problems[:_MOST_PROBLEMS]:
            print(f"{stage.name}: {problem}", file=sys.stderr)
        own_ms = LIMIT_MS if math.isnan(lag_ms) else max(LIMIT_MS, LAGS * lag_ms)
        targets[f"{stage.name}_ms_p99"] = f"<= {stage.limit_ms - LIMIT_MS + own_ms:.4g}"
        figures[f"{stage.name}_per_lag"] = (stage.p99_ms - (stage.limit_ms - LIMIT_MS)) / lag_ms
        figures[f"{stage.name}_server_lag_ms_p99"] = stage.server_lag_p99_ms
    return Report("cancel --load", figures, judge(figures, targets))


def _loaded_names() -> list[str]:
    return [plan.name for section in LOADED_SECTIONS for plan in section.stages]


def report_of(stages: Sequence[Stage], *, log_complaints: int, is_whole: bool) -> Report:
    """Return the figures of the stages: their latencies, and sums of what must be nothing."""
    figures: dict[str, float] = {"cancels": sum(len(stage.cuts) for stage in stages)}
    targets = {"cancels": f">= {CANCELS}"} if is_whole else {}
    for stage in stages:
        figures |= spread(f"{stage.name}_ms", stage.latencies_ms)
        targets[f"{stage.name}_ms_p99"] = f"<= {stage.limit_ms:g}"
    figures |= {
        "requests_after": sum(stage.requests_after for stage in stages),
        "leaked_tasks": sum(stage.leaked_tasks for stage in stages),
        "leaked_children": sum(stage.leaked_children for stage in stages),
        "leaked_files": sum(stage.leaked_files for stage in stages),
        "leaked_threads": sum(stage.leaked_threads for stage in stages),
        "leaked_sockets": sum(stage.leaked_sockets for stage in stages),
        "later_writes": sum(stage.later_writes for stage in stages),
        "untrue_records": sum(len(stage.problems) for stage in stages),
        "log_complaints": log_complaints,
    }
    targets |= dict.fromkeys(NOTHING, "== 0")
    # The machine's own share: how late it woke the measuring loop.
    figures |= spread("lag_ms", [lag for stage in stages for lag in stage.lags_ms])
    figures |= spread("server_lag_ms", [lag for stage in stages for lag in stage.server_lags_ms])
    return Report("cancel", figures, judge(figures, targets))
