"""A server with embedded stores whose store is killed under it, or frozen when it is to leave."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from bench.harness.server import Server, ServerPlan, alive
from bench.report import percentile

KILLS = 3
_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.02
_NAMES = {"mongo": "mongod", "valkey": "valkey-server"}


async def measure_embedded(folder: Path, logs: Path) -> dict[str, float]:
    """Return how long until all is well after a kill -9 of each, and how a server leaves a frozen mongod."""
    server = Server(ServerPlan(name="embedded", folder=folder, logs=logs))
    await server.start()
    figures: dict[str, float] = {}
    try:
        for name, program in _NAMES.items():
            times = [await _killed(server, program) for _ in range(KILLS)]
            figures |= {f"embedded_{name}_p50_s": percentile(times, 50), f"embedded_{name}_max_s": max(times)}
        figures |= await _left_frozen(server)
    finally:
        await server.stop()
    return figures


async def _killed(server: Server, program: str) -> float:
    pid = next(pid for pid, name in server.children().items() if name == program)
    begun = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    while time.monotonic() < begun + _WITHIN_S:
        is_new = any(one != pid and name == program for one, name in server.children().items())
        if is_new and await _is_ok(server):
            return time.monotonic() - begun
        await asyncio.sleep(_LOOK_EVERY_S)
    return _WITHIN_S


async def _is_ok(server: Server) -> bool:
    answer = await server.request("GET", "/health", None, {}, timeout_s=10)
    return bool(
        answer.json()["components"]["mongodb"]["state"] == answer.json()["components"]["redis"]["state"] == "ok"
    )


async def _left_frozen(server: Server) -> Mapping[str, float]:
    children = server.children()
    mongod = next(pid for pid, name in children.items() if name == "mongod")
    os.kill(mongod, signal.SIGSTOP)
    took_s = await server.terminate()
    return {"embedded_left_frozen_s": took_s, "embedded_children_left": float(len(alive(children)))}
