"""Set the project up, run it, stop it, test it: what the scripts run, stop and test (.sh, .ps1) and the Makefile do.

Standard library only, so that it works before anything is installed.
"""

import argparse
import contextlib
import io
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.devtools import frontend, install, serve, suite
from scripts.devtools.console import SetupError, say

_FAILED = 1
_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Do the one thing asked for on the command line; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A GBK console or LANG=C must not end the program at its first Chinese word.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return _do(options)
    except SetupError as error:
        say(error.zh, error.en, mark="✗")
        return _FAILED
    except subprocess.CalledProcessError as error:
        # What went wrong was printed by the command itself, just above.
        say("命令失败", f"this command failed: {' '.join(map(str, error.cmd))}", mark="✗")
        return _FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/dev.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="install what is missing, build the frontend, start the server")
    commands.add_parser("stop", help="stop the server and wait until its port is free")
    commands.add_parser("dev", help="the server and the frontend's dev server on 5173, side by side")
    setup = commands.add_parser("setup", help="install and build, start nothing")
    setup.add_argument("--dev", action="store_true", help="with the tools for development")
    test = commands.add_parser("test", help="everything that is checked, a line per part")
    test.add_argument("--fast", action="store_true", help="lint, types, imports and the fast tests only")
    lock = commands.add_parser("lock", help="write requirements/*.lock from pyproject.toml")
    lock.add_argument("--upgrade", action="store_true", help="take the newest versions that are allowed")
    page = commands.add_parser("open-page", help=argparse.SUPPRESS)
    page.add_argument("url")
    page.add_argument("pid", type=int)
    return parser


def _do(options: argparse.Namespace) -> int:
    match options.command:
        case "run":
            install.install("runtime")
            frontend.build()
            serve.run()
        case "stop":
            return serve.stop()
        case "dev":
            install.install("dev")
            return serve.develop()
        case "setup":
            install.install("dev" if options.dev else "runtime")
            frontend.build()
        case "test":
            return suite.run(fast=options.fast)
        case "lock":
            install.lock(upgrade=options.upgrade)
        case "open-page":
            with contextlib.suppress(OSError):
                serve.open_page(options.url, options.pid)
    return 0


if __name__ == "__main__":
    sys.exit(main())
