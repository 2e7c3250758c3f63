"""Names of files that every system can keep: Windows (NTFS), macOS and Linux."""

import re

MAX_NAME_BYTES = 200
# The superscripts count as digits there.
# Source: https://learn.microsoft.com/windows/win32/fileio/naming-a-file, checked 2026-11-22.
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')


def portable_name(name: str) -> str:
    """Return `name` as a file may be called anywhere: forbidden characters become `_`, and so does what Windows drops.

    At most 200 bytes of UTF-8, the ending kept; a name of a device (`CON.mp4`) gets a `_` in front; never empty.
    """
    name = _FORBIDDEN.sub("_", name)
    # Windows drops dots and spaces at the end without a word: two names would be one file.
    kept = name.rstrip(". ")
    name = kept + "_" * (len(name) - len(kept))
    if _DEVICE.match(name):
        name = f"_{name}"
    return _shortened(name) or "_"


def _shortened(name: str) -> str:
    if len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    tail = f"{dot}{ending}" if stem and len(ending) <= 8 else ""  # noqa: PLR2004 - longer is no ending
    room = MAX_NAME_BYTES - len(tail.encode())
    # Cut between characters, not within one.
    head = (stem if tail else name).encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    return f"{head.rstrip('. ')}{tail}"
