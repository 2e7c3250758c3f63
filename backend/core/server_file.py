"""DATA_DIR/server.json: which process serves this folder, and where; for `mediacrawer stop` and its like.

A server that was killed leaves the file behind. So what is in it counts only while the process of that pid *and* that
start still runs: the pid alone may be somebody else's by now.

`secret` opens that server, from this machine, to whoever can read the file: they can read all of DATA_DIR.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Protocol, TypeAlias

from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.core.processes import ProcessId, is_alive

FILE_NAME = "server.json"
_MAX_BYTES = 10_000
_SECRET_BYTES = 32
_TRY_AGAIN_S = 1.0


class Handle(Protocol):
    """What was put off, as asyncio's TimerHandle."""

    def cancel(self) -> None:
        """Let it not happen."""


CallLater: TypeAlias = Callable[[float, Callable[[], None]], Handle]


class ServerRecord(BaseModel):
    """A running server; `process_started_at` is in seconds of Unix time, as the system says it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    pid: Annotated[int, Field(ge=1, le=2**31 - 1)]
    process_started_at: float
    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Annotated[int, Field(ge=1, le=65_535)]
    url: Annotated[str, Field(max_length=500)]
    revision: Annotated[str, Field(max_length=100)]
    started_at: Annotated[datetime, Field(strict=False)]
    # None in the file of an older version.
    secret: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{32,100}$", repr=False)] = None

    @property
    def process(self) -> ProcessId:
        """The process that serves."""
        return ProcessId(self.pid, self.process_started_at)


class ServerFile:
    """The file of one DATA_DIR. Reading raises nothing: a broken file is as good as none."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME

    def read(self) -> ServerRecord | None:
        """Return what the file says, true or not; None when there is none or it is broken."""
        try:
            with self.path.open("rb") as file:
                return ServerRecord.model_validate_json(file.read(_MAX_BYTES))
        except (OSError, ValidationError):
            return None

    def running(self) -> ServerRecord | None:
        """Return the server that runs now; None when the file is broken or of a process that has gone."""
        record = self.read()
        return record if record is not None and is_alive(record.process) else None

    def write(self, record: ServerRecord) -> bool:
        """Write the file whole, for our eyes only; False when another server that runs has it. Raises OSError."""
        other = self.running()
        if other is not None and other.process != record.process:
            # Servers that share MongoDB and Redis may share the folder too: the first one is known by it.
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        made = self.path.with_name(f"{FILE_NAME}.{secrets.token_hex(4)}.new")
        try:
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                json.dump(record.model_dump(mode="json"), file, indent=2)
                file.write("\n")
            made.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                made.unlink()
            raise
        return True

    def remove(self, record: ServerRecord) -> None:
        """Remove the file if it is this server's. Raises OSError."""
        if self.read() == record:
            self.path.unlink(missing_ok=True)


def new_secret() -> str:
    """Return what opens one start of a server to commands of its own machine."""
    return secrets.token_urlsafe(_SECRET_BYTES)


@contextmanager
def known_by_file(data_dir: Path, record: ServerRecord, *, call_later: CallLater) -> Iterator[None]:
    """Keep the file while inside. A folder that cannot be written is logged: the server runs without, too.

    While another server has it (one that drains yet, or shares the folder) it is tried again each second: `call_later`
    is the loop's.
    """
    keeper = _Keeper(ServerFile(data_dir), record, call_later)
    keeper.take()
    try:
        yield
    finally:
        keeper.give_up()


class _Keeper:
    """Takes the file as soon as it is free."""

    def __init__(self, file: ServerFile, record: ServerRecord, call_later: CallLater) -> None:
        self._file = file
        self._record = record
        self._call_later = call_later
        self._next: Handle | None = None

    def take(self) -> None:
        self._next = None
        try:
            is_taken = self._file.write(self._record)
        except OSError as error:
            path = self._file.path
            logger.warning("cannot write {}: {}; `mediacrawer stop` will look for the port instead", path, error)
            return
        if not is_taken:
            self._next = self._call_later(_TRY_AGAIN_S, self.take)

    def give_up(self) -> None:
        if self._next is not None:
            self._next.cancel()
        with contextlib.suppress(OSError):
            self._file.remove(self._record)


def reachable_host(host: str) -> str:
    """Return where this machine reaches a server that listens on `host`, as it stands in a URL."""
    if host in {"localhost", "127.0.0.1", "0.0.0.0", ""}:  # noqa: S104 - an answer, not a bind
        return "127.0.0.1"
    return "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
