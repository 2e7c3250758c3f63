"""Become a browser, or the program that speaks to it: noted down, in a session of its own, dying with its parent.

    python -I -S bound_program.py PARENT_PID SIGNAL RECORD PROGRAM ARGUMENTS...

Run as a program of its own, never imported. RECORD gets this process's pid and, on Linux, its start time, before the
program begins: whoever finds it later can end what nobody else knows of (ownership.py). A file `ended` beside RECORD
says that nobody wants the program any more.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CANNOT_START = 127
ENDED = "ended"


def main(parent_pid: int, death_signal: int, record: str, argv: list[str]) -> None:
    """Leave the terminal's session, bind to the parent, write the record, exec `argv`."""
    if os.getsid(0) != os.getpid():
        # A terminal's Ctrl+C is for the server alone. A program that node starts apart leads a session already.
        os.setsid()
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - slow to load, and not everywhere needed

        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # It may have died before the prctl: then no signal will come.
    if os.getppid() != parent_pid:
        sys.exit(CANNOT_START)
    try:
        with open(f"{record}.new", "w", encoding="ascii") as out:  # noqa: PTH123 - pathlib is slow to load
            out.write(f"{os.getpid()} {_start_time()}")
        os.replace(f"{record}.new", record)  # noqa: PTH105
    except OSError:
        # The folder is gone, and with it whoever wanted this program.
        sys.exit(CANNOT_START)
    # Looked for after the note is written: either who ends us reads the note, or we see its sign.
    if os.path.exists(os.path.join(os.path.dirname(record), ENDED)):  # noqa: PTH110, PTH118, PTH120
        sys.exit(CANNOT_START)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(argv[0], argv)  # noqa: S606  (no shell is wanted)


def _start_time() -> str:
    """Return when this process began, in the kernel's ticks; "-" where that is not to be seen."""
    try:
        with open("/proc/self/stat", "rb") as stat:  # noqa: PTH123
            return stat.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return "-"


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
