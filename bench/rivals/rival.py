"""What is asked of each contender, and the programs of the queues as child processes."""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

PROGRAMS = Path(__file__).parent / "programs"
WORKERS = 2
AT_ONCE = 10
_MARK = "BENCH_WORKER"
_KILLED_WITHIN_S = 10.0
_ANSWER_WITHIN_S = 60.0


class Rival(Protocol):
    """Two workers that run ten tasks each at once."""

    name: str

    async def start(self) -> None:
        """Start both workers and wait until they take work."""

    async def submit(self, job: str) -> str:
        """Hand in a job; return what cancels it."""

    async def cancel(self, reference: str) -> bool:
        """Stop a job that runs; False when there is no way to."""

    async def kill_one(self) -> None:
        """End one worker, and all that it started, with SIGKILL."""

    async def stop(self) -> None:
        """End everything."""


class Workers:
    """Worker processes, each of which can be killed with all that it started.

    Every process of one carries its mark in the environment: what the workers start may make sessions and groups of
    its own, and outlives its parent.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = {**os.environ, **environ, "PYTHONPATH": str(PROGRAMS), "PYTHONUNBUFFERED": "1"}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._token = secrets.token_hex(8)

    def start(self, command: Sequence[str], *, cwd: Path | None = None) -> None:
        """Start one more."""
        number = len(self._processes)
        with (self._folder / f"worker-{number}.log").open("wb") as output:
            self._processes.append(
                subprocess.Popen(
                    [*command],
                    cwd=cwd or PROGRAMS,
                    env={**self._environ, _MARK: self._mark(number)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    async def say(self, words: str, *, within_s: float) -> None:
        """Wait until every worker's log holds these words. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not self._all_say(words):  # noqa: ASYNC110 - other processes' logs
                await asyncio.sleep(0.05)

    def _all_say(self, words: str) -> bool:
        return all(words in self._log(number) for number in range(len(self._processes)))

    def _log(self, number: int) -> str:
        return (self._folder / f"worker-{number}.log").read_text("utf-8", "replace")

    def kill(self, number: int) -> None:
        """End one and all that it started. Raises RuntimeError when something of it lives on."""
        give_up_at = time.monotonic() + _KILLED_WITHIN_S
        while alive := self.alive(number):
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"worker {number} lives on: {alive}")
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._processes[number].wait()

    def alive(self, number: int) -> list[int]:
        """Return the processes of one, the one that was started first; those that have ended have no environment."""
        mark = f"{_MARK}={self._mark(number)}".encode()
        return sorted(int(place.parent.name) for place in Path("/proc").glob("[0-9]*/environ") if mark in _read(place))

    def _mark(self, number: int) -> str:
        return f"{self._token}.{number}."

    def kill_all(self) -> None:
        """End all."""
        for number in range(len(self._processes)):
            self.kill(number)


class Driver:
    """The queue's own client, in a process of its own: a line in, a line out."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._command = command
        self._environ = {**os.environ, **environ, "PYTHONPATH": str(PROGRAMS)}
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Start it."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=PROGRAMS, env=self._environ, stdin=pipe, stdout=pipe
        )

    async def ask(self, line: str) -> str:
        """Send a line and return the answer. Raises RuntimeError when the driver is gone, TimeoutError."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError("the driver is not started")
        async with self._turn:
            process.stdin.write(f"{line}\n".encode())
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                answer = (await process.stdout.readline()).decode().strip()
        if not answer:
            raise RuntimeError(f"the driver ended: {self._command}")
        return answer

    async def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def _read(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""
