"""JSON, JSON Lines and CSV: each turns pages of items into the next bytes of a file."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal, Protocol

import orjson

from backend.domain.item import Item
from backend.services.exports.columns import Column, heading_of

Shape = Callable[[Item], Mapping[str, Any]]

_BOM = b"\xef\xbb\xbf"
# Spreadsheets take what begins so for a formula, some of them past a line's end or in full width.
_RUN_AS_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


class TextFormat(Protocol):
    """One file. `begin`, then any number of `page`, then `end`; none of them waits for anything."""

    def begin(self) -> bytes:
        """Return what comes first."""

    def page(self, items: Sequence[Item]) -> bytes:
        """Return these items."""

    def end(self) -> bytes:
        """Return what comes last."""


class JsonLines:
    """One object a line."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def page(self, items: Sequence[Item]) -> bytes:
        """Return a line for each item."""
        return b"".join(orjson.dumps(self._shape(item), option=orjson.OPT_APPEND_NEWLINE) for item in items)

    def end(self) -> bytes:
        """Return nothing."""
        return b""


class JsonArray:
    """One array, an object a line."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._is_first = True

    def begin(self) -> bytes:
        """Open the array."""
        return b"["

    def page(self, items: Sequence[Item]) -> bytes:
        """Return the items, each after its comma."""
        made = b",\n".join(orjson.dumps(self._shape(item)) for item in items)
        lead = b"\n" if self._is_first else b",\n"
        self._is_first = False
        return lead + made

    def end(self) -> bytes:
        """Close the array."""
        return b"]\n" if self._is_first else b"\n]\n"


class Csv:
    """A table with headings for Excel: UTF-8 with BOM, times of the reader's zone, nothing it would run."""

    def __init__(
        self, columns: Sequence[Column], *, language: Literal["zh", "en"], zone: tzinfo, zone_name: str
    ) -> None:
        self._columns = columns
        self._zone = zone
        self._headings = [heading_of(one, language, zone_name) for one in columns]

    def begin(self) -> bytes:
        """Return the headings."""
        return _BOM + _lines([self._headings])

    def page(self, items: Sequence[Item]) -> bytes:
        """Return a row for each item."""
        return _lines([[self._cell(column, item) for column in self._columns] for item in items])

    def end(self) -> bytes:
        """Return nothing."""
        return b""

    def _cell(self, column: Column, item: Item) -> str | int | float | None:
        value = plain(column, column.value(item))
        if isinstance(value, datetime):
            return local(value, self._zone).isoformat(" ", "seconds")
        return harmless(value) if isinstance(value, str) else value


def flat_shape(columns: Sequence[Column]) -> Shape:
    """Return what gives an object of the chosen columns; times as the API writes them."""

    def shape(item: Item) -> Mapping[str, Any]:
        return {column.name: _json_value(column.value(item)) for column in columns}

    return shape


def plain(column: Column, value: Any) -> str | int | float | datetime | None:
    """Return a value as one cell: lists joined, mappings as JSON."""
    if isinstance(value, tuple):
        return column.separator.join(value) or None
    if isinstance(value, Mapping):
        return orjson.dumps(value, default=str).decode()
    return value  # type: ignore[no-any-return]


def local(moment: datetime, zone: tzinfo) -> datetime:
    """Return the time on the zone's clock, without the zone."""
    try:
        return moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        # A site's nonsense at the very end of the calendar.
        return moment.replace(tzinfo=None)


def harmless(text: str) -> str:
    """Return a text that no spreadsheet runs: an apostrophe before what would be a formula."""
    return f"'{text}" if text.startswith(_RUN_AS_FORMULA) else text


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return value


def _lines(rows: Sequence[Sequence[str | int | float | datetime | None]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
