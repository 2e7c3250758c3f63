from collections.abc import Iterator
from typing import Any

import typer
from typer.testing import CliRunner

from backend.cli import app


def paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, one in getattr(command, "commands", {}).items():
        yield from paths(one, (*path, name))


def test_no_line_of_help_is_cut_at_80_columns() -> None:
    shown = {path: CliRunner().invoke(app, [*path, "--help"]).stdout for path in paths(typer.main.get_command(app))}

    assert len(shown) > 20
    assert [line for text in shown.values() for line in text.splitlines() if "…" in line] == []
