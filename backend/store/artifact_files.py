"""The files behind artifacts: unfinished parts, and whole files kept by their content (SHA-256).

    <root>/artifacts/ab/cdef…       whole files, named by their hash
    <root>/parts/<token>/           parts and work folders of one process start
    <root>/parts/<token>.lock       locked while that process lives: so another one can tell whose parts are dead

Both are under one root, so that a part becomes a file by one rename.
"""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from backend.core.busy_files import replace_file
from backend.core.crash_points import crash_point
from backend.core.threads import in_thread
from backend.domain.errors import TaskFailedError
from backend.domain.task import Stage
from backend.domain.text import Text

if sys.platform != "win32":
    import fcntl

# SHA-256 of 4 MB and its read take some 10 ms: one step of a thread that a cancel waits for.
_STEP_BYTES = 4_194_304
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class ArtifactFiles:
    """Parts, work folders and content-addressed files under one root. Knows nothing of records."""

    def __init__(self, root: Path) -> None:
        self._whole = root / "artifacts"
        self._parts = root / "parts"
        self._token = uuid.uuid4().hex[:12]
        self._lock_fd: int | None = None

    # -- parts ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def part(self, suffix: str) -> Iterator[Path]:
        """Give a path for an unfinished file, and remove what is there at the exit, unless it was renamed away."""
        if not _SUFFIX.fullmatch(suffix):
            raise ValueError(f"not a suffix: {suffix!r}")
        path = self._own_folder() / f"{uuid.uuid4().hex}{suffix}.part"
        with full_disk_named():
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def work_folder(self) -> Iterator[Path]:
        """Give an empty folder for intermediate files (no folders in it), and remove it with them at the exit."""
        path = self._own_folder() / f"{uuid.uuid4().hex}.work"
        with full_disk_named():
            path.mkdir()
            try:
                yield path
            finally:
                # Not rmtree: after a cancel a file may at this moment be renamed away, by a commit that goes on.
                for file in list(path.iterdir()):
                    file.unlink(missing_ok=True)
                path.rmdir()

    def part_count(self) -> int:
        """Return how many unfinished files of this process exist now."""
        folder = self._parts / self._token
        return sum(len(files) for _, _, files in os.walk(folder))

    def sweep_parts(self) -> int:
        """Remove the parts of processes that are gone; return how many files that were."""
        removed = 0
        for folder in self._parts.glob("*/"):
            if folder.name != self._token and _is_abandoned(folder.with_suffix(".lock")):
                removed += sum(len(files) for _, _, files in os.walk(folder))
                # Another server that starts now may be removing the same.
                shutil.rmtree(folder, ignore_errors=True)
                folder.with_suffix(".lock").unlink(missing_ok=True)
        return removed

    def close(self) -> None:
        """Give up this process's parts; whoever sweeps next may remove them. Safe to call twice."""
        if self._lock_fd is not None:
            shutil.rmtree(self._parts / self._token, ignore_errors=True)
            (self._parts / f"{self._token}.lock").unlink(missing_ok=True)
            os.close(self._lock_fd)
            self._lock_fd = None

    # -- whole files ---------------------------------------------------------------------------------------------

    def path_of(self, sha256: str) -> Path:
        """Return where the file of this content is kept."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"not a SHA-256: {sha256!r}")
        return self._whole / sha256[:2] / sha256[2:]

    async def seal(self, part: Path) -> tuple[str, int]:
        """Hash a part and force it to the disk; return its SHA-256 and its size in bytes."""
        digest, size_bytes = hashlib.sha256(), 0
        while step := await in_thread(lambda: _hash_step(part, digest, size_bytes)):  # noqa: B023 - awaited at once
            size_bytes += step
        await in_thread(lambda: _force_to_disk(part))
        return digest.hexdigest(), size_bytes

    async def place(self, part: Path, sha256: str, *, at: datetime) -> None:
        """Make a sealed part the file of its content, linked `at`; the same content twice is one file."""
        target = self.path_of(sha256)
        await in_thread(lambda: _rename(part, target, at.timestamp()))
        crash_point("after_rename")

    def linked_at(self, sha256: str) -> datetime | None:
        """Return when the file was last placed, or None when it is not there."""
        try:
            return datetime.fromtimestamp(self.path_of(sha256).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def contents(self, prefix: str) -> list[str]:
        """Return the hashes of the files whose hash begins with `prefix` (two hex digits)."""
        folder = self._whole / prefix
        return [prefix + one.name for one in folder.iterdir()] if folder.is_dir() else []

    def _own_folder(self) -> Path:
        folder = self._parts / self._token
        if self._lock_fd is None:
            self._parts.mkdir(parents=True, exist_ok=True)
            # The lock before the folder: a sweep judges folders by their locks.
            self._lock_fd = _take_lock(self._parts / f"{self._token}.lock")
            folder.mkdir(exist_ok=True)
        return folder


@contextlib.contextmanager
def full_disk_named() -> Iterator[None]:
    """Turn the system's word for a full disk or quota into DISK_FULL; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise disk_full() from error
        raise


def disk_full() -> TaskFailedError:
    """Return the error of a task that found no room for its file."""
    return TaskFailedError(
        "DISK_FULL",
        Text("磁盘空间不足，文件未能保存", "The disk is full; the file was not saved"),
        where=Stage.STORE,
        advice=Text("清理磁盘或删除旧任务的结果，然后重试", "Free some space or purge old tasks, then retry"),
    )


def _hash_step(path: Path, digest: "hashlib._Hash", offset: int) -> int:
    with path.open("rb") as file:
        file.seek(offset)
        chunk = file.read(_STEP_BYTES)
    digest.update(chunk)
    return len(chunk)


def _force_to_disk(path: Path) -> None:
    # Windows flushes only a file that is open for writing.
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _rename(part: Path, target: Path, linked_at: float) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Touched before it is linked: a sweep spares what was linked within the hour.
    os.utime(part, (linked_at, linked_at))
    try:
        replace_file(part, target)
    except PermissionError:
        # Windows, while somebody reads the file: the same content is there already.
        if not target.exists():
            raise
        os.utime(target, (linked_at, linked_at))
        part.unlink()
    _force_names_to_disk(target.parent)


def _force_names_to_disk(folder: Path) -> None:
    if sys.platform == "win32":  # not run by us: there a folder cannot be opened, and NTFS journals its names
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _take_lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if sys.platform != "win32":
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def _is_abandoned(lock: Path) -> bool:
    if sys.platform == "win32":  # not run by us: there an open file cannot be removed
        with contextlib.suppress(PermissionError):
            lock.unlink(missing_ok=True)
        return not lock.exists()
    try:
        fd = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
