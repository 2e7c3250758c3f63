"""Our server as a process of this machine: find it, end it, and say when its port is free."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.cli.access import secret_of, token_here
from backend.cli.waiting import wait_until
from backend.core import processes
from backend.core.asking import ask
from backend.core.port import PortTakenError, check_free, holder_of
from backend.core.processes import ProcessId
from backend.core.server_file import ServerFile, reachable_host
from backend.core.settings import Settings

_ASK_S = 3.0
# Over the server's own bound, which it keeps by itself unless it is frozen.
_GRACE_MARGIN_S = 3.0
_LEAST_GRACE_S = 3.0
# An embedded mongod whose server was killed notices, writes what it has, and leaves.
_CHILDREN_S = 10.0
_KILLED_S = 5.0
_PORT_S = 5.0

How = Literal["asked", "signalled", "killed"]


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server of ours. `process` is None for one that answers, but not as a process of this machine.

    `secret` opens it to us; None when it is not known by its server.json.
    """

    process: ProcessId | None
    host: str
    port: int
    revision: str | None = None
    secret: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{reachable_host(self.host)}:{self.port}/"


@dataclass(frozen=True, slots=True)
class Stopped:
    """How a server was ended, and how many of its children had to be killed."""

    how: How
    killed_children: int = 0


class CannotStopError(Exception):
    """The server goes on."""


def find_server(settings: Settings) -> RunningServer | None:
    """Return the server of this DATA_DIR, by its server.json; else one that answers on the port of the settings."""
    record = ServerFile(settings.data_dir).running()
    if record is not None:
        return RunningServer(record.process, record.host, record.port, record.revision, secret_of(record))
    if not settings.port:
        return None
    holder = holder_of(reachable_host(settings.host).strip("[]"), settings.port)
    if not holder.is_ours or holder.pid is None:
        return None
    # The pid it says may be one of another machine, or inside a container.
    is_here = processes.listening_pid(settings.port) == holder.pid
    process = processes.process_of(holder.pid) if is_here else None
    return RunningServer(process, settings.host, settings.port)


def stop_server(server: RunningServer, settings: Settings, *, say: Callable[[float], None]) -> Stopped:
    """End the server: ask it over loopback, wait for its grace, only then kill it; then look after its children.

    `say` is called with the longest wait in seconds, once it is known. Raises CannotStopError.
    """
    if server.process is None:
        return _stop_elsewhere(server, settings, say=say)
    children = processes.descendants_of(server.process)
    grace_s = ask_to_stop(server, settings)
    how: How = "signalled" if grace_s is None else "asked"
    try:
        if grace_s is None:
            processes.ask_to_end(server.process)
        wait_s = max(_LEAST_GRACE_S, settings.shutdown_grace_s if grace_s is None else grace_s) + _GRACE_MARGIN_S
        say(wait_s)
        if processes.wait_ended([server.process], within_s=wait_s):
            how = "killed"
            processes.kill(server.process)
            if processes.wait_ended([server.process], within_s=_KILLED_S):
                raise CannotStopError(f"pid {server.process.pid}")
        return Stopped(how, _end_children(children))
    except PermissionError as error:
        raise CannotStopError(str(error)) from error


def token_to(server: RunningServer, settings: Settings) -> str | None:
    """Return what opens the server: its own secret, which opens all of it, else a token that was named; or None."""
    return server.secret or token_here(settings)


def ask_to_stop(server: RunningServer, settings: Settings) -> float | None:
    """Ask over loopback; return the grace it takes in seconds, or None when nothing there agreed to stop."""
    answer = ask(
        *(reachable_host(server.host), server.port, "/api/v1/system/shutdown"),
        method="POST",
        token=token_to(server, settings),
        timeout_s=_ASK_S,
    )
    return None if answer is None else _grace_in(answer.json())


def _grace_in(envelope: Any) -> float | None:
    try:
        return float(envelope["data"]["grace_s"]) if envelope["code"] == 0 else None
    except (LookupError, TypeError, ValueError):
        return None


def _stop_elsewhere(server: RunningServer, settings: Settings, *, say: Callable[[float], None]) -> Stopped:
    grace_s = ask_to_stop(server, settings)
    if grace_s is None:
        raise CannotStopError(f"{server.url} is no process of this machine, and refused to stop")
    say(grace_s + _GRACE_MARGIN_S)

    def look() -> Stopped | None:
        is_there = holder_of(reachable_host(server.host).strip("[]"), server.port).is_ours
        return None if is_there else Stopped("asked")

    stopped = wait_until(look, within_s=grace_s + _GRACE_MARGIN_S)
    if stopped is None:
        raise CannotStopError(f"{server.url} still answers")
    return stopped


def _end_children(children: Sequence[ProcessId]) -> int:
    """Return how many did not end by themselves and were killed."""
    left = processes.wait_ended(children, within_s=_CHILDREN_S)
    for one in left:
        processes.kill(one)
    processes.wait_ended(left, within_s=_KILLED_S)
    return len(left)


def wait_until_free(host: str, port: int) -> str | None:
    """Return None as soon as the port can be listened on; after some seconds, who holds it."""
    is_free = wait_until(lambda: True if why_taken(host, port) is None else None, within_s=_PORT_S)
    return None if is_free else why_taken(host, port)


def why_taken(host: str, port: int) -> str | None:
    """Return None for a port that can be listened on, else one sentence in both languages."""
    try:
        check_free(host, port)
    except PortTakenError as error:
        return str(error)
    return None
