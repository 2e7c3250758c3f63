"""Where an embedded store listens: a socket in its own folder, else a port of loopback."""

import contextlib
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
# mongod reads --bind_ip as a comma list, and resets each connection to a path that looks like host:port or [v6].
_UNFIT_CHARS = frozenset(",:[]")


@dataclass(frozen=True, slots=True)
class Address:
    """Either `socket_path`, or `port` on loopback."""

    socket_path: Path | None
    port: int = 0


def choose_address(socket_path: Path) -> Address:
    """Return the socket, or a free port where it cannot be: Windows, a path too long, some file systems.

    What lies at `socket_path` is removed: the caller owns the folder.
    """
    if not _UNFIT_CHARS & set(str(socket_path)) and _can_bind(socket_path):
        return Address(socket_path)
    return Address(None, _free_port())


def _can_bind(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
