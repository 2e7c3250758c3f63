"""Whose a folder is: locks that end with their owner, and what owners that were killed have left behind."""

import contextlib
import os
import platform
import shutil
import sys
from pathlib import Path

from backend.crawl.browser.bound import noted_in

if sys.platform != "win32":
    import fcntl

_LOCK_NAME = ".owner"
# What Chromium leaves in a profile to find its own running window by.
_SINGLETON = ("SingletonLock", "SingletonSocket", "SingletonCookie")


class FolderLock:
    """Exclusive ownership of a folder until `release` or the end of this process. On Windows it holds nobody off."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fd: int | None = None

    def try_take(self) -> bool:
        """Take the lock, making the folder; False when another owner lives. Raises OSError."""
        if self._fd is not None:
            return True
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Not inherited: a browser that outlives us must not look like us.
        fd = os.open(self._folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(fd):
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        """Let go; twice does nothing."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def reap(run: Path) -> int:
    """End what owners that are no more have left running below `run`, and remove their folders; return how many ended.

    An owner's folder holds a folder for each of its browsers, where its programs are noted down with their start
    times: a pid that means another process by now is left alone.
    """
    ended = 0
    for owner in _folders(run):
        lock = FolderLock(owner)
        if not lock.try_take():
            continue
        for browser in _folders(owner):
            for program in noted_in(browser):
                if program.is_running:
                    program.kill_group()
                    ended += 1
        shutil.rmtree(owner, ignore_errors=True)
        lock.release()
    return ended


def free_profile(profile: Path) -> None:
    """Remove the sign of a window that is no more: Chromium would refuse a profile that a killed container had open.

    Only under the profile's lock. A window of a living process of this machine keeps its sign.
    """
    try:
        host, _, pid = (profile / _SINGLETON[0]).readlink().name.rpartition("-")
    except OSError:
        return
    if host == platform.node() and pid.isdigit() and _is_alive(int(pid)):
        return
    for name in _SINGLETON:
        with contextlib.suppress(OSError):
            (profile / name).unlink()


def _folders(parent: Path) -> list[Path]:
    try:
        return sorted(one for one in parent.iterdir() if one.is_dir())
    except OSError:
        return []


def _try_lock(fd: int) -> bool:
    if sys.platform != "win32":
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
