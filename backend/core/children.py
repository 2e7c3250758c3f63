"""Helper programs (ffmpeg, ffprobe): started, watched, killed and reaped in one place.

Each child leads a session and process group of its own, so that a terminal's Ctrl+C reaches only the server and a kill
reaches everything the child started. On Linux the kernel kills it when the server dies (bound_child.py).
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

if sys.platform == "win32":
    from backend.core.embedded.windows_job import bind_what_we_start

_BOUND_CHILD = str(Path(__file__).with_name("bound_child.py"))
_CHUNK_BYTES = 65_536
_LINE_LIMIT_BYTES = 8_192
_STDERR_TAIL_BYTES = 8_192
_TERM_GRACE_S = 1.0

# The handle of the job on Windows: open until this process ends, however it ends.
_JOB: list[int] = []

# What a child reads: at hand, or made as it reads. The latter may not raise, and is closed at the end.
Feed = bytes | AsyncGenerator[bytes, None]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child ended: `returncode` is negative for a signal; `stderr_tail` is its last 8 KB.

    `is_truncated`: it printed more than `max_output_bytes`, and `stdout` holds only the first of them.
    """

    returncode: int
    stdout: bytes
    stderr_tail: str
    is_truncated: bool = False


@dataclass(frozen=True, slots=True)
class _Order:
    argv: tuple[str, ...]
    on_line: Callable[[str], None] | None
    stdin: Feed | None
    kill_first: bool
    cwd: Path | None
    max_output_bytes: int
    timeout_s: float | None
    niceness: int


