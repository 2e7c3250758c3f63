"""The `mediacrawer` command, one module a command or group of commands. Only what works is listed.

A module offers `register(app)`. It imports what is heavy (the server, the client) inside its commands: every command
pays for what is imported here.
"""

import sys

import typer

from backend.cli import (
    backup,
    config,
    crawl,
    db,
    doctor,
    serve,
    stop,
    tasks,
    token,
    user,
    version,
)
from backend.core.logs import use_utf8

# In the order of --help.
_COMMANDS = (
    serve,
    stop,
    crawl,
    tasks,
    doctor,
    config,
    db,
    backup,
    user,
    token,
    version,
)

app = typer.Typer(
    name="mediacrawer",
    help="MediaCrawer Pro: 采集与生成任务的后端 / a backend for crawl and generation tasks.",
    no_args_is_help=True,
    add_completion=False,
)
for module in _COMMANDS:
    module.register(app)


def main() -> None:
    """Run the command line; the entry point of the console script."""
    use_utf8(sys.stdout, sys.stderr)
    app()
