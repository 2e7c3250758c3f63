"""Become a helper program that dies with the server. Run as a program of its own, never imported by the server.

    python -I -S bound_child.py PARENT_PID NICENESS PROGRAM ARGUMENTS...

It is a program and not a preexec_fn because the server has threads, and Python code between fork and exec can
deadlock there. Death is SIGKILL: these children only write *.part files, and ffmpeg needs seconds to obey SIGTERM.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CANNOT_START = 127


def _die_with(parent_pid: int) -> None:
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - slow to load, and not everywhere needed

        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # It may have died before the prctl: then no signal will come.
    if os.getppid() != parent_pid:
        sys.exit(CANNOT_START)


def _become(argv: list[str]) -> None:
    # Python ignores it and exec would hand that down. SIGXFSZ stays ignored: a full quota is then an error with a name.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execv(argv[0], argv)  # noqa: S606  (no shell is wanted)
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[0]}: {error.strerror}\n")
        sys.exit(CANNOT_START)


if __name__ == "__main__":
    _parent, _niceness, *_argv = sys.argv[1:]
    _die_with(int(_parent))
    os.nice(int(_niceness))
    _become(_argv)
