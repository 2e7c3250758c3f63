"""No client, loop or task is made when a module is imported (lifecycle.md §6)."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# In a process of its own: here other tests have made clients already.
_IMPORT_EVERYTHING = """
import asyncio, gc, importlib, pkgutil, sys, threading
import backend

for found in pkgutil.walk_packages(backend.__path__, "backend."):
    if not found.name.endswith(".__main__"):
        importlib.import_module(found.name)

import aiohttp, httpx, motor.motor_asyncio, pymongo, redis, redis.asyncio, tornado.ioloop

LIVE = (
    aiohttp.ClientSession, aiohttp.BaseConnector, httpx.AsyncClient, httpx.Client, httpx.AsyncBaseTransport,
    motor.motor_asyncio.AsyncIOMotorClient, pymongo.MongoClient, redis.Redis, redis.asyncio.Redis,
    redis.asyncio.ConnectionPool, asyncio.AbstractEventLoop, asyncio.Task, tornado.ioloop.IOLoop,
)
# Not isinstance on everything: some lazy objects answer it with an import.
found = [type(one).__name__ for one in gc.get_objects() if issubclass(type(one), LIVE)]
threads = [one.name for one in threading.enumerate() if one is not threading.main_thread()]
print(sorted(name for name in sys.modules if name.startswith("backend.")))
print(found + threads)
"""


def test_importing_every_module_makes_no_client_no_loop_and_no_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _IMPORT_EVERYTHING],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stderr
    imported, live = done.stdout.splitlines()
    assert "'backend.main'" in imported
    assert "'backend.crawl.platforms.web'" in imported
    assert live == "[]"
