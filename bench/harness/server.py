"""The product as a process of its own, looked at only from outside: HTTP, its files, its children, its log."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from backend.core.settings import ROOT

LEASE_S = 30.0
GRACE_S = 10.0
STORE_VARIABLES = frozenset({"MONGODB_URL", "REDIS_URL"})
STORE_CHILDREN = frozenset({"mongod", "valkey-server"})
_LISTENS = re.compile(r"监听端口: (\d+)")
_START_S = 180.0
_LOOK_EVERY_S = 0.02
_CALL_S = 60.0
_LOOK_BYTES = 64 << 20
# Long enough for every end that is allowed (a provider that must be told: 5 s).
_WAIT_FOR_END_S = 20
# artifacts/parts/<token>/ also holds the work folders of renders.
_PARTS = ("*.part", "artifacts/parts/*/*")


class ServerError(Exception):
    """The server did not start or did not stop; the message holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """How one server is started. Its data lie in `folder`, its logs in `logs`.

    `settings` are the variables that differ from the harness's own. `without_flag_check` runs the product with its
    mirror of the cancel flags broken on purpose, `has_window` with a window into its process (`Server.look`).
    """

    name: str
    folder: Path
    logs: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    without_flag_check: bool = False
    has_window: bool = False

    @property
    def window(self) -> Path:
        """The unix socket of the window."""
        return self.folder.with_suffix(".win")

    @property
    def command(self) -> list[str]:
        """What is run, in the project's root."""
        if self.without_flag_check:
            return [sys.executable, "-m", "bench.harness.without_flag_check"]
        if self.has_window:
            return [sys.executable, "-m", "bench.harness.inside"]
        return [sys.executable, str(ROOT / "backend" / "main.py")]

    def environ(self, token: str) -> dict[str, str]:
        """Return the whole environment; what a developer's own .env sets is overruled name by name."""
        return {
            **{name: value for name, value in os.environ.items() if name not in STORE_VARIABLES},
            "HOST": "127.0.0.1",
            "PORT": "0",
            "DATA_DIR": str(self.folder),
            "AUTH_TOKEN": token,
            "STORES": "auto",
            "EXECUTION_ENGINE": "loop",
            "EXECUTION_MODE": "auto",
            "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8",
            "MAX_RUNNING_TASKS": "200",
            "MAX_RUNNING_CRAWLS": "100",
            "LEASE_S": str(LEASE_S),
            "SHUTDOWN_GRACE_S": str(GRACE_S),
            "LOG_LEVEL": "INFO",
            "LOG_FILE": str(self.folder.with_suffix(".log")),
            "NO_BROWSER": "1",
            # Platforms that need one cannot run: their tasks wait.
            "BROWSER_MODE": "off",
            "PYTHONUNBUFFERED": "1",
            "BENCH_WINDOW": str(self.window),
            **self.settings,
        }


@dataclass(frozen=True, slots=True)
class Look:
    """What the window showed: see bench/harness/inside.py."""

    lags_ms: list[float] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    operations: int = 0
    tasks: list[str] = field(default_factory=list)
    digests: Mapping[str, str] = field(default_factory=dict)


