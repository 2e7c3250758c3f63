"""Write an Excel file from what stands on the standard input. A program of its own, never imported by the server.

    python -P xlsx_child.py < lines of JSON

The first line is the order: {path, folder, sheets: [{name, headings}], columns: [{kind, width, hidden}], kinds, cut};
then lines [[place, [cell, ...]], ...], place being a sheet's in `sheets`, as in `kinds`, which are begun at once; last
{overview: {name, rows: [[cell, ...], ...]}}.
Cells are null, a number (of a date column: Excel's own) or text. Without a last line nothing is written, and it exits
with 3: the server gave up.

It is a program because writing cells is all Python: in a thread it would take its half of the server's time, and could
not be stopped in the middle. Rows go to a file of each sheet at once, so that memory does not grow with them.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import xlsxwriter

MAX_ROWS = 1_048_576
MAX_CELL_CHARS = 32_767
# Excel's own limit is 65,530 a sheet; each is kept in memory until the end, so this one is for the whole file.
MAX_LINKS = 60_000
MAX_URL_CHARS = 2_000
GIVEN_UP = 3

_A4 = 9
_HEAD_HEIGHT = 22
_ROW_HEIGHT = 32
_LABEL_WIDTH, _VALUE_WIDTH = 22, 80
_HEAD = {"bold": True, "font_size": 10, "valign": "vcenter", "bg_color": "#E3EDFD", "bottom": 1}
# Away from what begins at the left of the next column.
_TO_THE_RIGHT = {"align": "right", "indent": 1}
# Numbers beyond lose digits in Excel.
_MAX_NUMBER = 10**15
_LINK = re.compile(r"https?://[^\s/]+[^\s]*", re.IGNORECASE)
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
# As in a CSV: quoted, such a cell stays text also when a person edits it.
_RUN_AS_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


class Book:
    """The file and its formats."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        options = {"constant_memory": True, "tmpdir": order["folder"], "strings_to_formulas": False}
        self.file = xlsxwriter.Workbook(order["path"], {**options, "strings_to_urls": False})
        look = {"valign": "top", "font_size": 10}
        wrapped = {**look, "text_wrap": True}
        self.formats = {
            "text": self.file.add_format(wrapped),
            "quoted": self.file.add_format({**wrapped, "quote_prefix": True}),
            "number": self.file.add_format({**look, **_TO_THE_RIGHT, "num_format": "#,##0"}),
            "date": self.file.add_format({**look, "num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"}),
            "link": self.file.add_format({**look, "font_color": "#1F5FD6", "underline": 1}),
            "head": self.file.add_format(_HEAD),
            "head_of_number": self.file.add_format({**_HEAD, **_TO_THE_RIGHT}),
            "section": self.file.add_format({"bold": True, "font_size": 11, "bg_color": "#E3EDFD"}),
            "label": self.file.add_format({**look, "font_color": "#56606E"}),
        }
        self.links = 0
        self.sheets: dict[int, Sheet] = {}

    def put(self, rows: Sequence[tuple[int, Sequence[Any]]]) -> None:
        """Write rows, each on the sheet of its kind."""
        for kind, cells in rows:
            sheet = self.sheets.get(kind)
            if sheet is None or sheet.row >= MAX_ROWS:
                sheet = self.sheets[kind] = self.new_sheet(kind, part=1 if sheet is None else sheet.part + 1)
            sheet.put(cells)

    def new_sheet(self, kind: int, *, part: int) -> "Sheet":
        """Begin a sheet; the parts behind the first one are numbered."""
        about = self.order["sheets"][kind]
        name = about["name"] if part == 1 else f"{about['name']} ({part})"
        if part > 1:
            self.sheets[kind].end()
        return Sheet(self, name, about["headings"], part=part)

    def put_overview(self, overview: dict[str, Any]) -> None:
        """Write the last sheet: labels and values, and headings of one cell."""
        sheet = self.file.add_worksheet(overview["name"])
        sheet.set_column(0, 0, _LABEL_WIDTH)
        sheet.set_column(1, 1, _VALUE_WIDTH)
        sheet.hide_gridlines(2)
        sheet.set_paper(_A4)
        sheet.fit_to_pages(1, 0)
        for number, cells in enumerate(overview["rows"]):
            if len(cells) == 1:
                self.write(sheet, number, 0, cells[0], "section")
                sheet.write_blank(number, 1, None, self.formats["section"])
                continue
            for column, (value, style) in enumerate(zip(cells, ("label", "text"), strict=True)):
                self.write(sheet, number, column, value, style)

    def write(self, sheet: Any, row: int, column: int, value: Any, style: str) -> None:
        """Write one cell."""
        if isinstance(value, str):
            self._write_text(sheet, row, column, value, style)
        elif value is not None:
            sheet.write_number(row, column, value, self.formats[style])

    def close(self) -> None:
        """Write the file; a sheet that stayed empty is hidden."""
        for sheet in self.sheets.values():
            sheet.end()
        shown = [sheet for sheet in self.file.worksheets() if sheet not in self._empty_sheets()]
        for empty in self._empty_sheets():
            empty.hide()
        shown[0].activate()
        shown[0].set_first_sheet()
        self.file.close()

    def _empty_sheets(self) -> list[Any]:
        return [sheet.sheet for sheet in self.sheets.values() if sheet.row == 1]

    def _write_text(self, sheet: Any, row: int, column: int, value: str, style: str) -> None:
        text = self._fitted(value)
        if style == "link" and self.links < MAX_LINKS and len(text) <= MAX_URL_CHARS and _LINK.fullmatch(text):
            self.links += 1
            # Whatever it will not have as a link it has as text.
            if sheet.write_url(row, column, text, self.formats["link"]) == 0:
                return
        if text.startswith(_RUN_AS_FORMULA):
            style = "quoted"
        sheet.write_string(row, column, text, self.formats["text" if style in {"number", "date", "link"} else style])

    def _fitted(self, text: str) -> str:
        text = _NOT_IN_XML.sub("", text)
        if text.startswith("<r>") and text.endswith("</r>"):
            # XlsxWriter would take it for XML of its own, and write it as it is.
            text += " "
        # Excel counts UTF-16.
        if len(text) > MAX_CELL_CHARS // 2 and _units(text) > MAX_CELL_CHARS:
            mark = str(self.order["cut"]).format(count=f"{len(text):,}")
            kept = text.encode("utf-16-le")[: 2 * (MAX_CELL_CHARS - _units(mark))]
            return kept.decode("utf-16-le", "ignore") + mark
        return text


