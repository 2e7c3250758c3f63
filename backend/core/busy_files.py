"""Renaming onto files that others have open: on Windows that is refused while a scanner or an editor looks at them."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

_TRIES = 20
_PAUSE_S = 0.05


class FileBusyError(PermissionError):
    """Another program kept the file open for longer than we wait; the message names the file."""


def replace_file(
    made: Path,
    target: Path,
    *,
    rename: Callable[[Path, Path], None] = os.replace,
    pause: Callable[[float], None] = time.sleep,
    platform: str = sys.platform,
) -> None:
    """Rename `made` to `target`, replacing what is there; on Windows tried again for a second while it is refused.

    Blocks meanwhile: call it in a thread. Raises FileBusyError after that second, and OSError.
    """
    for left in reversed(range(_TRIES)):
        try:
            rename(made, target)
        except PermissionError as error:
            # Elsewhere an open file is no obstacle: the refusal is one for good.
            if platform != "win32":
                raise
            if not left:
                raise FileBusyError(f"another program has this file open: {target.name}") from error
            pause(_PAUSE_S)
        else:
            return
