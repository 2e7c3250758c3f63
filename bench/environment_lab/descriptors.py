"""No file descriptors left: 64 beyond what the server has open, and five times as many callers as that."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.environment_lab.facts import Facts, house

_BEYOND = 64
_CALLERS = 5 * _BEYOND
_HELD_S = 5.0
# A busy loop takes all of a core.
_MOST_CPU_S = 1.0
_MOST_LINES = 40
_BACK_WITHIN_S = 10.0


async def descriptors_used_up(folder: Path, facts: Facts) -> None:
    """Take every descriptor while a crawl runs, hold them for five seconds, let go."""
    async with house(folder) as home:
        running = await home.create("crawl")
        await home.until(home.has_begun, within_s=10)
        process, log = psutil.Process(home.server.pid), folder / "server-1.log"
        limit = process.num_fds() + _BEYOND
        process.rlimit(psutil.RLIMIT_NOFILE, (limit, limit))
        with _callers(int(home.server.address.rpartition(":")[2])):
            lines, cpu_s = _lines(log), sum(process.cpu_times()[:2])
            await asyncio.sleep(_HELD_S)
            used_s, said = sum(process.cpu_times()[:2]) - cpu_s, _lines(log)[len(lines) :]
        facts.note("no busy loop", used_s <= _MOST_CPU_S, f"{used_s:.2f} s of a core in {_HELD_S:g} s")
        facts.note("no flood in the log", len(said) <= _MOST_LINES, f"{len(said)} lines")
        facts.note("a clear error", any("too many open files" in line for line in _lines(log)))
        facts.note("answers again", await home.until(home.is_healthy, within_s=_BACK_WITHIN_S), await home.health())
        task = await home.ended(running)
        facts.note("the crawl that ran has succeeded", task["status"] == "succeeded", task["status"])
        facts.note("its books balance", task["books"]["balanced"])


@contextlib.contextmanager
def _callers(port: int) -> Iterator[None]:
    made = []
    for _ in range(_CALLERS):
        caller = socket.socket()
        caller.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            caller.connect(("127.0.0.1", port))
        made.append(caller)
    try:
        yield
    finally:
        for caller in made:
            caller.close()


def _lines(log: Path) -> list[str]:
    return log.read_text("utf-8", "replace").splitlines()
