"""Programs that are noted down before they begin and die with whoever started them (bound_program.py)."""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.crawl.browser.bound_program import ENDED

_BOUND_PROGRAM = Path(__file__).with_name("bound_program.py")
_SUFFIX = ".pid"
# Windows knows no SIGKILL: what is asked to end there is ended.
KILL = signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM
_POLL_S = 0.2
# Zombies, and what is just being removed.
_ENDED = {"Z", "X"}


@dataclass(frozen=True, slots=True)
class Noted:
    """A program that was started: the leader of a process group. `started` is the kernel's word for when, or "-"."""

    pid: int
    started: str

    @property
    def is_running(self) -> bool:
        """Whether the leader is this very process still, a zombie counting as ended."""
        try:
            state, began = _state_and_start(self.pid)
        except OSError:
            return False
        return began == self.started and state not in _ENDED

    def kill_group(self) -> None:
        """Kill the program and what it started, at once."""
        if sys.platform != "win32":
            # macOS answers EPERM for a group of which only a zombie is left.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


class Starters:
    """Makes the small programs that start bound ones, in a folder of one browser's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._roles: list[str] = []

    def make(self, role: str, program: Path, *, dies_by: int, environ: Mapping[str, str] | None = None) -> Path:
        """Return what to start instead of `program`; where nothing can be bound, the program itself."""
        if sys.platform == "win32":
            return program
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._roles.append(role)
        starter = self._folder / role
        words = [sys.executable, "-I", "-S", str(_BOUND_PROGRAM)]
        later = [str(int(dies_by)), str(self._folder / f"{role}{_SUFFIX}"), str(program)]
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in (environ or {}).items())
        starter.write_text(f'#!/bin/sh\n{exports}exec {shlex.join(words)} "$PPID" {shlex.join(later)} "$@"\n', "utf-8")
        starter.chmod(0o700)
        # A file system may be mounted so that nothing in it can be run.
        return starter if os.access(starter, os.X_OK) else program

    def close(self) -> None:
        """Let no program begin any more: from now on `noted_in` tells all that have."""
        if self._folder.is_dir():
            (self._folder / ENDED).touch()

    def remove(self) -> None:
        """Remove the folder; what is about to begin still has to read there that it must not."""
        if all((self._folder / f"{role}{_SUFFIX}").exists() for role in self._roles):
            shutil.rmtree(self._folder, ignore_errors=True)


def noted_in(folder: Path, role: str = "*") -> list[Noted]:
    """Return the programs noted down in a folder; what cannot be read counts as not there."""
    found = []
    for record in sorted(folder.glob(f"{role}{_SUFFIX}")):
        with contextlib.suppress(OSError, ValueError):
            pid, started = record.read_text("ascii").split()
            found.append(Noted(int(pid), started))
    return found


async def until_ended(pid: int) -> None:
    """Wait until a process has ended; cancelling the wait leaves it alone."""
    if sys.platform == "linux":
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(fd, ended.set)
            await ended.wait()
        finally:
            loop.remove_reader(fd)
            os.close(fd)
    else:
        while is_group_alive(pid):  # noqa: ASYNC110 - nobody tells of others' processes there
            await asyncio.sleep(_POLL_S)


def is_group_alive(leader_pid: int) -> bool:
    """Whether any process of the group still runs. Zombies do not: whoever adopted them reaps them when it likes."""
    if sys.platform == "win32":
        # There are no groups, and nothing is noted down there (Starters).
        return False
    if Path("/proc/self/stat").exists():
        return any(_runs_in(process, leader_pid) for process in Path("/proc").iterdir() if process.name.isdigit())
    try:
        os.killpg(leader_pid, 0)
    except (ProcessLookupError, PermissionError):
        # macOS answers EPERM for a group of which only a zombie is left.
        return False
    return True


def _runs_in(process: Path, group: int) -> bool:
    try:
        words = _words_of(process)
    except OSError:
        return False
    return words[0] not in _ENDED and int(words[2]) == group


def _state_and_start(pid: int) -> tuple[str, str]:
    words = _words_of(Path(f"/proc/{pid}"))
    return words[0], words[19]


def _words_of(process: Path) -> list[str]:
    """Return what proc(5) says of a process from its state on: the name before it may hold anything."""
    return (process / "stat").read_bytes().rpartition(b")")[2].decode("ascii").split()
