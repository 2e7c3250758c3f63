"""Become a store's program that dies with the server (Linux). A program of its own, never imported.

    python -I -S launch.py PARENT_PID PROGRAM ARGUMENTS...

A program and not a preexec_fn: the server has threads, and Python code between fork and exec can deadlock there.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PARENT_GONE = 86


def main(parent_pid: int, argv: list[str]) -> None:
    """Ask the kernel for SIGTERM at the parent's death, then exec `argv`."""
    # The setting survives exec; mongod and Valkey take SIGTERM as the order to stop cleanly.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # It may have died before the prctl: then no signal will come.
    if os.getppid() != parent_pid:
        sys.exit(PARENT_GONE)
    os.execv(argv[0], argv)  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