class Sheet:
    """One sheet: a frozen head with filters, then the rows."""

    def __init__(self, book: Book, name: str, headings: Sequence[str], *, part: int) -> None:
        self.part = part
        self.row = 1
        self._book = book
        self._columns = book.order["columns"]
        self._has_value = [False] * len(headings)
        self.sheet = book.file.add_worksheet(name)
        self.sheet.freeze_panes(1, 0)
        self.sheet.set_default_row(_ROW_HEIGHT)
        self.sheet.set_row(0, _HEAD_HEIGHT)
        # Printed, it is as wide as the paper.
        self.sheet.set_landscape()
        self.sheet.set_paper(_A4)
        self.sheet.fit_to_pages(1, 0)
        self.sheet.repeat_rows(0)
        for column, heading in enumerate(headings):
            style = "head_of_number" if self._columns[column]["kind"] == "number" else "head"
            self.sheet.write_string(0, column, heading, book.formats[style])

    def put(self, cells: Sequence[Any]) -> None:
        """Write the next row."""
        for column, value in enumerate(cells):
            if value is None:
                continue
            self._has_value[column] = True
            kind = self._columns[column]["kind"]
            is_too_large = kind == "number" and not -_MAX_NUMBER < value < _MAX_NUMBER
            self._book.write(self.sheet, self.row, column, str(value) if is_too_large else value, kind)
        self.row += 1

    def end(self) -> None:
        """Set the widths; a column in which nothing stands is hidden, not left out."""
        self.sheet.autofilter(0, 0, self.row - 1, len(self._columns) - 1)
        for column, about in enumerate(self._columns):
            is_hidden = about["hidden"] or not self._has_value[column]
            self.sheet.set_column(column, column, about["width"], None, {"hidden": is_hidden})


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _lines() -> Iterator[Any]:
    for line in sys.stdin.buffer:
        yield orjson.loads(line)


def main() -> int:
    """Write the file; return the exit code."""
    lines = _lines()
    order = next(lines, None)
    if order is None:
        return GIVEN_UP
    book = Book(order)
    for kind in order["kinds"]:
        book.sheets[kind] = book.new_sheet(kind, part=1)
    for line in lines:
        if isinstance(line, dict):
            book.put_overview(line["overview"])
            book.close()
            return 0
        book.put(line)
    # The folder with its unfinished parts is the server's to remove.
    for sheet in book.file.worksheets():
        sheet._opt_close()
    Path(order["path"]).unlink(missing_ok=True)
    return GIVEN_UP


if __name__ == "__main__":
    sys.exit(main())
