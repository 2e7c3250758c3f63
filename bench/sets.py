"""Ten thousand tasks at once: made in a burst (by bulk calls, then singly at 32 clients), and cancelled by one call.

The whole server runs in this process, so that its own loop can be watched: `lag` is how late the loop wakes a sleeper
while the burst or the cancel goes on. The posting client, the stand-in site (it never answers, so that a hundred
crawls run until they are cancelled), mongod and Valkey are processes of their own. CPU time is this process's, the
driver's threads included; `own_lag` is the part of each lag in which the loop's thread really ran, and stays the same
on a machine with other work. `spawned_beyond_slots` counts coroutines started for tasks that had to find no slot.
"""

import argparse
import asyncio
import contextlib
import gc
import ipaddress
import os
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from backend.api.app import make_app, make_server
from backend.composition.work import Running
from backend.core.clock import Clock
from backend.core.logs import configure_logs
from backend.core.settings import Settings
from backend.domain.task import FINAL_STATUSES, Task
from backend.main import startup
from bench._stand_in import stand_in
from bench.report import Report, judge, percentile

A_CALL = 1_000
CLIENTS = 32
RUNNING = 100
LAG_MS = 50
_LAG_STEP_S = 0.005
_LOOK_EVERY_S = 0.05
_END_WITHIN_S = 120.0
_FORGOTTEN_AT_ONCE = 500
TASKS = "/api/v1/tasks"
BURSTS = ("bulk", "post")
_FINAL = {status.value for status in FINAL_STATUSES}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--tasks", type=int, default=10_000, help="tasks of each burst (10000)")
    parser.add_argument("--bursts", nargs="+", default=BURSTS, choices=BURSTS, help="only these (both)")


def run(args: argparse.Namespace) -> Report:
    """Measure both bursts, each followed by its cancel."""
    # The log is written as ever, but for the terminal that would scroll it.
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        configure_logs("INFO")
        figures = asyncio.run(_measure(args.tasks, args.bursts))
    targets: dict[str, str] = {}
    for burst in args.bursts:
        targets |= {
            **{f"{burst}_made": f"== {figures['wanted']:g}", f"{burst}_lag_ms_p99": f"<= {LAG_MS}"},
            **{f"{burst}_spawned_beyond_slots": "<= 0", f"{burst}_cancel_left": "== 0"},
            **{f"{burst}_cancel_lag_ms_p99": f"<= {LAG_MS}", f"{burst}_cancel_not_cancelled": "== 0"},
            **{f"{burst}_cancel_unbalanced": "== 0", f"{burst}_cancel_repeats": "== 0"},
        }
    return Report("sets", figures, judge(figures, targets))


async def _measure(tasks: int, bursts: Sequence[str]) -> dict[str, float]:
    wanted = tasks + RUNNING
    figures: dict[str, float] = {"wanted": wanted}
    with stand_in() as site:
        async with _server() as house:
            await house.warm_up(site)
            for name in bursts:
                burst = house.bulk(site, wanted) if name == "bulk" else house.posts(site, wanted)
                figures |= await _burst(house, name, burst, wanted)
    return figures


async def _burst(house: "_House", name: str, burst: Any, wanted: int) -> dict[str, float]:
    house.spawned.clear()
    async with house.watched() as seen:
        await burst
    made = (await house.facets())["status"]
    # A burst that takes minutes outlives the crawls' patience with a site that never answers.
    ended = sum(count for status, count in made.items() if status in _FINAL)
    figures = {
        f"{name}_ended_before_cancel": ended,
        f"{name}_made": sum(made.values()),
        f"{name}_running": made.get("running", 0),
        f"{name}_spawned_beyond_slots": house.spawned.total() - ended - RUNNING,
        **seen.figures(name),
    }
    async with house.watched() as seen:
        begun = time.perf_counter()
        answer = await house.cancel_all()
        answered_s = time.perf_counter() - begun
        await house.until_all_ended()
    ends = (await house.facets())["status"]
    figures |= {f"{name}_cancel_{key}": answer[key] for key in ("matched", "cancelled", "cancelling", "repeats")}
    figures |= {
        f"{name}_cancel_answer_s": answered_s,
        f"{name}_cancel_not_cancelled": wanted - ended - ends.get("cancelled", 0),
        f"{name}_cancel_left": wanted - ended - answer["matched"],
        f"{name}_cancel_unbalanced": await house.unbalanced(),
        **seen.figures(f"{name}_cancel"),
    }
    await house.forget_all()
    return figures


@dataclass(slots=True)
class _Seen:
    """What was seen of this process meanwhile."""

    lags_ms: list[float] = field(default_factory=list)
    own_lags_ms: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0

    def figures(self, name: str) -> dict[str, float]:
        return {
            f"{name}_s": self.wall_s,
            f"{name}_cpu_s": self.cpu_s,
            f"{name}_lag_ms_p50": percentile(self.lags_ms, 50),
            f"{name}_lag_ms_p99": percentile(self.lags_ms, 99),
            f"{name}_lag_ms_max": max(self.lags_ms, default=0.0),
            f"{name}_own_lag_ms_p99": percentile(self.own_lags_ms, 99),
            f"{name}_own_lag_ms_max": max(self.own_lags_ms, default=0.0),
        }


