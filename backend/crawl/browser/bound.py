"""Programs that are noted down before they begin and die with whoever started them (bound_program.py)."""

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_BOUND_PROGRAM = Path(__file__).with_name("bound_program.py")
_SUFFIX = ".pid"


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
        return began == self.started and state not in {"Z", "X"}

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

    def make(self, role: str, program: Path, *, dies_by: int, environ: Mapping[str, str] | None = None) -> Path:
        """Return what to start instead of `program`; where nothing can be bound, the program itself."""
        if sys.platform == "win32":
            return program
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        starter = self._folder / role
        words = [sys.executable, "-I", "-S", str(_BOUND_PROGRAM)]
        later = [str(int(dies_by)), str(self._folder / f"{role}{_SUFFIX}"), str(program)]
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in (environ or {}).items())
        starter.write_text(f'#!/bin/sh\n{exports}exec {shlex.join(words)} "$PPID" {shlex.join(later)} "$@"\n', "utf-8")
        starter.chmod(0o700)
        # A file system may be mounted so that nothing in it can be run.
        return starter if os.access(starter, os.X_OK) else program


def noted_in(folder: Path) -> list[Noted]:
    """Return the programs noted down in a folder; what cannot be read counts as not there."""
    found = []
    for record in sorted(folder.glob(f"*{_SUFFIX}")):
        with contextlib.suppress(OSError, ValueError):
            pid, started = record.read_text("ascii").split()
            found.append(Noted(int(pid), started))
    return found


def is_group_alive(leader_pid: int) -> bool:
    """Whether any process of the group is left, zombies included."""
    if sys.platform == "win32":
        return False
    try:
        os.killpg(leader_pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _state_and_start(pid: int) -> tuple[str, str]:
    # Fields 3 and 22 of proc(5), counted after the program's name, which may hold anything.
    words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return words[0].decode(), words[19].decode()
