"""One owner for a data folder: a file lock that the owner's children hold with it."""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

from backend.core.embedded.errors import DataDirInUseError, EmbeddedStoreError
from backend.core.settings import ROOT
from backend.domain.text import Text

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_NAME = "owner.lock"
POLL_S = 0.05
# Far behind the pids: Windows forbids others to read a locked byte.
_LOCKED_BYTE = 1 << 30


class DataDirLock:
    """Exclusive ownership of a folder, until `release` and the end of every child that inherited `fd`.

    The lock lives in the open file, not in the process: a mongod that outlives a killed server keeps the
    next one out until it has closed its files. The file lists the pids of the owner and its children.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._fd: int | None = None
        self._child_pids: dict[str, int] = {}

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    @property
    def fd(self) -> int:
        """File descriptor to hand to children; RuntimeError when the lock is not held."""
        if self._fd is None:
            raise RuntimeError("the lock is not held")
        return self._fd

    async def acquire(self, wait_s: float = 5.0) -> None:
        """Take the lock, waiting up to `wait_s` for a dying owner.

        Raises DataDirInUseError with the owner's pid, EmbeddedStoreError when the folder cannot be used.
        """
        if self._fd is not None:
            return
        fd = self._open()
        try:
            await self._lock(fd, time.monotonic() + wait_s)
            self._fd = fd
        finally:
            if self._fd is None:
                os.close(fd)
        self._write_pids()

    def release(self) -> None:
        """Let go; children that inherited the lock hold it until they end. Twice does nothing."""
        if self._fd is not None:
            # Not LOCK_UN: it would take the lock from living children too.
            os.close(self._fd)
            self._fd = None
            self._child_pids.clear()

    def note_child(self, name: str, pid: int) -> None:
        """Write a child's pid beside the owner's, for the message that refuses a second owner."""
        self._child_pids[name] = pid
        self._write_pids()

    def _open(self) -> int:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            return os.open(self.data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unusable_folder(self.data_dir, error) from error

    async def _lock(self, fd: int, give_up_at: float) -> None:
        while not _try_lock(fd, self.data_dir):
            if time.monotonic() >= give_up_at:
                raise DataDirInUseError(_shown(self.data_dir), _living_pid(fd))
            await asyncio.sleep(POLL_S)

    def _write_pids(self) -> None:
        pids = "".join(f"{pid}\n" for pid in (os.getpid(), *self._child_pids.values()))
        os.lseek(self.fd, 0, os.SEEK_SET)
        os.ftruncate(self.fd, 0)
        os.write(self.fd, pids.encode())


def _try_lock(fd: int, data_dir: Path) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        raise unusable_folder(data_dir, error) from error
    return True


def _living_pid(fd: int) -> int | None:
    os.lseek(fd, 0, os.SEEK_SET)
    text = os.read(fd, 1_000).decode("ascii", errors="replace")
    pids = [int(line) for line in text.splitlines() if line.isascii() and line.isdigit()]
    return next((pid for pid in pids if _is_alive(pid)), pids[0] if pids else None)


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":
        # There os.kill(pid, 0) is not a question: it ends the process.
        return True
    with contextlib.suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
    return True


def _shown(data_dir: Path) -> str:
    inside = data_dir.is_relative_to(ROOT)
    return f"{data_dir.relative_to(ROOT) if inside else data_dir}{os.sep}"


def unusable_folder(data_dir: Path, error: OSError) -> EmbeddedStoreError:
    """Return the error for a folder that cannot be written or locked."""
    reason = error.strerror or type(error).__name__
    return EmbeddedStoreError(
        Text(f"数据目录无法使用: {data_dir} ({reason})", f"the data folder cannot be used: {data_dir} ({reason})"),
        advice=Text("设置 DATA_DIR 为可写的本地目录", "set DATA_DIR to a local folder that can be written"),
    )
