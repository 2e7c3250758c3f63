"""`mediacrawer version`."""

import typer

import backend


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(version)


def version() -> None:
    """显示版本 / Print the version."""
    print(backend.__version__)
