"""How long the server takes until /health answers 200 (a new data folder, then the same again), and what it weighs.

The resident memory is our process's own, some seconds after the start, with nothing to do. With `--tasks N` it starts
once more over N stored tasks: a fifth pending and due, a fiftieth running in an earlier start that was killed, the rest
ended; `resumed_s` is when it runs as many as it may, counted from the start of the process.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from backend.core.settings import ROOT
from bench._stand_in import stand_in
from bench._stored_tasks import store_tasks
from bench.report import Report, judge, percentile

TARGETS = {"cold_s": "<= 6", "warm_p50_s": "<= 3", "warm_max_s": "<= 3", "idle_rss_mb": "<= 120"}
TARGETS_OVER_TASKS = {"up_over_tasks_s": "<= 5", "resumed_s": "<= 6"}
_LIMIT_S = 60.0
_MAX_CRAWLS = 100
_IDLE_S = 5.0
_LOOK_EVERY_S = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--warm", type=int, default=5, help="warm starts (5)")
    parser.add_argument("--tasks", type=int, default=0, help="stored tasks of one more start (0: no such start)")


def run(args: argparse.Namespace) -> Report:
    """Start and stop the server once on a new folder, `--warm` times on the same, and once over stored tasks."""
    with tempfile.TemporaryDirectory(prefix="mcp-bench-") as folder:
        cold_s, _ = _start_and_stop(Path(folder), idle_s=0.0)
        warm = [_start_and_stop(Path(folder), idle_s=0.0)[0] for _ in range(args.warm)]
        _, rss_bytes = _start_and_stop(Path(folder), idle_s=_IDLE_S)
        stored = _start_over_tasks(Path(folder), args.tasks) if args.tasks else {}
    figures: dict[str, float] = {
        "cold_s": round(cold_s, 3),
        "warm_p50_s": round(percentile(warm, 50), 3),
        "warm_max_s": round(max(warm), 3),
        "idle_rss_mb": round(rss_bytes / 1e6, 1),
        **stored,
    }
    return Report("start", figures, judge(figures, TARGETS | (TARGETS_OVER_TASKS if stored else {})))


def _start_over_tasks(folder: Path, tasks: int) -> dict[str, float]:
    with stand_in() as site:
        asyncio.run(store_tasks(folder / "data", tasks, url=f"{site}/slow/3600"))
        with _started(folder) as (port, begun, process):
            figures = {"tasks": float(tasks), "up_over_tasks_s": round(time.perf_counter() - begun, 3)}
            while (running := _running_tasks(port)) < _MAX_CRAWLS and time.perf_counter() - begun < _LIMIT_S:
                time.sleep(_LOOK_EVERY_S)
            figures |= {"resumed": running, "resumed_s": round(time.perf_counter() - begun, 3)}
            figures["rss_over_tasks_mb"] = round(psutil.Process(process.pid).memory_info().rss / 1e6, 1)
    return figures


def _running_tasks(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/system", timeout=_LIMIT_S) as answer:
        return len(json.load(answer)["data"]["live"]["tasks"])


def _start_and_stop(folder: Path, *, idle_s: float) -> tuple[float, int]:
    with _started(folder) as (_, begun, process):
        took_s = time.perf_counter() - begun
        time.sleep(idle_s)
        return took_s, psutil.Process(process.pid).memory_info().rss


@contextlib.contextmanager
def _started(folder: Path) -> Iterator[tuple[int, float, "subprocess.Popen[bytes]"]]:
    """Start the server; yield its port, when it was begun, and itself, once it is healthy; stop it in order."""
    port = _free_port()
    ours = {"PORT": str(port), "DATA_DIR": str(folder / "data"), "HOST": "127.0.0.1"}
    environ = {**os.environ, **ours, "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8", "MAX_RUNNING_CRAWLS": str(_MAX_CRAWLS)}
    for name in ("MONGODB_URL", "REDIS_URL", "AUTH_TOKEN", "STORES"):
        environ.pop(name, None)
    begun = time.perf_counter()
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "backend" / "main.py")],
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for_health(port, process, begun)
        yield port, begun, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=_LIMIT_S)


def _wait_for_health(port: int, process: "subprocess.Popen[bytes]", begun: float) -> None:
    while time.perf_counter() - begun < _LIMIT_S:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=_LIMIT_S) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(_LOOK_EVERY_S)
    raise TimeoutError("no answer from /health")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
