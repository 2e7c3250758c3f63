"""A server started in the background, which outlives the terminal."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.core.processes import process_of
from backend.core.server_file import ServerFile, ServerRecord, reachable_host
from backend.core.settings import ROOT, Settings, log_file_of

# mongod may have to recover its journal.
_START_S = 90.0
_LOOK_EVERY_S = 0.05
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
    us = process_of(os.getpid())
    file, end = ServerFile(settings.data_dir), time.monotonic() + _START_S
    while time.monotonic() < end:
        record = file.running()
        # Not by its pid: on Windows python.exe of a .venv starts another one.
        if record is not None and us is not None and record.process_started_at >= us.started_at:
            return record
        _check(child, said)
        time.sleep(_LOOK_EVERY_S)
    raise DidNotStartError(_last_words(said))


def _wait_for_health(child: "subprocess.Popen[bytes]", record: ServerRecord, said: Path) -> int:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        status = _health_status(record)
        if status is not None:
            return status
        _check(child, said)
        time.sleep(_LOOK_EVERY_S)
    raise DidNotStartError(_last_words(said))


def _check(child: "subprocess.Popen[bytes]", said: Path) -> None:
    if child.poll() is not None:
        raise DidNotStartError(_last_words(said))


def _health_status(record: ServerRecord) -> int | None:
    connection = http.client.HTTPConnection(reachable_host(record.host).strip("[]"), record.port, timeout=_ASK_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _last_words(said: Path) -> str:
    lines = said.read_text("utf-8", "replace").splitlines()[-_LINES_SHOWN:]
    return "\n".join([*(f"  {line}" for line in lines), f"  ({said})"])
