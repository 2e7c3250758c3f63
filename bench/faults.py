"""Three servers on one MongoDB and one Valkey, each of which is killed -9 at random, every few seconds, under load.

A supervisor starts again what died. A server is also frozen (SIGSTOP) or its writes held up, longer than a lease.
More than a hundred tasks are live throughout: crawls, remote generations, renders; some are cancelled. Then it is
quiet until all have ended, and everything is counted from outside: in the store, in the stand-ins, in /proc, in logs.

`--without leases` and `--without fences` break that guard of the product: the run must then exit with 1.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from bench.chaos.audit import VIOLATIONS
from bench.chaos.options import LEASE_S, TAKEOVER_S, ChaosOptions
from bench.chaos.resume import resumes
from bench.chaos.run import Chaos
from bench.report import Report, judge

_KILLS_A_MINUTE = 20
_EACH_A_MINUTE = 2
_SHOWN = 12
_RESUMES = 5
_RESUME_S = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the storm lasts (10)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (1)")
    parser.add_argument("--without", choices=("leases", "fences"), help="break this guard: the run must fail")
    parser.add_argument("--tasks", type=int, default=150, help="tasks kept live (150; a goal is at least 100)")
    parser.add_argument("--every", type=float, default=3.0, metavar="S", help="a kill comes at most S s later (3)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep logs and findings there; a short path")


def run(args: argparse.Namespace) -> Report:
    """Let the storm loose, wait for the quiet, audit."""
    folder = args.keep or Path(tempfile.mkdtemp(prefix="mcf-"))
    options = ChaosOptions(
        folder=folder.absolute(),
        minutes=args.minutes,
        seed=args.seed,
        without=args.without,
        live=args.tasks,
        kill_every_s=args.every,
    )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return asyncio.run(_measured(options))
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)


async def _measured(options: ChaosOptions) -> Report:
    figures: dict[str, float] = {}
    if options.without is None:
        print(f"a server with its own stores is killed and started {_RESUMES} times", file=sys.stderr)
        figures |= await resumes(options.folder, times=_RESUMES, seed=options.seed)
    async with Chaos(options) as chaos:
        figures |= await chaos.run()
    _show(chaos.findings.lines)
    targets = {
        "kills": f">= {_KILLS_A_MINUTE * options.minutes:g}",
        **{f"kills_{kind}": f">= {_EACH_A_MINUTE * options.minutes:g}" for kind in ("server", "mongod", "valkey")},
        # Without one the fence was never tried.
        "late_ends": ">= 1",
        "live_min": ">= 100",
        **dict.fromkeys(VIOLATIONS, "== 0"),
        **({"resume_s_max": f"<= {_RESUME_S:g}"} if options.without is None else {}),
        "takeover_s_max": f"<= {LEASE_S + TAKEOVER_S:g}",
    }
    return Report("faults", figures, judge(figures, targets))


def _show(found: dict[str, list[str]]) -> None:
    for kind, lines in found.items():
        if kind == "events":
            continue
        if lines:
            print(f"\n{kind}: {len(lines)}", file=sys.stderr)
        for line in lines[:_SHOWN]:
            print(f"  {line}", file=sys.stderr)
