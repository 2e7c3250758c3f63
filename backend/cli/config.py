"""`mediacrawer config`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from backend.cli.refusal import read_settings
from backend.core.settings_shown import describe


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(config)


def config(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of a table.")] = False
) -> None:
    """显示所有设置及其来源 / Show every setting and where its value comes from; secrets are masked."""
    rows = describe(read_settings())
    if as_json:
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2))
        return
    # The meaning under the name: seven columns do not fit a terminal.
    table = Table("name, meaning", "value", "source", box=box.SIMPLE_HEAD, show_lines=True)
    table.columns[1].overflow = "fold"
    for row in rows:
        default = "" if row.value == row.default else f"\ndefault: {row.default or '-'}"
        table.add_row(f"{row.name}\n{row.meaning}", f"{row.value or '-'} {row.unit}{default}", row.source)
    Console(markup=False, highlight=False).print(table)
