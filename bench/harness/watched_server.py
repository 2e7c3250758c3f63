"""The server with a watch on its loop: once a second it writes how late the loop woke a sleeper, and what it holds.

`python -m bench.harness.watched_server FILE [LEAK_KB]` runs backend/main.py so; each line of FILE is one JSON object.
With LEAK_KB it keeps so much of every task for good: a measurement of memory has to find that.
"""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from backend import main
from backend.core.settings import Settings
from backend.runner.supervisor import Supervisor
from bench.harness.server import ServerPlan

if TYPE_CHECKING:
    from backend.runner.run import Run

STEP_S = 0.02
_STEPS_A_LINE = 50
# To count twenty thousand tasks takes some 20 ms, which would be taken for the server's own.
_MANY_TASKS = 5_000
_LINES_A_COUNT_OF_MANY = 20
_ARGUMENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedPlan(ServerPlan):
    """A server that writes its watch into `watch`; with `leak_kb` it leaks so much a task."""

    watch: Path
    leak_kb: int = 0

    @property
    def command(self) -> list[str]:
        """What is run, in the project's root."""
        return [sys.executable, "-m", "bench.harness.watched_server", str(self.watch), str(self.leak_kb)]


@dataclass(frozen=True, slots=True)
class Watched:
    """One second of a server's loop: `at` by time.time(), lags in ms, asyncio tasks, blocks of Python's memory.

    `kinds` counts the tasks by their coroutine; where they are many, as they were some seconds ago.
    """

    at: float
    lags_ms: Sequence[float]
    tasks: int
    blocks: int
    kinds: Mapping[str, int]


def watched(path: Path, *, since: float = 0.0) -> list[Watched]:
    """Return the lines of a watch from the moment `since` on; a line that is being written is left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    found = [Watched(**orjson.loads(line)) for line in lines]
    return [one for one in found if one.at >= since]


async def _watch(out: TextIO) -> None:
    kinds: Counter[str] = Counter()
    for number in itertools.count():
        lags_ms = []
        for _ in range(_STEPS_A_LINE):
            begun = time.perf_counter()
            await asyncio.sleep(STEP_S)
            lags_ms.append(round((time.perf_counter() - begun - STEP_S) * 1000, 2))
        if kinds.total() < _MANY_TASKS or number % _LINES_A_COUNT_OF_MANY == 0:
            kinds = Counter(getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())
        line = {
            "at": time.time(),
            "lags_ms": lags_ms,
            "tasks": kinds.total(),
            "blocks": sys.getallocatedblocks(),
            "kinds": kinds,
        }
        out.write(orjson.dumps(line).decode() + "\n")
        out.flush()


def _with_watch(serve: Any, path: Path) -> Any:
    async def main_with_watch(settings: Settings) -> Any:
        with path.open("w", encoding="utf-8") as out:
            watch = asyncio.create_task(_watch(out), name="bench-watch")
            try:
                return await serve(settings)
            finally:
                watch.cancel()
                await asyncio.wait({watch})

    return main_with_watch


def _leak(size_bytes: int) -> None:
    plain, kept = Supervisor.carry_out, []

    async def carry_out(self: Supervisor, run: "Run") -> None:
        # Written, or the pages would not be there.
        kept.append(b"x" * size_bytes)
        await plain(self, run)

    Supervisor.carry_out = carry_out  # type: ignore[method-assign]


if __name__ == "__main__":
    if len(sys.argv) > _ARGUMENTS and int(sys.argv[2]):
        _leak(int(sys.argv[2]) * 1_000)
    main.main = _with_watch(main.main, Path(sys.argv[1]))
    sys.exit(main.run())
