"""Our server as a process of this machine: find it, end it, and say when its port is free."""

import http.client
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from backend.core import processes
from backend.core.port import PortTakenError, check_free, holder_of
from backend.core.processes import ProcessId
from backend.core.server_file import ServerFile, reachable_host
from backend.core.settings import Settings

_ASK_S = 3.0
_MAX_ANSWER_BYTES = 65_536
# Over the server's own bound, which it keeps by itself unless it is frozen.
_GRACE_MARGIN_S = 3.0
_LEAST_GRACE_S = 3.0
# An embedded mongod whose server was killed notices, writes what it has, and leaves.
_CHILDREN_S = 10.0
_KILLED_S = 5.0
_PORT_S = 5.0
_LOOK_EVERY_S = 0.02

How = Literal["asked", "signalled", "killed"]


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server of ours. `process` is None for one that answers, but not as a process of this machine."""

    process: ProcessId | None
    host: str
    port: int
    revision: str | None = None

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
        return RunningServer(record.process, record.host, record.port, record.revision)
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
    token = settings.auth_token.get_secret_value() if settings.auth_token else None
    if server.process is None:
        return _stop_elsewhere(server, token, say=say)
    children = processes.descendants_of(server.process)
    grace_s = ask_to_stop(server, token)
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


def ask_to_stop(server: RunningServer, token: str | None) -> float | None:
    """Ask over loopback; return the grace it takes in seconds, or None when nothing there agreed to stop."""
    connection = http.client.HTTPConnection(reachable_host(server.host).strip("[]"), server.port, timeout=_ASK_S)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request("POST", "/api/v1/system/shutdown", headers={**headers, "Content-Length": "0"})
        answer = json.loads(connection.getresponse().read(_MAX_ANSWER_BYTES))
        grace_s = answer["data"]["grace_s"] if answer["code"] == 0 else None
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return None
    finally:
        connection.close()
    return float(grace_s) if isinstance(grace_s, int | float) else None


def _stop_elsewhere(server: RunningServer, token: str | None, *, say: Callable[[float], None]) -> Stopped:
    grace_s = ask_to_stop(server, token)
    if grace_s is None:
        raise CannotStopError(f"{server.url} is no process of this machine, and refused to stop")
    say(grace_s + _GRACE_MARGIN_S)
    end = time.monotonic() + grace_s + _GRACE_MARGIN_S
    while holder_of(reachable_host(server.host).strip("[]"), server.port).is_ours:
        if time.monotonic() > end:
            raise CannotStopError(f"{server.url} still answers")
        time.sleep(_LOOK_EVERY_S)
    return Stopped("asked")


def _end_children(children: Sequence[ProcessId]) -> int:
    """Return how many did not end by themselves and were killed."""
    left = processes.wait_ended(children, within_s=_CHILDREN_S)
    for one in left:
        processes.kill(one)
    processes.wait_ended(left, within_s=_KILLED_S)
    return len(left)


def wait_until_free(host: str, port: int) -> str | None:
    """Return None as soon as the port can be listened on; after some seconds, who holds it."""
    end = time.monotonic() + _PORT_S
    while (problem := why_taken(host, port)) is not None:
        if time.monotonic() > end:
            return problem
        time.sleep(_LOOK_EVERY_S)
    return None


def why_taken(host: str, port: int) -> str | None:
    """Return None for a port that can be listened on, else one sentence in both languages."""
    try:
        check_free(host, port)
    except PortTakenError as error:
        return str(error)
    return None
