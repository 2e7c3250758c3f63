"""The disk that a folder is on, or will be on."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Disk:
    """How large it is, and what is free of it."""

    total_bytes: int
    free_bytes: int


def nearest_of(path: Path) -> Path:
    """Return the path itself, or the nearest one above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())


def disk_of(path: Path) -> Disk:
    """Return the disk of a path, which need not be there yet."""
    usage = shutil.disk_usage(nearest_of(path))
    return Disk(usage.total, usage.free)
