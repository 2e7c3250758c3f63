"""Servers that are killed, frozen and cut off from MongoDB, and a supervisor that starts each again."""

import asyncio
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backend.core.settings import ROOT
from bench.chaos.options import DATABASE, LEASE_S, Broken
from bench.harness.server import ServerPlan
from tests.fixtures.fault_proxy import FaultProxy

_LISTENS = re.compile(rb"\xe7\x9b\x91\xe5\x90\xac\xe7\xab\xaf\xe5\x8f\xa3: (\d+)")
_LOOK_EVERY_S = 0.05
# In BSON: the reason of the history entry that a run's end writes.
_THE_END = b"\x02reason\x00\x06\x00\x00\x00ended\x00"
_TASK_ID = re.compile(rb"t_[0-9a-f]{21}")
_ARMED_S = 20.0
_CATCH_EVERY_S = 0.01
_RESTART_S = (0.0, 1.0)
_STOP_S = 15.0
# Until a server has found its stores again, and has swept once.
_SETTLES_S = 2.0


@dataclass(slots=True)
class Start:
    """One start of one server; times of day in s, None for what has not happened."""

    server: str
    tag: str
    began_at: float
    up_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    was_killed: bool = False


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in which a server was frozen (SIGSTOP), or its writes were held up on the way to MongoDB."""

    server: str
    tag: str
    kind: Literal["frozen", "held"]
    began_at: float
    ended_at: float


class ChaosServer:
    """One server and its supervisor, from `start` to `stop`; its data folder and its name stay over its starts."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        proxy: FaultProxy,
        environ: Mapping[str, str],
        dice: random.Random,
        without: Broken | None = None,
    ) -> None:
        self.name = name
        self.proxy = proxy
        self.folder = folder / name
        self.starts: list[Start] = []
        self.spells: list[Spell] = []
        self.listened = asyncio.Event()
        self.token = secrets.token_hex(16)
        self.base = ""
        self._logs = folder / "logs"
        self._environ = environ
        self._dice = dice
        self._without = without
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._is_frozen = False
        self._is_held = False

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start it, and again whenever it ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._keeper = asyncio.create_task(self._keep(), name=f"keep:{self.name}")

    async def stop(self) -> int | None:
        """End it with SIGTERM, by force after 15 s; return its exit code."""
        self._is_stopping = True
        if self._keeper is None:
            return None
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        await asyncio.wait({self._keeper}, timeout=_STOP_S)
        if not self._keeper.done():
            self._signal(signal.SIGKILL)
            await asyncio.wait({self._keeper})
        self._keeper.result()
        return self.starts[-1].exit_code

    @property
    def is_up(self) -> bool:
        """Whether it listens, and is not frozen."""
        return bool(self.starts) and self._is_listening and not self._is_frozen

    @property
    def is_able(self) -> bool:
        """Whether it has listened and reached MongoDB for some seconds."""
        if not self.is_up or self._is_held:
            return False
        able_since = max([self.starts[-1].up_at or 0.0, *(spell.ended_at for spell in self.spells[-1:])])
        return time.time() - able_since > _SETTLES_S

    @property
    def tag(self) -> str:
        """The tag of its present start."""
        return self.starts[-1].tag

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log_texts(self) -> Mapping[str, str]:
        """What each of its starts has said, by tag."""
        return {start.tag: self._log(start.tag).read_text("utf-8", "replace") for start in self.starts}

    # -- faults --------------------------------------------------------------------------------------------------

    def kill(self) -> bool:
        """Kill -9 it; False when it does not listen."""
        if not self.is_up:
            return False
        self.starts[-1].was_killed = True
        self._signal(signal.SIGKILL)
        return True

    async def freeze(self, seconds: float) -> None:
        """Stop it with SIGSTOP, and let it go on after a while."""
        if not self.is_up:
            return
        tag, began_at = self.tag, time.time()
        self._is_frozen = True
        self._signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._signal(signal.SIGCONT)
            self._is_frozen = False
            self.spells.append(Spell(self.name, tag, "frozen", began_at, time.time()))

    async def hold(self, is_over: Callable[[str], Awaitable[bool]]) -> None:
        """Cut it off from MongoDB at the very write that ends a task, and let all it sent arrive once `is_over`.

        Its clients give up long before. `is_over` is asked again and again, with the task's id.
        """
        if not self.is_up:
            return
        tag, armed_at = self.tag, time.time()
        await asyncio.to_thread(self.proxy.behave, frozen_from=_THE_END)
        try:
            # The proxy lives in a thread of its own, and the store in a process: neither tells us.
            while self.proxy.caught is None and self.is_up and time.time() - armed_at < _ARMED_S:  # noqa: ASYNC110
                await asyncio.sleep(_CATCH_EVERY_S)
            began_at = time.time()
            self._is_held = self.proxy.caught is not None
            found = _TASK_ID.search(self.proxy.caught or b"")
            while found and not await is_over(found[0].decode()):  # noqa: ASYNC110
                await asyncio.sleep(_CATCH_EVERY_S)
        finally:
            await asyncio.to_thread(self.proxy.behave)
            if self._is_held:
                self.spells.append(Spell(self.name, tag, "held", began_at, time.time()))
            self._is_held = False

    # -- below ---------------------------------------------------------------------------------------------------

    @property
    def _is_listening(self) -> bool:
        last = self.starts[-1]
        return last.up_at is not None and last.ended_at is None and not last.was_killed

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)

    def _log(self, tag: str) -> Path:
        return self._logs / f"{tag}.log"

    async def _keep(self) -> None:
        while not self._is_stopping:
            start = self._launch()
            process = self._process
            while process is not None and process.poll() is None:
                if start.up_at is None:
                    self._look(start)
                await asyncio.sleep(_LOOK_EVERY_S)
            start.ended_at = time.time()
            start.exit_code = process.returncode if process is not None else None
            if not self._is_stopping:
                await asyncio.sleep(self._dice.uniform(*_RESTART_S))

    def _launch(self) -> Start:
        start = Start(self.name, f"{self.name}-{len(self.starts) + 1}", time.time())
        command = [sys.executable, "-m", "bench.chaos.server", start.tag]
        if self._without:
            command += ["--without", self._without]
        plan = ServerPlan(name=self.name, folder=self.folder, logs=self._logs, settings=self._environ)
        with self._log(start.tag).open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=plan.environ(self.token),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts.append(start)
        return start

    def _look(self, start: Start) -> None:
        if found := _LISTENS.search(self._log(start.tag).read_bytes()):
            self.base = f"http://127.0.0.1:{int(found[1])}"
            start.up_at = time.time()
            self.listened.set()


