"""Which code this process runs, and whether the files on disk have moved on since."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_SHOWN_CHARS = 7


class CodeVersion:
    """The revision at the start, and how the files stood then. Made once, when the process starts.

    `revision` is git's commit where there is a checkout, else a hash over the sources.
    """

    def __init__(self, package_dir: Path) -> None:
        self._package_dir = package_dir
        self._at_start = self._standing()
        self.revision = _commit_of(package_dir.parent / ".git") or self._digest()

    def is_stale(self) -> bool:
        """Tell whether a source file has changed, come or gone. Looks at every file: call it in a thread."""
        return self._standing() != self._at_start

    def _standing(self) -> frozenset[tuple[str, int, int]]:
        # Not only the newest: an archive unpacked over the folder brings files older than those it replaces.
        return frozenset(self._looked_at())

    def _looked_at(self) -> Iterator[tuple[str, int, int]]:
        for path in self._sources():
            # One that goes while we look has gone.
            with suppress(FileNotFoundError):
                found = path.stat()
                yield str(path), found.st_mtime_ns, found.st_size

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
