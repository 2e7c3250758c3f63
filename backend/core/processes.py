"""Processes of this machine, each known by its pid and its start: a pid alone is given out again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

# The start of a process is counted from the start of the machine, which the system knows to a second or so and which
# moves with its clock. No pid comes round again so soon.
SAME_START_S = 2.0
_COMMAND_CHARS = 160
_SECRET_OPTION = re.compile(r"^-{0,2}[\w-]*(pass|pwd|token|secret|key|auth|cred)[\w-]*", re.IGNORECASE)
_HIDDEN = "***"
# ValueError, OverflowError: a number that is no pid.
_NOT_TOLD = (psutil.Error, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process; `started_at` is in seconds of Unix time, as the system says it."""

    pid: int
    started_at: float


def this_process() -> ProcessId:
    """Return the process that asks."""
    process = psutil.Process()
    return ProcessId(process.pid, process.create_time())


def process_of(pid: int) -> ProcessId | None:
    """Return the process that has this pid now; None when there is none, or it has ended and waits to be reaped."""
    found = _find(pid)
    return None if found is None else ProcessId(found.pid, found.create_time())


def is_alive(process: ProcessId) -> bool:
    """Tell whether that very process still runs."""
    return _handle(process) is not None


def command_of(pid: int, *, with_arguments: bool = True) -> str:
    """Return the command line of a process, short and without what looks like a secret; "" where it is not told."""
    try:
        process = psutil.Process(pid)
        words = process.cmdline() if with_arguments else []
        # A kernel's thread, and a process of somebody else's, has a name and no command line.
        text = " ".join(_without_secrets(words)) or process.name()
    except _NOT_TOLD:
        return ""
    return text if len(text) <= _COMMAND_CHARS else f"{text[:_COMMAND_CHARS]}…"


def environment_of(process: ProcessId) -> dict[str, str]:
    """Return the environment a process was started with; empty where the system does not tell."""
    handle = _handle(process)
    try:
        return {} if handle is None else handle.environ()
    except psutil.Error:
        return {}


def descendants_of(process: ProcessId) -> list[ProcessId]:
    """Return its children, theirs, and so on."""
    handle = _handle(process)
    try:
        found = [] if handle is None else handle.children(recursive=True)
    except psutil.Error:
        return []
    return [one for child in found if (one := process_of(child.pid)) is not None]


def ask_to_end(process: ProcessId) -> None:
    """Send SIGTERM; on Windows, where there is none, this ends the process at once. Raises PermissionError."""
    _signal(process, "terminate")


def kill(process: ProcessId) -> None:
    """End a process at once. Raises PermissionError."""
    _signal(process, "kill")


def wait_ended(processes: Iterable[ProcessId], *, within_s: float) -> list[ProcessId]:
    """Return those of `processes` that still run after so long; at once when none does."""
    handles = {handle: one for one in processes if (handle := _handle(one)) is not None}
    _, left = psutil.wait_procs(list(handles), timeout=within_s)
    return [handles[handle] for handle in left if is_alive(handles[handle])]


def listening_pid(port: int) -> int | None:
    """Return a process that listens on a TCP port of this machine; None where the system does not tell."""
    try:
        found = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        # macOS tells everything only to root, and to others about their own.
        return next((one.pid for one in psutil.process_iter() if _listens(one, port)), None)
    return next(
        (
            one.pid
            for one in found
            if one.pid is not None and one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port
        ),
        None,
    )


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        found = process.net_connections("tcp")
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port for one in found)


def _find(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except _NOT_TOLD:
        return None


def _handle(process: ProcessId) -> psutil.Process | None:
    found = _find(process.pid)
    if found is None or abs(found.create_time() - process.started_at) > SAME_START_S:
        return None
    return found


def _signal(process: ProcessId, how: str) -> None:
    handle = _handle(process)
    if handle is None:
        return
    try:
        getattr(handle, how)()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise PermissionError(f"process {process.pid} belongs to somebody else") from error


def _without_secrets(words: list[str]) -> list[str]:
    shown: list[str] = []
    is_value = False
    for word in words:
        name, equals, _ = word.partition("=")
        is_option = _SECRET_OPTION.match(name) is not None and (bool(equals) or word.startswith("-"))
        if is_value and not word.startswith("-"):
            shown.append(_HIDDEN)
        else:
            shown.append(f"{name}={_HIDDEN}" if is_option and equals else word)
        is_value = is_option and not equals
    return shown
