"""Take the port to listen on; a taken one is answered with a name, not with a traceback."""

import errno
import http.client
import json
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from tornado.netutil import bind_sockets

from backend.core.patient_socket import PatientSocket

_LISTEN = "0A"
_ASK_S = 2.0
_MAX_ANSWER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class PortHolder:
    """The process on a port; `pid` is None where the system does not tell. `is_ours`: a MediaCrawer Pro answers."""

    pid: int | None
    is_ours: bool


class PortTakenError(Exception):
    """The port cannot be listened on; the message names the holder and the two ways out."""

    def __init__(self, message: str, *, is_ours: bool = False) -> None:
        super().__init__(message)
        self.is_ours = is_ours


def bind(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets; for a loopback host on both 127.0.0.1 and ::1. Raises PortTakenError."""
    is_loopback = host in {"127.0.0.1", "localhost", "::1"}
    try:
        made = bind_sockets(port, address="127.0.0.1" if is_loopback else host)
    except OSError as error:
        raise _refusal(host, port, error) from error
    if is_loopback:
        try:
            made += bind_sockets(made[0].getsockname()[1], address="::1")
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                made[0].close()
                raise _refusal("::1", port, error) from error
            # This machine has no IPv6: its other loopback is enough.
    return [PatientSocket.of(one) for one in made]


def _refusal(host: str, port: int, error: OSError) -> PortTakenError:
    if error.errno != errno.EADDRINUSE:
        return PortTakenError(f"无法监听 / cannot listen on {host}:{port}: {error.strerror}")
    holder = holder_of("127.0.0.1" if host == "0.0.0.0" else host, port)  # noqa: S104
    if holder.is_ours:
        where = f"http://127.0.0.1:{port}/ (pid {holder.pid})"
        return PortTakenError(f"MediaCrawer Pro 已在运行 / already running: {where}", is_ours=True)
    return PortTakenError(
        f"端口 {port} 已被进程 {holder.pid or '?'} 占用，请停止它，或设置 PORT 为其他端口"
        f" / port {port} is taken by process {holder.pid or '?'}: stop it, or set PORT to another port"
    )


def holder_of(host: str, port: int) -> PortHolder:
    """Return who listens on this port of this machine."""
    our_pid = _pid_of_our_server(host, port)
    if our_pid is not None:
        return PortHolder(our_pid, is_ours=True)
    return PortHolder(_listening_pid(port), is_ours=False)


def _pid_of_our_server(host: str, port: int) -> int | None:
    connection = http.client.HTTPConnection(host, port, timeout=_ASK_S)
    try:
        connection.request("GET", "/health")
        answer = json.loads(connection.getresponse().read(_MAX_ANSWER_BYTES))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    is_health = isinstance(answer, dict) and "memory_mode" in answer and isinstance(answer.get("pid"), int)
    return answer["pid"] if is_health else None


def _listening_pid(port: int) -> int | None:
    if sys.platform != "linux":
        return None
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening_inodes(Path("/proc/net") / table, port)}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and inodes & _socket_inodes(process):
            return int(process.name)
    return None


def _listening_inodes(table: Path, port: int) -> set[str]:
    try:
        rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    except OSError:
        return set()
    return {row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port}


def _socket_inodes(process: Path) -> set[str]:
    try:
        targets = [os.readlink(entry) for entry in (process / "fd").iterdir()]  # noqa: PTH115 - not a path: "socket:[1]"
    except OSError:
        return set()
    return {target[8:-1] for target in targets if target.startswith("socket:[")}