class Fleet:
    """All servers, each with a proxy of its own before MongoDB."""

    def __init__(
        self,
        folder: Path,
        count: int,
        *,
        mongo_socket: str,
        environ: Mapping[str, str],
        dice: random.Random,
        without: Broken | None = None,
    ) -> None:
        self.servers: list[ChaosServer] = []
        for number in range(1, count + 1):
            proxy = FaultProxy(mongo_socket)
            proxy.start()
            settings = {**environ, "MONGODB_URL": f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"}
            made = ChaosServer(f"s{number}", folder, proxy=proxy, environ=settings, dice=dice, without=without)
            self.servers.append(made)

    async def start(self) -> None:
        """Start all, and wait until each has listened once."""
        for server in self.servers:
            await server.start()
        for server in self.servers:
            await server.listened.wait()

    async def stop(self) -> list[int | None]:
        """Stop all in order; return their exit codes."""
        codes = await asyncio.gather(*(server.stop() for server in self.servers))
        for server in self.servers:
            await asyncio.to_thread(server.proxy.stop)
        return list(codes)

    @property
    def up(self) -> list[ChaosServer]:
        """Those that listen and are not frozen."""
        return [server for server in self.servers if server.is_up]

    @property
    def starts(self) -> list[Start]:
        """Every start of every server, in order of time."""
        return sorted((start for server in self.servers for start in server.starts), key=lambda start: start.began_at)

    @property
    def spells(self) -> list[Spell]:
        """Every time a server was frozen or held up."""
        return [spell for server in self.servers for spell in server.spells]


def settings_of(vendor: Mapping[str, str], redis_url: str, *, poll_s: float) -> dict[str, str]:
    """Return what every server of a fleet is told."""
    return {
        **vendor,
        "REDIS_URL": redis_url,
        "MONGODB_DATABASE": DATABASE,
        "LEASE_S": str(LEASE_S),
        "COGVIDEOX_POLL_INTERVAL_S": str(poll_s),
        # Their standard output is the log.
        "LOG_FILE": "",
    }
