"""What POST /tasks costs: parse, validate, store in the real MongoDB and spawn, against a bare POST handler.

Both handlers run in this process and write their access line; CPU time is this process's (the driver's threads
included), per request. The posting client and mongod are processes of their own. The spawned work ends at once:
only the creation is measured. `ratio` is bare over create, the bare handler asked as often in a second as tasks are
created: a process that sleeps between requests finds its caches cold on a machine with other work (measured: the
bare handler took 294 us flat out and 1,210 us when asked every 6 ms). `ratio_flat_out` has it asked without a pause.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import tornado.web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.embedded import EmbeddedStores
from backend.core.logs import configure_logs
from backend.core.settings import Settings
from backend.domain.task import Task
from bench.report import Report, judge
from tests.fixtures.api_server import URL, ApiServer

MANY = 32
WARM_UP = 200
TARGETS = {"ratio": ">= 0.30", "refused": "== 0"}
BODY = orjson.dumps({"platform": "web", "type": "site", "params": {"start_urls": [URL], "max_pages": 500}})
TASKS = "/api/v1/tasks"


class _Bare(tornado.web.RequestHandler):
    def post(self) -> None:
        """Answer, and do nothing."""
        self.write(b'{"code": 0}\n')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--requests", type=int, default=2_000, help="requests of each kind (2000)")


def run(args: argparse.Namespace) -> Report:
    """Measure both handlers with one client, then with 32 at once."""
    # The log is written as ever, but for the terminal that would scroll it.
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        configure_logs("INFO")
        figures = asyncio.run(_measure(args.requests))
    return Report("create", figures, judge(figures, TARGETS))


async def _measure(requests: int) -> dict[str, float]:
    figures: dict[str, float] = {"refused": 0}
    async with _servers() as (bare_port, api_port):
        for suffix, clients in (("", 1), (f"_{MANY}_clients", MANY)):
            bare, create = _Load(bare_port, "/", clients, requests), _Load(api_port, TASKS, clients, requests)
            for load in (bare, create):
                await dataclasses.replace(load, requests=WARM_UP).post()
            made = await create.post()
            at_rate = await dataclasses.replace(bare, every_s=made.wall_s * clients / requests).post()
            flat_out = await bare.post()
            figures |= {
                f"create_us{suffix}": made.cpu_us,
                f"bare_us{suffix}": at_rate.cpu_us,
                f"bare_flat_out_us{suffix}": flat_out.cpu_us,
                f"ratio{suffix}": at_rate.cpu_us / made.cpu_us,
                f"ratio_flat_out{suffix}": flat_out.cpu_us / made.cpu_us,
                "refused": figures["refused"] + made.refused + at_rate.refused + flat_out.refused,
            }
    return figures


@dataclasses.dataclass(frozen=True, slots=True)
class _Spent:
    """What a load took: our CPU time per request in microseconds, its length in seconds, answers that were not 200."""

    cpu_us: float
    wall_s: float
    refused: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Load:
    """Requests to one path; each client posts at most once in `every_s` seconds."""

    port: int
    path: str
    clients: int
    requests: int
    every_s: float = 0.0

    async def post(self) -> _Spent:
        arguments = (self.port, self.path, self.clients, self.requests, self.every_s)
        poster = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench._poster", *map(str, arguments)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        cpu, wall = time.process_time(), time.perf_counter()
        answer, _ = await poster.communicate(BODY)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return _Spent(cpu * 1e6 / (self.requests // self.clients * self.clients), wall, int(answer))


@contextlib.asynccontextmanager
async def _servers() -> AsyncIterator[tuple[int, int]]:
    """Run both servers on free ports over real stores of their own."""
    async with contextlib.AsyncExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="mcb-")))
        stores = EmbeddedStores(folder)
        await stores.start()
        closing.push_async_callback(stores.stop)
        assert stores.mongo is not None
        assert stores.valkey is not None
        clock = Clock()
        database, cache = Database(stores.mongo.uri, "bench", clock=clock), Cache(stores.valkey.uri, clock=clock)
        for client in (database, cache):
            await client.connect()
            closing.push_async_callback(client.close)
        api = ApiServer(database, cache, clock, folder, Settings())
        # The work of a task is measured elsewhere.
        api.bench.runner.attempt = _none  # type: ignore[method-assign]
        await api.start()
        closing.push_async_callback(api.stop)
        sockets = bind_sockets(0, "127.0.0.1")
        bare = HTTPServer(tornado.web.Application([("/", _Bare)]))
        bare.add_sockets(sockets)
        closing.callback(bare.stop)
        yield sockets[0].getsockname()[1], api.port


@contextlib.asynccontextmanager
async def _none(task: Task) -> AsyncIterator[None]:
    """Yield no attempt: what was spawned ends at once."""
    del task
    yield None
