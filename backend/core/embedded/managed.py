"""What an embedded mongod and an embedded Valkey have in common: start, watch, restart, stop."""

import asyncio
import contextlib
import signal
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from loguru import logger

from backend.core.embedded.address import LOOPBACK, Address, choose_address
from backend.core.embedded.binary import Binary, Program, dotted, find_binary, parse_version
from backend.core.embedded.child import Bond, Child, default_bond
from backend.core.embedded.errors import StoreStartError
from backend.core.embedded.lock import DataDirLock, unusable_folder
from backend.domain.text import Text

READY_POLL_S = 0.01
PROBE_TIMEOUT_S = 1.0
PORT_TRIES = 3
LOG_MAX_BYTES = 5 * 1024 * 1024
LOGS_KEPT = 3
LAST_WORDS_BYTES = 4_000


@dataclass(slots=True)
class _Run:
    binary: Binary
    address: Address
    child: Child


class ManagedStore(ABC):
    """One store's program as our child, with its data, socket and log in one 0700 folder of `data_dir`.

    `lock` is the server's, already held; without one the store locks its own folder from start to stop.
    `binary` overrides the search for a program.
    """

    program: ClassVar[Program]
    folder_name: ClassVar[str]
    takes_reopen_signal: ClassVar[bool] = False

    def __init__(
        self,
        data_dir: Path,
        *,
        lock: DataDirLock | None = None,
        binary: Path | None = None,
        start_timeout_s: float = 60.0,
        stop_timeout_s: float = 8.0,
        lock_wait_s: float = 5.0,
        bond: Bond | None = None,
    ) -> None:
        self.folder = data_dir.absolute() / self.folder_name
        self.log_path = self.folder / f"{self.program.name}.log"
        self._owns_lock = lock is None
        self._lock = lock or DataDirLock(self.folder)
        self._explicit_binary = binary
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._lock_wait_s = lock_wait_s
        self._bond = bond or default_bond()
        self._turn = asyncio.Lock()
        self._is_stopping = False
        self._run: _Run | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._run.child.pid if self._run is not None and self._run.child.exit_code is None else None

    @property
    def uri(self) -> str:
        """Where clients connect; the same over restarts. RuntimeError before `start` and after `stop`."""
        return self._uri(self._started().address)

    async def start(self) -> str:
        """Start the program, wait until it answers, and return its URI.

        Raises DataDirInUseError, StoreBinaryError, StoreStartError; nothing runs and nothing is locked then.
        """
        async with self._turn:
            if self._run is not None:
                raise RuntimeError(f"{self.program.name} has been started already")
            self._is_stopping = False
            if self._owns_lock:
                await self._lock.acquire(self._lock_wait_s)
            try:
                self._run = await self._start_locked()
            finally:
                if self._run is None and self._owns_lock:
                    self._lock.release()
        return self.uri

    async def stop(self) -> None:
        """End the program (SIGTERM, after a bound SIGKILL) and let the lock go. Twice does nothing."""
        self._is_stopping = True
        async with self._turn:
            try:
                if self._run is not None:
                    await self._run.child.stop(self._stop_timeout_s)
            finally:
                # Not before: `kill` must find the child of a stop that takes too long.
                self._run = None
                if self._owns_lock:
                    self._lock.release()

    def kill(self) -> None:
        """Kill the running child if there is one, also in the middle of a stop; from any thread."""
        run = self._run
        if run is not None:
            run.child.kill()

    async def wait_exit(self) -> int:
        """Return the exit code once the running child has ended; RuntimeError when none was started."""
        return await self._started().child.wait()

    async def ensure_running(self) -> bool:
        """Start a child that died again, at the same address; True when it was needed.

        Does nothing before `start` and after `stop`. Raises StoreStartError; a later call tries again.
        """
        async with self._turn:
            run = self._run
            if run is None or self._is_stopping:
                return False
            if run.child.exit_code is None:
                self._rotate_log()
                return False
            logger.error("{} ended with code {} and is started again", self.program.name, run.child.exit_code)
            run.child = await self._launch(run.binary, run.address)
            return True

    @abstractmethod
    def _arguments(self, address: Address) -> list[str]:
        """Return the program's arguments."""

    @abstractmethod
    def _uri(self, address: Address) -> str:
        """Return what a client connects to."""

    @abstractmethod
    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Tell whether the store behind an accepted connection is ready for clients."""

    @abstractmethod
    def _explain_exit(self, code: int, last_words: str) -> Text:
        """Return what the exit code of a failed start means to a person."""

    def _started(self) -> _Run:
        if self._run is None:
            raise RuntimeError(f"{self.program.name} has not been started")
        return self._run

    async def _start_locked(self) -> _Run:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise unusable_folder(self.folder, error) from error
        version_file = self.folder / "version"
        written_by = parse_version(version_file.read_text("ascii", "replace")) if version_file.exists() else None
        binary = await find_binary(self.program, explicit=self._explicit_binary, written_by=written_by)
        run = await self._launch_somewhere(binary)
        version_file.write_text(dotted(binary.version) + "\n", "ascii")
        # For `mediacrawer db`: on a port nobody could guess where it listens. The folder is 0700.
        (self.folder / "uri").write_text(self._uri(run.address) + "\n", "utf-8")
        return run

    async def _launch_somewhere(self, binary: Binary) -> _Run:
        for tries_left in reversed(range(PORT_TRIES)):
            address = choose_address(self.folder / f"{self.program.name}.sock")
            try:
                return _Run(binary, address, await self._launch(binary, address))
            except StoreStartError:
                # Between our choice of a port and the program's bind, somebody else may have taken it.
                if address.socket_path is not None or tries_left == 0:
                    raise
        raise AssertionError("unreachable")

    async def _launch(self, binary: Binary, address: Address) -> Child:
        self._rotate_log()
        argv = [str(binary.path), *self._arguments(address)]
        child = Child(argv, lock_fd=self._lock.fd, output=self._output_path, bond=self._bond)
        is_up = False
        try:
            self._lock.note_child(self.program.name, child.pid)
            await self._wait_until_ready(child, address)
            is_up = True
        finally:
            if not is_up:
                child.kill()
        return child

    async def _wait_until_ready(self, child: Child, address: Address) -> None:
        give_up_at = time.monotonic() + self._start_timeout_s
        while not await self._answers(address):
            self._check_start(child)
            if time.monotonic() >= give_up_at:
                waited = f"{self._start_timeout_s:g} s"
                raise self._failed(Text(f"{waited} 内没有响应", f"does not answer after {waited}"))
            await asyncio.sleep(READY_POLL_S)
        # On a port somebody else may have answered.
        self._check_start(child)

    def _check_start(self, child: Child) -> None:
        if self._is_stopping:
            raise self._failed(Text("启动被停止打断", "was told to stop while starting"))
        if child.exit_code is not None:
            raise self._failed(self._explain_exit(child.exit_code, self._last_words()))

    async def _answers(self, address: Address) -> bool:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                if sys.platform != "win32" and address.socket_path is not None:
                    reader, writer = await asyncio.open_unix_connection(str(address.socket_path))
                else:
                    reader, writer = await asyncio.open_connection(LOOPBACK, address.port)
                return await self._greet(reader, writer)
        except (OSError, EOFError, TimeoutError):
            return False
        finally:
            if writer is not None:
                writer.close()

    @property
    def _output_path(self) -> Path:
        return self.folder / f"{self.program.name}.out"

    def _failed(self, why: Text) -> StoreStartError:
        name = self.program.name
        return StoreStartError(
            Text(f"{name} 启动失败: {why.zh}; 日志: {self.log_path}", f"{name} {why.en}; its log: {self.log_path}")
        )

    def _last_words(self) -> str:
        """Return what it wrote to its output, else the end of its log."""
        for path in (self._output_path, self.log_path):
            with contextlib.suppress(OSError), path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - LAST_WORDS_BYTES))
                if words := file.read().decode(errors="replace").strip():
                    return words
        return ""

    def _rotate_log(self) -> None:
        if not self.log_path.exists() or self.log_path.stat().st_size < LOG_MAX_BYTES:
            return
        if sys.platform == "win32" and self.pid is not None:
            # An open file cannot be renamed there; the next start does it.
            return
        for number in range(LOGS_KEPT - 1, 0, -1):
            older = self.log_path.with_name(f"{self.log_path.name}.{number}")
            if older.exists():
                older.replace(older.with_suffix(f".{number + 1}"))
        self.log_path.replace(self.log_path.with_name(f"{self.log_path.name}.1"))
        if sys.platform != "win32" and self.takes_reopen_signal and self._run is not None:
            self._run.child.send_signal(signal.SIGUSR1)
