"""`mediacrawer doctor`."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from backend.cli.refusal import read_settings, refuse
from backend.cli.speech import terminal_speech
from backend.core.settings import Settings
from backend.domain.text import Text

if TYPE_CHECKING:
    from backend.api.language import Language, Speech
    from backend.doctor.rows import Row

_MARKS = {"ok": ("✓", "green"), "bad": ("✗", "bold red"), "none": ("–", "yellow")}
_NOT_WELL = 1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    language: Annotated[str, typer.Option("--lang", help="zh, en or both; by default the terminal's.")] = "",
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Write one zip without secrets, to hand to somebody who helps.")
    ] = False,
    file: Annotated[Path | None, typer.Argument(help="The zip of --bundle.", show_default=False)] = None,
) -> None:
    """逐项检查并说明怎么办 / Look at everything, and say what to do; code 1 when something is not well."""
    settings = read_settings()
    # It brings every client library; the other commands answer without them.
    from backend.doctor.checklist import all_rows  # noqa: PLC0415
    from backend.doctor.rows import is_well  # noqa: PLC0415
    from backend.doctor.server_rows import look  # noqa: PLC0415

    rows = all_rows(look(settings, with_arguments=not bundle))
    if as_json:
        print(json.dumps({"ok": is_well(rows), "rows": [row.as_json() for row in rows]}, ensure_ascii=False, indent=2))
    else:
        speech, console = _speech(language, settings), Console(highlight=False)
        console.print(checklist(rows, speech))
        console.print(Styled(f"\n {speech.say(_summary(rows))}", "green" if is_well(rows) else "bold red"))
    if bundle:
        _pack(file, settings, rows)
    raise typer.Exit(0 if is_well(rows) else _NOT_WELL)


def checklist(rows: Sequence["Row"], speech: "Speech") -> Table:
    """Return the table: a mark, what was looked at, what was seen, and under it what to do.

    Two languages side by side leave no room for columns: then each part has its own line.
    """
    is_stacked = speech.envelope == "both"
    table = Table(box=None, padding=(0, 1), show_header=False, expand=False)
    table.add_column(no_wrap=True)
    if not is_stacked:
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        mark, title, seen = _mark(row), Styled(speech.say(row.title)), Styled(speech.say(row.seen))
        if is_stacked:
            table.add_row(mark, title)
            table.add_row("", seen)
        else:
            table.add_row(mark, title, seen)
        if row.advice is not None:
            table.add_row(*([""] if is_stacked else ["", ""]), _advice(speech.say(row.advice)))
    return table


def _mark(row: "Row") -> Styled:
    mark, style = _MARKS[row.state]
    return Styled(mark, style)


def _advice(words: str) -> Table:
    # A column for the arrow: Chinese has no blanks to break a line at, and would leave it alone on one.
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Styled("→", "cyan"), Styled(words, "cyan"))
    return grid


def _summary(rows: Sequence["Row"]) -> Text:
    bad = sum(row.state == "bad" for row in rows)
    if not bad:
        return Text("一切正常", "All is well")
    return Text(f"{bad} 项需要处理", f"{bad} to be seen to")


def _pack(file: Path | None, settings: Settings, rows: Sequence["Row"]) -> None:
    from backend.doctor.bundle import write_bundle  # noqa: PLC0415

    path = file or Path(f"mediacrawer-doctor-{datetime.now().astimezone():%Y%m%d-%H%M%S}.zip")
    try:
        names = write_bundle(path, settings, rows)
    except OSError as error:
        refuse(f"✗ 无法写入 / cannot write {path}: {error.strerror}")
    typer.echo(f"✓ {path}: {', '.join(names)}", err=True)


def _speech(wanted: str, settings: Settings) -> "Speech":
    """Return the language that was wanted, else one: that of the terminal, as labels are."""
    from backend.api.language import Speech  # noqa: PLC0415

    if wanted not in {"", "zh", "en", "both"}:
        refuse("--lang: zh, en, both")
    if wanted == "":
        label = terminal_speech(settings.language).record
        return Speech(envelope=label, record=label)
    return Speech(envelope=cast("Language", wanted), record="en" if wanted == "en" else "zh")
