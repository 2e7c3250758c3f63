"""Run a store's program and end it when the server is gone (macOS). A program of its own, never imported.

    python -I -S watchdog.py LOCK_FD PROGRAM ARGUMENTS...

The server holds the other end of our standard input; it closes with the server, however that ends.
"""

import os
import signal
import subprocess
import sys
import threading


def main(lock_fd: int, argv: list[str]) -> int:
    """Run `argv` to its end, pass signals on, and return its exit code as a shell would."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=(lock_fd,))  # noqa: S603
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, lambda received, _frame: child.send_signal(received))
    threading.Thread(target=_end_with_server, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_with_server(child: subprocess.Popen[bytes]) -> None:
    # Not sys.stdin: its lock, held by this daemon thread, would break the interpreter's end.
    while os.read(0, 64):
        pass
    child.terminate()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
