"""Excel: the server's side of `xlsx_child.py`, which writes the file while it is fed."""

import sys
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Literal

import orjson

from backend.core.children import Children
from backend.core.threads import in_thread
from backend.domain.errors import MediaCrawerError
from backend.domain.item import Item
from backend.domain.text import Text
from backend.services.exports.columns import Column, heading_of
from backend.services.exports.text_formats import local, plain
from backend.services.exports.walk import Page

_PROGRAM = str(Path(__file__).with_name("xlsx_child.py"))
# Somebody waits for it, but less than the loop's own work does.
_NICENESS = 5
SHEETS: Mapping[str, Text] = {
    "post": Text("帖子", "Posts"),
    "comment": Text("评论", "Comments"),
    "creator": Text("作者", "Authors"),
    "page": Text("网页", "Pages"),
    "media": Text("媒体", "Media"),
}
_OTHER = Text("其他", "Other")
# What a column means on the sheet of comments.
_OF_COMMENTS: Mapping[str, Text] = {
    "title": Text("所属帖子", "Post title"),
    "text": Text("评论内容", "Comment"),
    "comments": Text("回复", "Replies"),
}
_CUT = Text("……（已截断，原文共 {count} 字）", "… (cut; the whole has {count} characters)")
# Day 0 of Excel's calendar, and the day from which its count is right: it believes in 29 February 1900.
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - on the zone's clock
_FIRST_DAY = datetime(1900, 3, 1)  # noqa: DTZ001
_DAY_S = 86_400
_TITLES_KEPT = 5_000
_TITLE_CHARS = 200

Cell = str | int | float | None
Overview = Callable[[], Sequence[Sequence[Cell]]]


class WorkbookFailedError(Exception):
    """The program that writes the file ended badly; the message is the last it said."""


@dataclass(frozen=True, slots=True)
class WorkbookLook:
    """What the sheets show: columns (hidden or not as usual, unless a person chose them), language, and whose clock."""

    columns: Sequence[Column]
    language: Literal["zh", "en"]
    zone: tzinfo
    zone_name: str
    has_chosen_columns: bool = False


class Workbook:
    """One Excel file. `write` makes it from pages of items; `kinds` are those that are known to have rows."""

    def __init__(self, look: WorkbookLook, *, kinds: Sequence[str], children: Children) -> None:
        self._look = look
        self._children = children
        self._places = {kind: place for place, kind in enumerate(SHEETS)}
        self._kinds = sorted({self._place_of(kind) for kind in kinds})
        self._titles: OrderedDict[str, str] = OrderedDict()
        self._failure: MediaCrawerError | None = None

    async def write(self, pages: AsyncGenerator[Page, None], folder: Path, overview: Overview) -> Path:
        """Return the file, in `folder`. `overview` is asked for the rows of the last sheet when all are written.

        Cancelled, the program is killed at once. Raises what `pages` raises, and WorkbookFailedError.
        """
        path = folder / "export.xlsx"
        argv = [sys.executable, "-P", _PROGRAM]
        lines = self._lines(pages, path, overview)
        finished = await self._children.run(argv, stdin=lines, niceness=_NICENESS)
        if self._failure is not None:
            raise self._failure
        if finished.returncode != 0:
            raise WorkbookFailedError(finished.stderr_tail.strip()[-1_000:])
        return path

    async def _lines(
        self, pages: AsyncGenerator[Page, None], path: Path, overview: Overview
    ) -> AsyncGenerator[bytes, None]:
        """Yield what the program reads; without a last line it gives up."""
        yield orjson.dumps(self._order(path), option=orjson.OPT_APPEND_NEWLINE)
        try:
            async with aclosing(pages) as open_pages:
                async for page in open_pages:
                    yield await in_thread(lambda: self._rows(page))  # noqa: B023 - awaited at once
        except MediaCrawerError as error:
            # A feed may not raise (core/children.py): `write` does, when the program has ended.
            self._failure = error
            return
        rows = {"overview": {"name": self._say(Text("任务", "Task")), "rows": overview()}}
        yield orjson.dumps(rows, option=orjson.OPT_APPEND_NEWLINE)

    def _order(self, path: Path) -> Mapping[str, Any]:
        look = self._look
        return {
            "path": str(path),
            "folder": str(path.parent),
            "sheets": [
                {"name": self._say(name), "headings": self._headings(kind)}
                for kind, name in (*SHEETS.items(), ("", _OTHER))
            ],
            "columns": [
                {"kind": one.kind, "width": one.width, "hidden": one.is_for_programs and not look.has_chosen_columns}
                for one in look.columns
            ],
            "kinds": self._kinds,
            "cut": self._say(_CUT),
        }

    def _headings(self, kind: str) -> list[str]:
        look = self._look
        return [
            self._say(_OF_COMMENTS[one.name])
            if kind == "comment" and one.name in _OF_COMMENTS
            else heading_of(one, look.language, look.zone_name)
            for one in look.columns
        ]

    def _rows(self, page: Page) -> bytes:
        rows = [(self._place_of(item.kind), [self._cell(one, item) for one in self._look.columns]) for item in page]
        return orjson.dumps(rows, option=orjson.OPT_APPEND_NEWLINE)

    def _cell(self, column: Column, item: Item) -> Cell:
        if column.name == "title":
            return self._title_of(item)
        value = plain(column, column.value(item))
        if not isinstance(value, datetime):
            return value
        moment = local(value, self._look.zone)
        if moment < _FIRST_DAY:
            return moment.isoformat(" ", "seconds")
        return round((moment - _DAY_ZERO).total_seconds()) / _DAY_S

    def _title_of(self, item: Item) -> str | None:
        """Return the title; of a comment that has none, its post's, if that was not long ago."""
        if item.kind == "post" and item.title:
            self._titles[item.item_id] = item.title[:_TITLE_CHARS]
            if len(self._titles) > _TITLES_KEPT:
                self._titles.popitem(last=False)
        if item.kind == "comment" and not item.title:
            return self._titles.get(item.root_id or "")
        return item.title

    def _place_of(self, kind: str) -> int:
        return self._places.get(kind, len(SHEETS))

    def _say(self, text: Text) -> str:
        return text.en if self._look.language == "en" else text.zh
