"""A child process that dies with us: started apart from the terminal, stopped with a bound."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from loguru import logger

if sys.platform == "win32":
    from backend.core.embedded.windows_job import bind_to_this_process, close_job

LAUNCHER = Path(__file__).with_name("launch.py")
WATCHDOG = Path(__file__).with_name("watchdog.py")
EXIT_POLL_S = 0.1
REAP_TIMEOUT_S = 5.0

# How the child learns of our death: Linux, macOS, Windows.
Bond = Literal["death_signal", "pipe", "job"]


def default_bond() -> Bond:
    """Return the bond of this operating system."""
    if sys.platform == "win32":
        return "job"
    return "death_signal" if sys.platform == "linux" else "pipe"


class Child:
    """One started process. `pid` is the program's own, with the bond "pipe" its watchdog's."""

    def __init__(self, argv: Sequence[str], *, lock_fd: int, output: Path, bond: Bond) -> None:
        """Start it, its output going to `output`; `lock_fd` stays open in it until it ends.

        Raises RuntimeError outside the main thread with the bond "death_signal", and OSError.
        """
        if bond == "death_signal" and threading.current_thread() is not threading.main_thread():
            # The kernel sends the signal when the *thread* that forked ends.
            raise RuntimeError("an embedded store must be started from the main thread")
        self._bond = bond
        with output.open("wb") as out:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603  (argv is ours)
                _with_launcher(argv, lock_fd, bond), stdout=out, stderr=out, **_options(lock_fd, bond)
            )
        self.pid = self._process.pid
        self._job = self._bind_to_job()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self._process.poll()

    async def wait(self) -> int:
        """Return the exit code once it has ended; cancelling the wait leaves the child alone."""
        return await wait_for_exit(self._process)

    def send_signal(self, number: int) -> None:
        """Send a signal if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self, timeout_s: float) -> None:
        """Ask it to end; after `timeout_s`, or when cancelled, kill it. It is gone on return."""
        try:
            if self.exit_code is None:
                self._ask_to_end()
                async with asyncio.timeout(timeout_s):
                    await self.wait()
        except TimeoutError:
            logger.warning("process {} did not end in {:g} s and is killed", self.pid, timeout_s)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill it and all it started, at once."""
        if self.exit_code is None:
            self._kill_group()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(REAP_TIMEOUT_S)
        if self._process.stdin is not None:
            self._process.stdin.close()
        if sys.platform == "win32" and self._job is not None:
            close_job(self._job)
            self._job = None

    def _bind_to_job(self) -> int | None:
        if sys.platform == "win32" and self._bond == "job":
            return bind_to_this_process(self._process)
        return None

    def _ask_to_end(self) -> None:
        if sys.platform == "win32":
            # terminate() is a kill there; mongod takes Ctrl+Break as the order to stop cleanly.
            self._process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            self._process.terminate()

    def _kill_group(self) -> None:
        if sys.platform == "win32":
            self._process.kill()
        else:
            # It leads its own group (start_new_session); with the watchdog there are two in it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


async def wait_for_exit(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of `process` once it has ended, without a thread and without asyncio's child watcher."""
    code = process.poll()
    while code is None:
        await _wait_for_sign(process.pid)
        code = process.poll()
    return code


async def _wait_for_sign(pid: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            await _wait_for_pidfd(os.pidfd_open(pid))
            return
    await asyncio.sleep(EXIT_POLL_S)


async def _wait_for_pidfd(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    try:
        loop.add_reader(fd, ended.set)
        await ended.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)


def _with_launcher(argv: Sequence[str], lock_fd: int, bond: Bond) -> list[str]:
    python = [sys.executable, "-I", "-S"]
    match bond:
        case "death_signal":
            return [*python, str(LAUNCHER), str(os.getpid()), *argv]
        case "pipe":
            return [*python, str(WATCHDOG), str(lock_fd), *argv]
        case "job":
            return list(argv)


def _options(lock_fd: int, bond: Bond) -> dict[str, Any]:
    if sys.platform == "win32":
        # The handle of the lock is not inherited there: the job ends the children with us.
        return {"stdin": subprocess.DEVNULL, "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {
        "stdin": subprocess.PIPE if bond == "pipe" else subprocess.DEVNULL,
        # Ctrl+C in the terminal goes to every process of its session: the stores must outlive the drain.
        "start_new_session": True,
        "pass_fds": (lock_fd,),
    }
