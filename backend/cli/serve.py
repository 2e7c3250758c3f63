"""`mediacrawer serve`."""

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve() -> None:
    """启动服务器 / Run the server until Ctrl+C."""
    # It brings every client library; the other commands answer without them.
    from backend.main import run  # noqa: PLC0415

    raise typer.Exit(run())
