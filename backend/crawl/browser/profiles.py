"""The folders in which browsers of ours keep their profiles: one for each account, below one folder."""

import contextlib
import re
import secrets
import shutil
from hashlib import sha256
from pathlib import Path

from backend.core.threads import in_thread
from backend.crawl.browser.ownership import FolderLock
from backend.crawl.browser.sessions import write_mark
from backend.domain.errors import BusyError
from backend.domain.text import Text

_GONE = ".gone"
# No dot at the end: Windows drops it, and two profiles would be one.
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9_-])?")
_TAKEN = Text("另一个服务正在使用这个账号的浏览器", "Another server has this account's browser open")


class Profiles:
    """Profiles by their names (`profile_name`), each a folder right below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, name: str) -> bool:
        """Whether there is such a profile."""
        return (self._folder / name).is_dir()

    def mark(self, name: str, version: int) -> None:
        """Note which stored session a profile has."""
        write_mark(self._folder / name, version)

    async def remove(self, name: str) -> None:
        """Remove a profile: its name is free at once, its files follow. Raises BusyError when a browser has it open.

        A link in its place, or anywhere in it, goes as a link: nothing outside of the folder is touched.
        """
        profile = self._folder / name
        if profile.is_symlink():
            await in_thread(profile.unlink)
            return
        if not profile.is_dir():
            return
        lock = FolderLock(profile)
        if not lock.try_take():
            raise BusyError(_TAKEN)
        gone = self._folder / _GONE / secrets.token_hex(8)
        try:
            gone.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            await in_thread(lambda: profile.rename(gone))
        finally:
            lock.release()
        await in_thread(lambda: shutil.rmtree(gone, ignore_errors=True))

    async def sweep(self) -> None:
        """Remove what was being removed when a server was killed."""
        gone = self._folder / _GONE
        if gone.is_dir() and not gone.is_symlink():
            await in_thread(lambda: shutil.rmtree(gone, ignore_errors=True))


def profile_name(platform: str, profile: str) -> str:
    """Return the name of a profile's folder: never one that leads anywhere else."""
    return f"{_folder_name(platform)}-{_folder_name(profile)}"


def _folder_name(text: str) -> str:
    """Return a name for a folder: the text itself when it is plain, else a hash of it."""
    with contextlib.suppress(UnicodeEncodeError):
        if _PLAIN.fullmatch(text):
            return text
        return sha256(text.encode()).hexdigest()[:16]
    return sha256(repr(text).encode()).hexdigest()[:16]