class Children:
    """The only place that starts helper programs. `run` is always awaited on the loop `start` ran on."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[Finished], _Child] = {}
        self._is_open = False

    async def start(self) -> None:
        """Take orders from now on."""
        _bind_all()
        self._is_open = True

    async def stop(self) -> None:
        """Take no more orders; kill and reap every child that is left."""
        self._is_open = False
        for child in self._running.values():
            child.kill()
        while self._running:
            await asyncio.wait(set(self._running))
            # Done callbacks run in a later step of the loop.
            await asyncio.sleep(0)

    def live(self) -> int:
        """Return how many children have been started and not yet been reaped."""
        return len(self._running)

    async def run(
        self,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None] | None = None,
        stdin: Feed | None = None,
        kill_first: bool = True,
        cwd: Path | None = None,
        max_output_bytes: int = 1_000_000,
        timeout_s: float | None = None,
        niceness: int = 0,
    ) -> Finished:
        """Run a program to its end; `argv[0]` is an absolute path. A bad exit code is no error here.

        A generator for `stdin` is asked for more only when the child has read what was there. With `on_line` each
        line of its standard output is handed over on the server's loop thread (cut at 8 KB) and `stdout` stays empty.
        Cancelling the await kills the child's whole group (`kill_first`: at once; else SIGTERM
        and a second's grace), waits until it is reaped, and only then lets CancelledError go on.
        Raises FileNotFoundError when there is no such program, TimeoutError after `timeout_s` (the child is dead then).
        """
        if not self._is_open:
            raise RuntimeError("no child can be started after close")
        if not os.access(argv[0], os.X_OK):
            raise FileNotFoundError(argv[0])
        child = _Child(_Order(tuple(argv), on_line, stdin, kill_first, cwd, max_output_bytes, timeout_s, niceness))
        # A task of ours and not the caller's: a second cancel must not cut the reaping short.
        life = asyncio.create_task(child.live(), name=f"child:{Path(argv[0]).name}")
        self._running[life] = child
        life.add_done_callback(lambda ended: self._running.pop(ended, None))
        try:
            return await asyncio.shield(life)
        except asyncio.CancelledError:
            child.stop()
            await asyncio.wait({life})
            if not life.cancelled():
                # Read, so that asyncio does not complain of an error nobody saw.
                life.exception()
            raise


class _Child:
    """One child from its start to its reaping."""

    def __init__(self, order: _Order) -> None:
        self._order = order
        self._process: asyncio.subprocess.Process | None = None
        self._is_stopped = False
        self._is_killed = False
        self._has_timed_out = False
        self._is_reaped = False

    async def live(self) -> Finished:
        """Start the child, read it to its end, reap it."""
        process = self._process = await self._spawn()
        if self._is_killed or self._is_stopped:
            # The stop came while the process was being made.
            self.kill() if self._is_killed else self.stop()
        loop = asyncio.get_running_loop()
        timeout_s = self._order.timeout_s
        alarm = loop.call_later(timeout_s, self._expire) if timeout_s is not None else None
        try:
            finished = await self._converse(process)
        finally:
            if alarm is not None:
                alarm.cancel()
            # Also after a good end: what the child itself left running must not outlive it.
            self.kill()
            await process.wait()
            self._is_reaped = True
        if self._has_timed_out:
            raise TimeoutError(f"{Path(self._order.argv[0]).name} took longer than {timeout_s} s")
        return finished

    def stop(self) -> None:
        """End it the way it was ordered: at once, or asked first."""
        if self._order.kill_first or sys.platform == "win32":
            self.kill()
            return
        self._is_stopped = True
        if self._process is not None:
            _signal_group(self._process, signal.SIGTERM)
            asyncio.get_running_loop().call_later(_TERM_GRACE_S, self.kill)

    def kill(self) -> None:
        """End it and all it started, at once."""
        self._is_killed = True
        if self._process is not None and not self._is_reaped:
            _kill_group(self._process)

    def _expire(self) -> None:
        self._has_timed_out = True
        self.kill()

    async def _spawn(self) -> asyncio.subprocess.Process:
        order = self._order
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        stdin = none if order.stdin is None else pipe
        if sys.platform == "win32":  # not run by us: no Windows here
            # CREATE_NEW_PROCESS_GROUP | BELOW_NORMAL_PRIORITY_CLASS
            flags = 0x00000200 | (0x00004000 if order.niceness else 0)
            return await asyncio.create_subprocess_exec(
                *order.argv, stdin=stdin, stdout=pipe, stderr=pipe, cwd=order.cwd, creationflags=flags
            )
        argv = [sys.executable, "-I", "-S", _BOUND_CHILD, str(os.getpid()), str(order.niceness), *order.argv]
        return await asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=pipe, stderr=pipe, cwd=order.cwd, start_new_session=True
        )

    async def _converse(self, process: asyncio.subprocess.Process) -> Finished:
        order = self._order
        out = _Output(on_line=order.on_line, max_bytes=order.max_output_bytes)
        tail = bytearray()
        async with asyncio.TaskGroup() as pipes:
            pipes.create_task(_read(process.stdout, out.take), name="child:stdout")
            pipes.create_task(_read(process.stderr, lambda chunk: _keep_tail(tail, chunk)), name="child:stderr")
            if order.stdin is not None:
                feeding = pipes.create_task(_feed(process, order.stdin), name="child:stdin")
                pipes.create_task(_end_feed(process, feeding), name="child:end-of-stdin")
        returncode = await process.wait()
        return Finished(returncode, bytes(out.kept), tail.decode("utf-8", "replace"), out.is_truncated)


class _Output:
    """What a child prints: handed on line by line, or kept up to a limit."""

    def __init__(self, *, on_line: Callable[[str], None] | None, max_bytes: int) -> None:
        self.kept = bytearray()
        self.is_truncated = False
        self._on_line = on_line
        self._max_bytes = max_bytes
        self._rest = b""

    def take(self, chunk: bytes) -> None:
        if self._on_line is None:
            self._keep(chunk)
            return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[:_LINE_LIMIT_BYTES]
        for line in lines:
            self._on_line(line[:_LINE_LIMIT_BYTES].decode("utf-8", "replace").rstrip("\r"))

    def _keep(self, chunk: bytes) -> None:
        room = self._max_bytes - len(self.kept)
        self.is_truncated = self.is_truncated or len(chunk) > room
        self.kept += chunk[:room]


async def _read(pipe: asyncio.StreamReader | None, take: Callable[[bytes], None]) -> None:
    while pipe is not None and (chunk := await pipe.read(_CHUNK_BYTES)):
        take(chunk)


async def _feed(process: asyncio.subprocess.Process, data: Feed) -> None:
    pipe = process.stdin
    if pipe is None:
        return
    # The child may end without reading it all: its exit code says what that means.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if isinstance(data, bytes):
            pipe.write(data)
            await pipe.drain()
        else:
            async with contextlib.aclosing(data) as chunks:
                async for chunk in chunks:
                    pipe.write(chunk)
                    await pipe.drain()
    pipe.close()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await pipe.wait_closed()


async def _end_feed(process: asyncio.subprocess.Process, feeding: "asyncio.Task[None]") -> None:
    """Make nothing more for a child that has ended."""
    await process.wait()
    feeding.cancel()


def _keep_tail(tail: bytearray, chunk: bytes) -> None:
    tail += chunk
    del tail[:-_STDERR_TAIL_BYTES]


def _bind_all() -> None:
    """On Windows, let everything this process starts die with it; elsewhere each child sees to it (bound_child.py)."""
    if sys.platform == "win32" and not _JOB:  # not run by us: no Windows here
        try:
            _JOB.append(bind_what_we_start())
        except OSError as error:
            logger.warning("what this server starts may outlive it: {}", error)


def _kill_group(process: asyncio.subprocess.Process) -> None:
    if sys.platform == "win32":  # not run by us: no Windows here
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    else:
        _signal_group(process, signal.SIGKILL)


def _signal_group(process: asyncio.subprocess.Process, number: int) -> None:
    # macOS answers EPERM for a group of which only a zombie is left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":  # not run by us: no Windows here
            process.kill()
        else:
            # start_new_session made the child's pid its group's id.
            os.killpg(process.pid, number)