class _House:
    """The server, and what is asked of it."""

    def __init__(self, running: Running, port: int, database: Any, client: httpx.AsyncClient) -> None:
        self._running = running
        self._port = port
        self._tasks = database["tasks"]
        self._client = client
        self.spawned: Counter[str] = Counter()
        self._count_spawns()

    def _count_spawns(self) -> None:
        service = self._running.services.tasks
        schedule = service.schedule

        def counted(task: Task) -> None:
            self.spawned[task.task_id] += 1
            schedule(task)

        service.schedule = counted  # type: ignore[method-assign]

    async def call(self, method: str, **query: str | int) -> Any:
        answer = await self._client.request(method, TASKS, params=query)
        answer.raise_for_status()
        return answer.json()["data"]

    async def cancel_all(self) -> Counter[str]:
        """Cancel what is active; asked again when the store was too slow, as its 503 says, which goes on from there."""
        told: Counter[str] = Counter()
        give_up_at = time.monotonic() + _END_WITHIN_S
        while True:
            answer = await self._client.delete(TASKS, params={"status": "active"})
            if answer.status_code != 503 or time.monotonic() > give_up_at:
                answer.raise_for_status()
                return told + Counter(answer.json()["data"])
            told["repeats"] += 1
            await asyncio.sleep(float(answer.headers["Retry-After"]))

    async def facets(self) -> Any:
        return (await self.call("GET", facets=1, limit=1))["facets"]

    async def warm_up(self, site: str) -> None:
        await self.bulk(site, 1)
        await self.posts(site, CLIENTS)
        await self.call("DELETE", status="active")
        await self.until_all_ended()
        await self.forget_all()

    async def bulk(self, site: str, wanted: int) -> None:
        """Have all posted at once, a thousand a call."""
        calls = [_one(site)] * A_CALL
        sizes = [min(A_CALL, wanted - start) for start in range(0, wanted, A_CALL)]
        await asyncio.gather(
            *(self._post(f"{TASKS}/bulk", orjson.dumps({"tasks": calls[:size]}), 1, 1) for size in sizes)
        )

    async def posts(self, site: str, wanted: int) -> None:
        """Have each posted by itself, over 32 connections."""
        body = orjson.dumps(_one(site))
        await self._post(TASKS, body, CLIENTS, wanted // CLIENTS * CLIENTS)
        if wanted % CLIENTS:
            await self._post(TASKS, body, 1, wanted % CLIENTS)

    async def _post(self, path: str, body: bytes, clients: int, requests: int) -> None:
        poster = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench._poster", str(self._port), path, str(clients), str(requests), "0"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        answer, _ = await poster.communicate(body)
        if int(answer):
            raise RuntimeError(f"{int(answer)} of {requests} posts to {path} were refused")

    async def until_all_ended(self) -> None:
        """Wait until nothing is active: asked of MongoDB, so that it costs the server nothing."""
        give_up_at = time.monotonic() + _END_WITHIN_S
        active = {"status": {"$in": ["held", "pending", "running", "waiting", "cancelling"]}}
        while await self._tasks.find_one(active, {"_id": 1}) is not None:
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"tasks are active {_END_WITHIN_S:g} s after the cancel")
            await asyncio.sleep(_LOOK_EVERY_S)

    async def unbalanced(self) -> int:
        """Return how many ended tasks have no balanced books."""
        return int(await self._tasks.count_documents({"books.balanced": {"$ne": True}}))

    async def forget_all(self) -> None:
        """Remove every task, so that the next burst finds as little as the first."""
        while rows := await self._tasks.find({}, {"_id": 1}).limit(_FORGOTTEN_AT_ONCE).to_list(None):
            await self._tasks.delete_many({"_id": {"$in": [row["_id"] for row in rows]}})

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[_Seen]:
        """Watch the loop and the clock while inside."""
        seen = _Seen()

        async def watch() -> None:
            while True:
                begun, ran = time.perf_counter(), time.thread_time()
                await asyncio.sleep(_LAG_STEP_S)
                lag_ms = (time.perf_counter() - begun - _LAG_STEP_S) * 1000
                seen.lags_ms.append(lag_ms)
                seen.own_lags_ms.append(min(lag_ms, (time.thread_time() - ran) * 1000))

        watching = asyncio.create_task(watch(), name="lag")
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            yield seen
        finally:
            seen.cpu_s, seen.wall_s = time.process_time() - cpu, time.perf_counter() - wall
            watching.cancel()
            await asyncio.wait({watching})


def _one(site: str) -> dict[str, Any]:
    params = {"urls": [f"{site}/slow/3600"], "obey_robots": False}
    return {"platform": "web", "type": "page", "params": params}


@contextlib.asynccontextmanager
async def _server() -> AsyncIterator[_House]:
    """Run the whole server in this loop, on a free port, with embedded stores of its own."""
    async with contextlib.AsyncExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="mcb-")))
        settings = Settings(
            data_dir=folder / "data",
            allow_private_networks=(ipaddress.ip_network("127.0.0.0/8"),),
            max_running_tasks=2 * RUNNING,
            max_running_crawls=RUNNING,
        )
        clock = Clock()
        running = await startup(settings, clock, closing)
        gc.collect()
        gc.freeze()
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(1024)
            listening.setblocking(False)
            server = make_server(make_app(running.services, settings, clock=clock), settings)
            server.add_socket(listening)
            running.services.system.mark_ready()
            port = listening.getsockname()[1]
            client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=_END_WITHIN_S, trust_env=False)
            closing.push_async_callback(client.aclose)
            yield _House(running, port, _database_of(running), client)
            server.stop()
            running.services.system.mark_draining()
            await running.sweeper.stop()
            await running.runner.drain(grace_s=10)
            await server.close_all_connections()


def _database_of(running: Running) -> Any:
    # Asked behind the server's back: what we look at must cost it nothing.
    return running.runner._stores.database._database()
