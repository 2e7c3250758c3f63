"""How long the server takes until /health answers 200 (a new data folder, then the same again), and what it weighs.

The resident memory is our process's own, some seconds after the start, with nothing to do.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from backend.core.settings import ROOT
from bench.report import Report, judge, percentile

TARGETS = {"cold_s": "<= 6", "warm_p50_s": "<= 3", "warm_max_s": "<= 3", "idle_rss_mb": "<= 120"}
_LIMIT_S = 60.0
_IDLE_S = 5.0
_LOOK_EVERY_S = 0.01


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--warm", type=int, default=5, help="warm starts (5)")


def run(args: argparse.Namespace) -> Report:
    """Start and stop the server once on a new folder, then `--warm` times on the same."""
    with tempfile.TemporaryDirectory(prefix="mcp-bench-") as folder:
        cold_s, _ = _start_and_stop(Path(folder), idle_s=0.0)
        warm = [_start_and_stop(Path(folder), idle_s=0.0)[0] for _ in range(args.warm)]
        _, rss_bytes = _start_and_stop(Path(folder), idle_s=_IDLE_S)
    figures = {
        "cold_s": round(cold_s, 3),
        "warm_p50_s": round(percentile(warm, 50), 3),
        "warm_max_s": round(max(warm), 3),
        "idle_rss_mb": round(rss_bytes / 1e6, 1),
    }
    return Report("start", figures, judge(figures, TARGETS))


def _start_and_stop(folder: Path, *, idle_s: float) -> tuple[float, int]:
    port = _free_port()
    environ = {**os.environ, "PORT": str(port), "DATA_DIR": str(folder / "data"), "HOST": "127.0.0.1"}
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
        took_s = time.perf_counter() - begun
        time.sleep(idle_s)
        return took_s, psutil.Process(process.pid).memory_info().rss
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
