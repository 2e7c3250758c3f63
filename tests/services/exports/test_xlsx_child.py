from pathlib import Path
from typing import Any

import openpyxl
import pytest

from backend.services.exports import xlsx_child
from backend.services.exports.xlsx_child import MAX_CELL_CHARS, Book

CUT = "…(cut, {count})"


def order(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "path": str(folder / "out.xlsx"),
        "folder": str(folder),
        "sheets": [
            {"name": "帖子", "headings": ["标题", "点赞", "链接"]},
            {"name": "评论", "headings": ["a", "b", "c"]},
        ],
        "columns": [
            {"kind": "text", "width": 30, "hidden": False},
            {"kind": "number", "width": 10, "hidden": False},
            {"kind": "link", "width": 40, "hidden": False},
        ],
        "kinds": [],
        "cut": CUT,
        **changes,
    }


def written(folder: Path, *rows: tuple[int, list[Any]], kinds: tuple[int, ...] = ()) -> Any:
    book = Book(order(folder))
    for kind in kinds:
        book.sheets[kind] = book.new_sheet(kind, part=1)
    book.put(rows)
    book.put_overview({"name": "任务", "rows": [["任务"], ["标题", "露营"]]})
    book.close()
    assert [one.name for one in folder.iterdir()] == ["out.xlsx"]
    return openpyxl.load_workbook(folder / "out.xlsx")


def only_cell(folder: Path, value: Any) -> Any:
    return written(folder, (0, [value, None, None]))["帖子"]["A2"].value


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("<r><t>bold</t></r>", "<r><t>bold</t></r> "),
        ("<r>&nonsense</r>", "<r>&nonsense</r> "),
        ("a\x00b\x0bc\ufffed\uffffe", "abcde"),
        ("_x0041_", "_x0041_"),
        ("  both ends  ", "  both ends  "),
        ("<b>&amp;\"'", "<b>&amp;\"'"),
        ("🏕️ 露营\n第二行", "🏕️ 露营\n第二行"),
    ],
)
def test_text_reads_back_as_it_was(tmp_path: Path, text: str, read: str) -> None:
    # openpyxl, unlike Excel, leaves the escape of an underscore as it is.
    assert only_cell(tmp_path, text).replace("_x005F_", "_") == read


@pytest.mark.parametrize("character", ["长", "🏕"])
def test_long_cell_is_cut_with_a_mark_where_excel_would_cut(tmp_path: Path, character: str) -> None:
    text = only_cell(tmp_path, character * 40_000)

    assert text.endswith("…(cut, 40,000)")
    assert MAX_CELL_CHARS - 1 <= len(text.encode("utf-16-le")) // 2 <= MAX_CELL_CHARS


def test_cell_of_just_that_length_is_whole(tmp_path: Path) -> None:
    assert only_cell(tmp_path, "x" * MAX_CELL_CHARS) == "x" * MAX_CELL_CHARS


def test_full_sheet_goes_on_in_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_child, "MAX_ROWS", 4)

    found = written(tmp_path, *((0, [f"row {number}", number, None]) for number in range(7)))

    assert found.sheetnames == ["帖子", "帖子 (2)", "帖子 (3)", "任务"]
    assert [found[name].max_row for name in found.sheetnames[:3]] == [4, 4, 2]
    assert found["帖子 (3)"]["A2"].value == "row 6"
    assert [found[name].auto_filter.ref for name in found.sheetnames[:2]] == ["A1:C4", "A1:C4"]


def test_link_beyond_the_limit_is_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_child, "MAX_LINKS", 1)
    url = "https://example.org/露营?a=1#b"

    sheet = written(tmp_path, *((0, [None, None, url]) for _ in range(2)))["帖子"]

    assert (sheet["C2"].hyperlink is not None, sheet["C3"].hyperlink) == (True, None)
    assert sheet["C3"].value == url


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "internal:Sheet1!A1", "https://", "x"])
def test_only_web_addresses_are_links(tmp_path: Path, url: str) -> None:
    cell = written(tmp_path, (0, [None, None, url]))["帖子"]["C2"]

    assert (cell.value, cell.hyperlink) == (url, None)


def test_number_too_large_for_excel_is_text(tmp_path: Path) -> None:
    sheet = written(tmp_path, (0, [None, 7_312_345_678_901_234_567, None]))["帖子"]

    assert sheet["B2"].value == "7312345678901234567"


def test_sheet_that_stayed_empty_is_hidden(tmp_path: Path) -> None:
    found = written(tmp_path, (1, ["求地址", 1, None]), kinds=(0, 1))

    assert [sheet.sheet_state for sheet in found] == ["hidden", "visible", "visible"]
    assert found.active.title == "评论"
