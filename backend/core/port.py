"""Take the port to listen on; a taken one is answered with a name, not with a traceback."""

import errno
import socket
import sys
from dataclasses import dataclass

from tornado.netutil import bind_sockets

from backend.core.asking import ask
from backend.core.patient_socket import PatientSocket
from backend.core.processes import command_of, listening_pid

_ASK_S = 2.0


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


def check_free(host: str, port: int) -> None:
    """Raise PortTakenError when `bind` would."""
    is_loopback = host in {"127.0.0.1", "localhost", "::1"}
    for address in ("127.0.0.1", "::1") if is_loopback else (host,):
        try:
            _try_to_listen(address, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE or not is_loopback:
                raise _refusal(host, port, error) from error


def _try_to_listen(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as one:
        if sys.platform != "win32":
            # As bind_sockets does: connections that have ended may linger. On Windows it would share the port.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((address, port))
        one.listen(1)


def _refusal(host: str, port: int, error: OSError) -> PortTakenError:
    if error.errno != errno.EADDRINUSE:
        return PortTakenError(f"无法监听 / cannot listen on {host}:{port}: {error.strerror}")
    holder = holder_of("127.0.0.1" if host == "0.0.0.0" else host, port)  # noqa: S104
    if holder.is_ours:
        where = f"http://127.0.0.1:{port}/ (pid {holder.pid})"
        return PortTakenError(f"MediaCrawer Pro 已在运行 / already running: {where}", is_ours=True)
    name = f"{holder.pid or '?'}{_in_brackets(command_of(holder.pid)) if holder.pid else ''}"
    return PortTakenError(
        f"端口 {port} 已被进程 {name} 占用，请停止它，或设置 PORT 为其他端口"
        f" / port {port} is taken by process {name}: stop it, or set PORT to another port"
    )


def _in_brackets(command: str) -> str:
    return f" ({command})" if command else ""


def holder_of(host: str, port: int) -> PortHolder:
    """Return who listens on this port of this machine."""
    our_pid = _pid_of_our_server(host, port)
    if our_pid is not None:
        return PortHolder(our_pid, is_ours=True)
    return PortHolder(listening_pid(port), is_ours=False)


def _pid_of_our_server(host: str, port: int) -> int | None:
    answer = ask(host, port, "/health", timeout_s=_ASK_S)
    health = None if answer is None else answer.json()
    if not (isinstance(health, dict) and "memory_mode" in health):
        return None
    pid = health.get("pid")
    return pid if isinstance(pid, int) else None
