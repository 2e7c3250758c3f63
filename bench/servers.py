"""Several servers on one MongoDB and Redis: who runs what, cancels from afar, caps together, and who takes over.

Everything is seen from outside: the API, the stand-ins' own counts, the processes.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.harness.cuts import Stage, lag_watched
from bench.harness.lab import LabOptions
from bench.harness.server import Server
from bench.harness.verification import complaints
from bench.report import Report, judge, spread
from bench.several.cancels import STAGES, Afar, measure_claiming, measure_in_submit, measure_stage
from bench.several.deaf import measure_deaf
from bench.several.fleet import CAP, CRAWLS_EACH, LEASE_S, Fleet
from bench.several.leaving import (
    KILL_WITHIN_S,
    Leaving,
    measure_kill,
    measure_second_signal,
    measure_sigterm,
)
from bench.several.spread import measure_bell, measure_caps, measure_crawls_each, measure_spread

PARTS = ("spread", "cancels", "leaving", "deaf")
_CANCEL_MS = 250
_BELL_MS = 1_200
_TAKEOVER_MS = 1_500
_FEWEST_SHARE = 0.1
_SETTLED_S = 0.3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--servers", type=int, default=3, help="servers (3)")
    parser.add_argument("--tasks", type=int, default=300, help="tasks to spread (300)")
    parser.add_argument("--count", type=int, default=50, help="cancels from afar in each stage (50)")
    parser.add_argument("--rounds", type=int, default=6, help="servers that are told to leave (6); half as many die")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (1)")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS, metavar="PART", help="only these")
    parser.add_argument("--apart", action="store_true", help="a Redis for each server: caps and bell must fail to hold")
    parser.add_argument("--logs", type=Path, default=None, help="folder that keeps the servers' logs")
    parser.add_argument("--stages", nargs="+", default=[], metavar="NAME", help="only these stages of the cancels")


def run(args: argparse.Namespace) -> Report:
    """Measure the named parts."""
    if args.servers < 2:
        raise SystemExit("--servers: 2 or more")
    return asyncio.run(_measure(args))


async def _measure(args: argparse.Namespace) -> Report:
    figures: dict[str, float] = {}
    targets: dict[str, str] = {}
    async with Fleet(LabOptions(count=args.count, seed=args.seed, logs=args.logs)) as fleet:
        for part, measure in (("spread", _spread), ("cancels", _cancels), ("leaving", _leaving), ("deaf", _deaf)):
            if part in args.parts:
                await measure(fleet, args, figures, targets)
        await fleet.stop_servers()
        said = list(complaints(fleet.logs))
    for line in said[:20]:
        print(line, file=sys.stderr)
    figures["log_complaints"] = len(said)
    targets["log_complaints"] = "== 0"
    return Report("servers", figures, judge(figures, targets))


async def _spread(fleet: Fleet, args: argparse.Namespace, figures: dict[str, float], targets: dict[str, str]) -> None:
    settings = {"MAX_RUNNING_CRAWLS": str(CRAWLS_EACH), "COGVIDEOX_MAX_RUNNING": str(CAP)}
    if args.apart:
        # Empty counts as not set: each server starts a Valkey of its own.
        settings["REDIS_URL"] = ""
    servers = await fleet.servers("spread", args.servers, settings)
    begun = time.perf_counter()
    found = await measure_spread(fleet, servers, args.tasks)
    figures["spread_s"] = time.perf_counter() - begun
    for number, count in enumerate(sorted(found.ran.values(), reverse=True), start=1):
        figures[f"spread_server_{number}"] = count
    figures |= {"spread_servers_used": len(found.ran), "spread_fewest": min(found.ran.values())}
    figures |= {"spread_run_twice": found.run_twice, "spread_not_succeeded": found.not_succeeded}
    waits_ms = await measure_bell(fleet, servers, min(args.count, 30))
    figures |= spread("wait_for_another_ms", waits_ms)
    caps = await measure_caps(fleet, servers, args.tasks // 5)
    figures |= {"cap": CAP, "cap_most_open": caps.most_open, "cap_share_of_looks_full": caps.at_cap / caps.looks}
    figures |= {"cap_not_succeeded": caps.not_succeeded, "cap_submits_too_many": caps.submits_too_many}
    figures["crawls_at_once"] = await measure_crawls_each(fleet, servers)
    targets |= {
        **{"spread_servers_used": f"== {args.servers}", "spread_fewest": f">= {_FEWEST_SHARE * args.tasks:g}"},
        **{"spread_run_twice": "== 0", "spread_not_succeeded": "== 0", "wait_for_another_ms_p99": f"<= {_BELL_MS}"},
        **{"cap_most_open": f"<= {CAP}", "cap_not_succeeded": "== 0", "cap_submits_too_many": "== 0"},
        "crawls_at_once": f"== {CRAWLS_EACH * args.servers}",
    }
    await _leave(fleet, servers)


async def _cancels(fleet: Fleet, args: argparse.Namespace, figures: dict[str, float], targets: dict[str, str]) -> None:
    servers = await fleet.servers("afar", args.servers)
    machine = Stage("afar", "")
    async with lag_watched(machine):
        stages = [
            await _afar(fleet, servers, name, args.count)
            for name in (*STAGES, "claiming", "in_submit")
            if not args.stages or name in args.stages
        ]
    # The machine's own share: how late it woke the measuring loop.
    figures |= spread("afar_lag_ms", machine.lags_ms)
    for stage in stages:
        figures |= {f"afar_{stage.name}_n": len(stage.read_ms), **spread(f"afar_{stage.name}_ms", stage.read_ms)}
        targets[f"afar_{stage.name}_ms_p99"] = f"<= {_CANCEL_MS}"
    figures |= spread("afar_delete_wait_ms", [ms for stage in stages for ms in stage.told_ms])
    _note_problems("afar", [problem for stage in stages for problem in stage.problems], figures, targets)
    figures["afar_requests_after"] = sum(stage.requests_after for stage in stages)
    targets |= {"afar_delete_wait_ms_p99": f"<= {_CANCEL_MS}", "afar_requests_after": "== 0"}
    await _leave(fleet, servers)


async def _afar(fleet: Fleet, servers: Sequence[Server], name: str, count: int) -> Afar:
    try:
        if name == "claiming":
            return await measure_claiming(fleet, servers, count=count)
        if name == "in_submit":
            return await measure_in_submit(fleet, servers, count=count)
        return await measure_stage(fleet, servers, name, count=count, told=max(1, count // 5))
    finally:
        await fleet.site.close()


async def _leaving(fleet: Fleet, args: argparse.Namespace, figures: dict[str, float], targets: dict[str, str]) -> None:
    servers = await fleet.servers("leaving", args.servers, {"LEASE_S": f"{LEASE_S:g}"})
    for name, found, within_ms in (
        ("sigterm", await measure_sigterm(fleet, servers, args.rounds), _TAKEOVER_MS),
        ("kill", await measure_kill(fleet, servers, max(1, args.rounds // 2)), KILL_WITHIN_S * 1000),
        ("second_signal", await measure_second_signal(fleet, servers), KILL_WITHIN_S * 1000),
    ):
        _note_leaving(name, found, figures)
        targets[f"{name}_taken_over_ms_max"] = f"<= {within_ms:g}"
        _note_problems(name, found.problems, figures, targets)
    targets["sigterm_handed_over_ms_p99"] = f"<= {_TAKEOVER_MS}"
    targets["second_signal_exit_ms_max"] = "<= 1000"
    del targets["sigterm_taken_over_ms_max"]
    await _leave(fleet, servers)


async def _deaf(fleet: Fleet, args: argparse.Namespace, figures: dict[str, float], targets: dict[str, str]) -> None:
    settings = {"LEASE_S": f"{LEASE_S:g}", "COGVIDEOX_MAX_RUNNING": str(CAP)}
    servers = await fleet.deaf_servers("deaf", args.servers, settings)
    found = await measure_deaf(fleet, servers, max(1, args.count // 10))
    figures |= {"deaf_cancels": len(found.cancels_ms), **spread("deaf_cancel_ms", found.cancels_ms)}
    figures |= {"deaf_not_degraded": found.not_degraded, "deaf_most_open": found.most_open_away}
    figures["deaf_most_open_again"] = found.most_open_back
    targets |= {
        "deaf_cancel_ms_p99": f"<= {LEASE_S / 3 * 1000 + _CANCEL_MS:g}",
        "deaf_not_degraded": "== 0",
        "deaf_most_open": f"<= {CAP * args.servers}",
        "deaf_most_open_again": f"== {CAP}",
    }
    _note_problems("deaf", found.problems, figures, targets)
    await _leave(fleet, servers)


def _note_leaving(name: str, found: Leaving, figures: dict[str, float]) -> None:
    figures |= {f"{name}_tasks": found.tasks, f"{name}_given_back": found.given_back}
    if found.exits_ms:
        figures |= spread(f"{name}_exit_ms", found.exits_ms)
    figures |= spread(f"{name}_handed_over_ms", found.handed_ms)
    figures |= spread(f"{name}_taken_over_ms", found.taken_ms)


def _note_problems(name: str, problems: Sequence[str], figures: dict[str, float], targets: dict[str, str]) -> None:
    for problem in problems[:20]:
        print(f"{name}: {problem}", file=sys.stderr)
    figures[f"{name}_problems"] = len(problems)
    targets[f"{name}_problems"] = "== 0"


async def _leave(fleet: Fleet, servers: Sequence[Server]) -> None:
    await asyncio.sleep(_SETTLED_S)
    await fleet.site.close()
    await fleet.close_group(servers)
