"""How soon a server with embedded stores works again after kill -9 and a start on the same machine."""

import asyncio
import random
import time
from contextlib import AsyncExitStack
from pathlib import Path

from bench.chaos.journal import Journal
from bench.chaos.site import ChaosSite
from bench.chaos.vendor import ChaosVendor
from bench.report import spread
from tests.fixtures.server import ServerProcess

_TASKS_OF_A_KIND = 5
# Above what is polled here.
_POLLS = (100_000, 100_000)
_WORKS_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.02


async def resumes(folder: Path, *, times: int, seed: int) -> dict[str, float]:
    """Return `restart_s`, from the launch to /health, and `resume_s`, from there to a request of every task."""
    journal, dice = Journal(), random.Random(seed)
    site, vendor = (
        ChaosSite(journal, dice, pages_s=(0.5, 1.0), is_sound=True),
        ChaosVendor(journal, dice, polls=_POLLS, is_sound=True),
    )
    async with AsyncExitStack() as closing:
        await site.start()
        closing.push_async_callback(site.stop)
        await vendor.start()
        closing.push_async_callback(vendor.stop)
        server = ServerProcess(
            folder / "own", folder / "own.log", {**vendor.settings, "COGVIDEOX_POLL_INTERVAL_S": "2"}
        )
        closing.push_async_callback(asyncio.to_thread, _end, server)
        await asyncio.to_thread(server.start)
        names = await asyncio.to_thread(_create, server, site.origin)
        # Not before every job was polled: a kill in the middle of a submit leaves it uncertain.
        await _until_seen(journal, names, since=0.0)
        starts_s, works_s = [], []
        for _ in range(times):
            await asyncio.to_thread(server.kill)
            killed_at = time.time()
            await asyncio.to_thread(server.start)
            starts_s.append(server.start_s)
            up_at = killed_at + server.start_s
            works_s.append(max(0.0, await _until_seen(journal, names, since=killed_at) - up_at))
    return {**spread("restart_s", starts_s), **spread("resume_s", works_s)}


def _create(server: ServerProcess, origin: str) -> list[str]:
    """Create tasks that last; return the names by which the stand-ins know them."""
    names = []
    for number in range(_TASKS_OF_A_KIND):
        name = f"w{100_000}-resume-{number}"
        params = {"start_urls": [f"{origin}/t/{name}/p/0"], "max_pages": 100_000, "max_depth": 1_000, "concurrency": 1}
        server.create(params)
        made = server.call("POST", "/tasks", {"platform": "cogvideox", "params": {"prompt": f"海边 {number}"}})
        names += [name, str(made["task_id"])]
    return names


async def _until_seen(journal: Journal, names: list[str], *, since: float) -> float:
    """Return when the last of the tasks was first heard of after `since`. Raises TimeoutError."""
    async with asyncio.timeout(_WORKS_WITHIN_S):
        while True:
            firsts = [journal.first_after(name, since) for name in names]
            if None not in firsts:
                return max(first for first in firsts if first is not None)
            await asyncio.sleep(_LOOK_EVERY_S)


def _end(server: ServerProcess) -> None:
    """Stop it in order, and by force when it does not."""
    try:
        if hasattr(server, "process") and server.process.poll() is None:
            server.stop()
    finally:
        server.end()
