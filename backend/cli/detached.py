"""A server started in the background, which outlives the terminal."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from backend.cli.waiting import wait_until
from backend.core.asking import ask
from backend.core.processes import process_of
from backend.core.server_file import ServerFile, ServerRecord, reachable_host
from backend.core.settings import ROOT, Settings, log_file_of

T = TypeVar("T")

# mongod may have to recover its journal.
_START_S = 90.0
_ASK_S = 5.0
_LINES_SHOWN = 15
_OK = 200


class DidNotStartError(Exception):
    """The process ended, or did not answer in time; the message is the end of what it said."""


@dataclass(frozen=True, slots=True)
class Started:
    """A server that answers; `is_healthy` is False when /health says that a part of it is down."""

    record: ServerRecord
    log: Path
    is_healthy: bool


def start_detached(settings: Settings, environ: Mapping[str, str]) -> Started:
    """Start the code on disk and wait until /health answers; `environ` goes under this terminal's own.

    Raises DidNotStartError.
    """
    log = log_file_of(settings)
    said = settings.data_dir / "logs" / "console.log"
    said.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with said.open("wb") as output:
        child = _launch(output.fileno(), {**environ, **os.environ})
    record = _wait_for_record(child, settings, said)
    status = _wait_for_health(child, record, said)
    return Started(record, log, is_healthy=status == _OK)


def _launch(output: int, environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "backend"]
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, creationflags=flags
        )
    return subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )


def _wait_for_record(child: "subprocess.Popen[bytes]", settings: Settings, said: Path) -> ServerRecord:
    us, file = process_of(os.getpid()), ServerFile(settings.data_dir)

    def look() -> ServerRecord | None:
        record = file.running()
        # Not by its pid: on Windows python.exe of a .venv starts another one.
        if record is not None and us is not None and record.process_started_at >= us.started_at:
            return record
        return None

    return _wait(look, child, said)


def _wait_for_health(child: "subprocess.Popen[bytes]", record: ServerRecord, said: Path) -> int:
    def look() -> int | None:
        answer = ask(reachable_host(record.host), record.port, "/health", timeout_s=_ASK_S)
        return None if answer is None else answer.status

    return _wait(look, child, said)


def _wait(look: Callable[[], T | None], child: "subprocess.Popen[bytes]", said: Path) -> T:
    """Return what `look` finds. Raises DidNotStartError when the time is up or the process has ended."""

    def look_while_it_runs() -> T | None:
        found = look()
        if found is None and child.poll() is not None:
            raise DidNotStartError(_last_words(said))
        return found

    found = wait_until(look_while_it_runs, within_s=_START_S)
    if found is None:
        raise DidNotStartError(_last_words(said))
    return found


def _last_words(said: Path) -> str:
    lines = said.read_text("utf-8", "replace").splitlines()[-_LINES_SHOWN:]
    return "\n".join([*(f"  {line}" for line in lines), f"  ({said})"])
