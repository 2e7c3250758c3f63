"""Cancels tasks of a real server at every point where they can be, and checks that nothing of them goes on.

    python scripts/verify_cancellation.py [--count 20] [--stages NAME ...] [--without-flag-check]

It starts its own servers, stores and stand-ins on loopback, measures from outside, and leaves nothing behind.
Exit code 0 when everything held, 1 when anything did not, 130 after Ctrl+C.
`--without-flag-check` breaks the product's mirror of the cancel flags on purpose: the run must then fail.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from bench.harness.cuts import LIMIT_MS, Stage  # noqa: E402 - the root is put on the path above
from bench.harness.lab import Lab, LabOptions  # noqa: E402
from bench.harness.verification import complaints, run_stages, stage_names  # noqa: E402
from bench.report import percentile  # noqa: E402

STOPPED = 130
_MOST_PROBLEMS = 6


def main(arguments: Sequence[str]) -> int:
    """Verify, print what was found, return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A console of another encoding must not lose a line.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    given = _parser().parse_args(arguments)
    options = LabOptions(
        count=given.count,
        limit_ms=given.limit_ms,
        seed=given.seed,
        logs=given.logs,
        without_flag_check=given.without_flag_check,
    )
    try:
        return asyncio.run(_until_stopped(options, given.stages))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("已中断，服务器、存储与临时文件已清理 / stopped; nothing is left behind", flush=True)
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, help="cancels in each stage (20)")
    parser.add_argument("--limit-ms", type=float, default=LIMIT_MS, help="bound of p99 (100)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (1)")
    parser.add_argument("--logs", type=Path, help="folder to keep the servers' logs in (default: they are removed)")
    parser.add_argument("--stages", nargs="+", default=[], choices=stage_names(), metavar="NAME", help="only these")
    parser.add_argument("--without-flag-check", action="store_true", help="break the product: the run must fail")
    return parser


async def _until_stopped(options: LabOptions, names: Sequence[str]) -> int:
    """Verify as a task that the first Ctrl+C cancels; later ones do not disturb the cleaning up."""
    work = asyncio.create_task(_verify(options, names), name="verify")
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has none: there asyncio.run turns Ctrl+C into a cancel of its own.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, _cancel_once, work)
    return await work


def _cancel_once(work: "asyncio.Task[int]") -> None:
    if not work.cancelling():
        work.cancel()


async def _verify(options: LabOptions, names: Sequence[str]) -> int:
    begun = time.monotonic()
    stages: list[Stage] = []
    async with Lab(options) as lab:
        if options.without_flag_check:
            print("⚠️  取消标记的检查已被故意破坏 / the flag check is broken on purpose", flush=True)
        title = ""
        async for section, stage in run_stages(lab, names):
            if section.title != title:
                title = section.title
                print(f"\n=== {title} ===", flush=True)
            stages.append(stage)
            _print_stage(stage)
        await lab.stop_servers()
        found = list(complaints(lab.logs))
    _print_logs(found)
    return _print_verdict(stages, found, time.monotonic() - begun)


def _print_stage(stage: Stage) -> None:
    problems, times = stage.all_problems(), stage.latencies_ms
    mark = "❌" if problems else "✅"
    figures = "  ".join(
        f"{name} {value:7.1f} ms"
        for name, value in (
            ("p50", percentile(times, 50)),
            ("p99", stage.p99_ms),
            ("max", max(times, default=float("nan"))),
        )
    )
    name = f"{stage.title} ({stage.name})"
    note = f"  {stage.note}" if stage.note else ""
    print(f"{mark} {name}: n={len(times)}  {figures}  结束后请求 {stage.requests_after}{note}", flush=True)
    for problem in problems[:_MOST_PROBLEMS]:
        print(f"   ❌ {problem}", flush=True)
    if len(problems) > _MOST_PROBLEMS:
        print(f"   ❌ …… 另有 {len(problems) - _MOST_PROBLEMS} 条 / more", flush=True)


def _print_logs(found: Sequence[str]) -> None:
    print("\n=== 检查服务器日志 ===", flush=True)
    if not found:
        words = "Event loop is closed、loop is closed、no running loop: 0；错误与回溯: 0"
        print(f"✅ {words}", flush=True)
    for line in found[:_MOST_PROBLEMS]:
        print(f"❌ {line}", flush=True)


def _print_verdict(stages: Sequence[Stage], found: Sequence[str], seconds: float) -> int:
    failed = [stage.name for stage in stages if not stage.is_ok]
    cancels = sum(len(stage.cuts) for stage in stages)
    summary = f"{len(stages)} 个阶段，{cancels} 次取消，{seconds:.0f} s"
    if failed or found:
        where = ", ".join([*failed, *(["logs"] if found else [])])
        print(f"\n❌ 有失败 FAILED: {where}（{summary}）", flush=True)
        return 1
    print(f"\n✅ 全部通过 OK（{summary}）", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
