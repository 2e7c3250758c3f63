"""How fast a cancel ends a task, wherever the task is, and what it leaves: the product measured from outside.

Every stage of scripts/verify_cancellation.py, on servers of its own: DELETE sent to answer with the end, requests
that stand-ins see afterwards, and tasks, child processes and half-written files left.
"""

import argparse
import asyncio
from collections.abc import Sequence

from bench.harness.cuts import Stage
from bench.harness.lab import Lab, LabOptions
from bench.harness.verification import complaints, run_stages, stage_names
from bench.report import Report, judge, spread

CANCELS = 300
NOTHING = (
    *("requests_after", "leaked_tasks", "leaked_children", "leaked_files", "leaked_threads", "leaked_sockets"),
    *("later_writes", "untrue_records", "log_complaints"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--count", type=int, default=20, help="cancels in each stage (20)")
    parser.add_argument("--moments", type=int, default=1_000, help="cancels at random moments of mixed tasks (1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (1)")
    parser.add_argument("--stages", nargs="+", default=[], choices=stage_names(), metavar="NAME", help="only these")


def run(args: argparse.Namespace) -> Report:
    """Measure all stages, or the named ones."""
    return asyncio.run(_measure(LabOptions(count=args.count, moments=args.moments, seed=args.seed), args.stages))


async def _measure(options: LabOptions, names: Sequence[str]) -> Report:
    async with Lab(options) as lab:
        stages = [stage async for _, stage in run_stages(lab, names)]
        await lab.stop_servers()
        log_complaints = len(list(complaints(lab.logs)))
    return report_of(stages, log_complaints=log_complaints, is_whole=not names)


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
