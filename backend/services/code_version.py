"""Which code this process runs, and whether the files on disk have moved on since."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

_SHOWN_CHARS = 7


class CodeVersion:
    """The revision at the start, and the newest file then. Made once, when the process starts.

    `revision` is git's commit where there is a checkout, else a hash over the sources.
    """

    def __init__(self, package_dir: Path) -> None:
        self._package_dir = package_dir
        self._newest = self._newest_change()
        self.revision = _commit_of(package_dir.parent / ".git") or self._digest()

    def is_stale(self) -> bool:
        """Tell whether a source file is newer than what runs. Looks at every file: call it in a thread."""
        return self._newest_change() > self._newest

    def _newest_change(self) -> int:
        return max((path.stat().st_mtime_ns for path in self._sources()), default=0)

    def _digest(self) -> str:
        found = hashlib.sha256()
        for path in sorted(self._sources()):
            found.update(path.read_bytes())
        return found.hexdigest()[:_SHOWN_CHARS]

    def _sources(self) -> Iterator[Path]:
        return self._package_dir.rglob("*.py")


def _commit_of(git_dir: Path) -> str | None:
    """Return the checked-out commit, read from git's files: there may be no git to run."""
    try:
        head = (git_dir / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head[:_SHOWN_CHARS] or None
        reference = head.removeprefix("ref: ")
        loose = git_dir / reference
        if loose.is_file():
            return loose.read_text(encoding="utf-8").strip()[:_SHOWN_CHARS]
        packed = (git_dir / "packed-refs").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return next((line[:_SHOWN_CHARS] for line in packed if line.endswith(f" {reference}")), None)