class Server:
    """One server. `start` and `stop` may follow each other: the data stay."""

    def __init__(self, plan: ServerPlan) -> None:
        self._plan = plan
        self._token = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.AsyncClient | None = None
        self._starts = 0
        self._log = plan.logs
        self._api_port = 0
        # How late its loop was woken since somebody emptied this; filled by `look`.
        self.lags_ms: list[float] = []
        # Tasks that run beside what is measured, and are no leaks.
        self.background: set[str] = set()

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start it and wait until it listens. Raises ServerError."""
        self._starts += 1
        self._plan.folder.mkdir(parents=True, exist_ok=True)
        self._log = self._plan.logs / f"{self._plan.name}-{self._starts}.log"
        with self._log.open("wb") as output:
            # A session of its own: Ctrl+C in a terminal comes to us, and we stop it in order.
            self._process = subprocess.Popen(  # noqa: ASYNC220 - some ms, and a handle that a lost loop leaves usable
                self._plan.command,
                cwd=ROOT,
                env=self._plan.environ(self._token),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        port = self._api_port = await self._port()
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=_CALL_S,
            trust_env=False,
            limits=httpx.Limits(max_connections=None),
        )

    async def stop(self) -> None:
        """End it with SIGTERM, and by force when that takes longer than its grace. Twice does nothing."""
        if self._process is None:
            return
        try:
            await self.terminate()
        except ServerError:
            self._kill()
            raise
        finally:
            if self._process is not None:
                self._kill()

    async def terminate(self) -> float:
        """Send SIGTERM and wait for exit code 0; return the seconds. Raises ServerError."""
        process = self._running()
        begun = time.perf_counter()
        process.terminate()
        while process.poll() is None:
            if time.perf_counter() - begun > 2 * GRACE_S:
                raise ServerError(f"{self._plan.name} did not stop within {2 * GRACE_S} s:\n{self._last_words()}")
            await asyncio.sleep(_LOOK_EVERY_S / 4)
        took_s = time.perf_counter() - begun
        self._process = None
        if self._client is not None:
            await self._client.aclose()
            self._client = None
        if process.returncode != 0:
            raise ServerError(f"{self._plan.name} ended with {process.returncode}:\n{self._last_words()}")
        return took_s

    async def kill(self) -> None:
        """End it with SIGKILL, and all that it started; its data stay."""
        self._kill()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def wait_exit(self, *, within_s: float) -> int:
        """Wait until it has ended, whatever sent the signal, and return its exit code. Raises ServerError."""
        process, until = self._running(), time.monotonic() + within_s
        while process.poll() is None:
            if time.monotonic() > until:
                raise ServerError(f"{self._plan.name} did not end within {within_s} s:\n{self._last_words()}")
            await asyncio.sleep(_LOOK_EVERY_S / 4)
        code = process.returncode
        await self.kill()
        return code

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    async def _port(self) -> int:
        process, until = self._running(), time.monotonic() + _START_S
        while time.monotonic() < until:
            if found := _LISTENS.search(self._log.read_text("utf-8", "replace")):
                return int(found[1])
            if process.poll() is not None:
                raise ServerError(f"{self._plan.name} ended with {process.returncode}:\n{self._last_words()}")
            await asyncio.sleep(_LOOK_EVERY_S)
        raise ServerError(f"{self._plan.name} did not start within {_START_S} s:\n{self._last_words()}")

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise RuntimeError(f"{self._plan.name} is not running")
        return self._process

    def _last_words(self) -> str:
        return self._log.read_text("utf-8", "replace")[-3_000:]

    # -- its API -------------------------------------------------------------------------------------------------

    async def call(self, method: str, path: str, body: object = None, **query: str | int) -> Any:
        """Return `data` of the answer. Raises httpx.HTTPStatusError when it is no success."""
        if self._client is None:
            raise RuntimeError(f"{self._plan.name} is not running")
        answer = await self._client.request(method, f"/api/v1{path}", json=body, params=query)
        answer.raise_for_status()
        return answer.json()["data"]

    async def request(
        self, method: str, path: str, body: object, headers: Mapping[str, str], *, timeout_s: float
    ) -> httpx.Response:
        """Return the bare answer to any path, whatever its status. Raises httpx.HTTPError when there is none."""
        if self._client is None:
            raise RuntimeError(f"{self._plan.name} is not running")
        return await self._client.request(method, path, json=body, headers=dict(headers), timeout=timeout_s)

    async def lines(self, path: str, **query: str | int) -> AsyncIterator[str]:
        """Yield the lines of an answer that goes on and on. Raises httpx.HTTPError."""
        if self._client is None:
            raise RuntimeError(f"{self._plan.name} is not running")
        async with self._client.stream("GET", f"/api/v1{path}", params=query, timeout=None) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                yield line

    async def stream_lines(self, path: str) -> AsyncIterator[str]:
        """Yield the lines of an endless answer. Raises httpx.HTTPError when it breaks off."""
        if self._client is None:
            raise RuntimeError(f"{self._plan.name} is not running")
        async with self._client.stream("GET", path, timeout=None) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                yield line

    async def create(self, platform: str, params: Mapping[str, object], **more: object) -> str:
        """Create a task and return its id."""
        made = await self.call("POST", "/tasks", {"platform": platform, "params": dict(params), **more})
        return str(made["task_id"])

    async def record(self, task_id: str) -> dict[str, Any]:
        """Return the record of a task."""
        record: dict[str, Any] = await self.call("GET", f"/tasks/{task_id}")
        return record

    async def ended(self, task_id: str) -> dict[str, Any]:
        """Return the record of a task once it is final, or as it is after 20 s."""
        record: dict[str, Any] = await self.call("GET", f"/tasks/{task_id}", wait=_WAIT_FOR_END_S, until="final")
        return record

    async def cancel(self, task_id: str) -> dict[str, Any]:
        """Cancel a task and return its record at its end, or as it is after 20 s."""
        record: dict[str, Any] = await self.call("DELETE", f"/tasks/{task_id}", wait=_WAIT_FOR_END_S)
        return record

    async def system(self) -> dict[str, Any]:
        """Return what the server says of itself."""
        about: dict[str, Any] = await self.call("GET", "/system")
        return about

    async def look(self, task_ids: Sequence[str] = ()) -> Look:
        """Return what the window shows of the process, and of these tasks; nothing where there is no window."""
        if not self._plan.has_window or self._plan.without_flag_check:
            return Look()
        reader, writer = await asyncio.open_unix_connection(str(self._plan.window), limit=_LOOK_BYTES)
        try:
            writer.write(json.dumps(list(task_ids)).encode() + b"\n")
            look = Look(**json.loads(await reader.readline()))
        finally:
            writer.close()
        self.lags_ms += look.lags_ms
        return look

    @property
    def address(self) -> str:
        """Where it listens, without a slash at the end. RuntimeError when it does not run."""
        if self._client is None:
            raise RuntimeError(f"{self._plan.name} is not running")
        return str(self._client.base_url).rstrip("/")

    @property
    def token(self) -> str:
        """What its callers must carry."""
        return self._token

    # -- what the operating system says -------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def children(self) -> dict[int, str]:
        """Return its child processes, zombies too, by id: their programs' names. Empty where there is no /proc."""
        return {pid: name for pid, (name, parent) in _processes().items() if parent == self.pid}

    def outgoing(self) -> int:
        """Return how many TCP connections it has that did not come to its own port."""
        port = self._api_port
        found = psutil.Process(self.pid).net_connections("tcp")
        gone = {psutil.CONN_LISTEN, psutil.CONN_TIME_WAIT, psutil.CONN_CLOSE}
        return sum(one.status not in gone and one.laddr.port != port for one in found)

    def part_files(self) -> list[Path]:
        """Return the half-written files under its data folder."""
        return sorted({path for pattern in _PARTS for path in self._plan.folder.rglob(pattern)})


def alive(pids: Mapping[int, str]) -> list[str]:
    """Return the names of those processes that are still there under the same name."""
    now = _processes()
    return [name for pid, name in pids.items() if pid in now and now[pid][0] == name]


def _processes() -> dict[int, tuple[str, int]]:
    found: dict[int, tuple[str, int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name stands in brackets and may hold anything: what counts comes after the last one.
            head, _, tail = stat.read_text("utf-8", "replace").rpartition(")")
            found[int(stat.parent.name)] = (head.partition("(")[2], int(tail.split()[1]))
    return found
