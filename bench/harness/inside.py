"""The server with a window into its process: what no look from outside can tell.

`python -m bench.harness.inside` runs backend/main.py so; BENCH_WINDOW names a unix socket. Each line that is sent to
it, a JSON list of task ids, is answered with one line: the names of the tasks' coroutines still there, pool threads at
work, store operations in flight, how late the loop was woken since the last question, and a digest of each task's
documents.
"""

import asyncio
import hashlib
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from backend import main
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.settings import Settings
from bench.harness.threads import busy_threads

if TYPE_CHECKING:
    from backend.store.tasks import TaskStore

VARIABLE = "BENCH_WINDOW"
COLLECTIONS = ("tasks", "items", "frontier", "events", "artifacts")
_STEP_S = 0.005
_MOST_SAMPLES = 1_000_000
_LINE_BYTES = 1 << 20


class Window:
    """Looks at the process it is in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lags_ms: list[float] = []

    async def watch(self) -> None:
        """Note how late the loop wakes us, for ever."""
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(_STEP_S)
            if len(self._lags_ms) < _MOST_SAMPLES:
                self._lags_ms.append((time.perf_counter() - begun - _STEP_S) * 1000)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each line with one."""
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._look(json.loads(line))).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass  # whoever asked has left
        finally:
            writer.close()

    async def _look(self, task_ids: list[str]) -> dict[str, Any]:
        lags, self._lags_ms = self._lags_ms, []
        return {
            "lags_ms": lags,
            "threads": busy_threads(),
            "operations": self._database.in_flight,
            "tasks": sorted(_of_work(task_ids)),
            "digests": {task_id: await self._digest(task_id) for task_id in task_ids},
        }

    async def _digest(self, task_id: str) -> str:
        """Return a hash over a task's documents, collection by collection: `tasks=... items=...`."""
        words = []
        for name in COLLECTIONS:
            digest = hashlib.sha256()
            query = {"_id": task_id} if name == "tasks" else {"task_id": task_id}
            cursor = self._database.collection(name).find(query).sort("_id", 1)
            for row in await self._database.do(cursor.to_list(None)):
                # The follow-ups of an end are done after it.
                row.pop("after", None)
                digest.update(repr(row).encode())
            words.append(f"{name}={digest.hexdigest()[:12]}")
        return " ".join(words)


def _of_work(task_ids: list[str]) -> list[str]:
    """Return the names of the asyncio tasks that belong to these tasks: a name ends with the task's id."""
    wanted = set(task_ids)
    names = (task.get_name() for task in asyncio.all_tasks())
    return [name for name in names if name.rpartition(":")[2] in wanted]


def _database_of(running: Any) -> Database:
    store: TaskStore = running.services.tasks._tasks
    return store._db


async def _startup(settings: Settings, clock: Clock, closing: AsyncExitStack) -> Any:
    running = await _plain_startup(settings, clock, closing)
    window = Window(_database_of(running))
    watching = asyncio.create_task(window.watch(), name="window")
    server = await asyncio.start_unix_server(window.answer, os.environ[VARIABLE], limit=_LINE_BYTES)

    async def shut() -> None:
        server.close()
        watching.cancel()
        await asyncio.wait({watching})

    closing.push_async_callback(shut)
    return running


_plain_startup = main.startup

if __name__ == "__main__":
    main.startup = _startup
    sys.exit(main.run())
