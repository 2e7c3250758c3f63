"""A file that is there whole or not at all."""

import os
import re
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote

_EXTENDED = re.compile(r"filename\*\s*=\s*UTF-8''([^;\s]+)", re.IGNORECASE)
_PLAIN = re.compile(r'filename\s*=\s*"?([^";]+)', re.IGNORECASE)


class PartFile:
    """Writes beside `path` as `*.part`; the name is changed when the block ends well, else the part is removed.

    Raises FileExistsError for a file that is there, unless `overwrite`; OSError as the disk does.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        self.size_bytes = 0
        self._overwrite = overwrite
        self._part = path.with_name(f"{path.name}.{os.getpid()}.part")

    def __enter__(self) -> Self:
        if self.path.exists() and not self._overwrite:
            raise FileExistsError(f"{self.path} is there already")
        self._file = self._part.open("wb")
        return self

    def write(self, data: bytes) -> None:
        """Add to it."""
        self._file.write(data)
        self.size_bytes += len(data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            self._part.replace(self.path)
        else:
            self._part.unlink(missing_ok=True)


def is_folder(path: Path) -> bool:
    """Tell whether a file is to be put into it, and not at its name."""
    return path.is_dir()


def name_in(disposition: str, *, otherwise: str) -> str:
    """Return the file name in a Content-Disposition (RFC 6266), without any folder it may name."""
    extended, plain = _EXTENDED.search(disposition), _PLAIN.search(disposition)
    named = unquote(extended[1]) if extended else plain[1] if plain else ""
    name = named.replace("\\", "/").rpartition("/")[2].strip(" .\0")
    return name or otherwise
