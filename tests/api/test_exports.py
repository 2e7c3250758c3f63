import csv
import io
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import httpx
import openpyxl
import pytest

from backend.core.logs import captured_log
from tests.fixtures.api_server import ApiServer
from tests.fixtures.camping import SEEN_AT, TITLES, camping, comment, post, put, searched

FORMATS = ("json", "jsonl", "csv", "xlsx")


async def export(api: ApiServer, path: str, **query: str) -> httpx.Response:
    answer = await api.client.get(f"/api/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer


async def exported(api: ApiServer, **query: str) -> list[dict[str, Any]]:
    return list((await export(api, "items/export", format="json", **query)).json())


async def book(api: ApiServer, task_id: str, **query: str) -> Any:
    answer = await export(api, f"tasks/{task_id}/export", **{"format": "xlsx", "lang": "zh", **query})
    return openpyxl.load_workbook(io.BytesIO(answer.content))


def table(answer: httpx.Response) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def test_json_and_lines_hold_the_items_as_they_are_listed(api: ApiServer) -> None:
    task_id = await searched(api, posts=60, comments=1)
    listed = await api.client.get(f"/api/v1/tasks/{task_id}/items", params={"limit": 200})

    whole = await export(api, f"tasks/{task_id}/export", format="json")
    lines = await export(api, f"tasks/{task_id}/export", format="jsonl")

    assert whole.json() == listed.json()["data"]["items"]
    assert [json.loads(line) for line in lines.text.splitlines()] == whole.json()
    assert whole.headers["Content-Type"] == "application/json; charset=utf-8"
    assert whole.headers["Transfer-Encoding"] == "chunked"


async def test_csv_is_made_for_excel(api: ApiServer) -> None:
    task_id = await searched(api, posts=1, comments=1)

    answer = await export(api, f"tasks/{task_id}/export", format="csv", lang="zh")

    heads, first, second = table(answer)
    expected = ["标题", "正文", "作者", "点赞", "收藏", "评论", "分享", "发布时间 (Asia/Shanghai)", "关键词", "链接"]
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert heads[:10] == expected
    assert first[3:8] == ["27000", "1200", "88", "", "2026-11-21 16:00:00"]
    assert second[heads.index("编号")] == "7312345678901234567"


async def test_cell_that_would_be_run_is_neutralised_in_csv(api: ApiServer) -> None:
    task_id = await searched(api, posts=4, comments=3)

    rows = table(await export(api, f"tasks/{task_id}/export", format="csv"))

    assert not [cell for row in rows for cell in row if cell.startswith(tuple("=+-@\t\r"))]
    assert "'=SUM(A1:A3) 露营算账" in {row[0] for row in rows}
    assert "'-1 分钱也不花？" in {row[1] for row in rows}


async def test_workbook_has_a_sheet_for_each_kind_and_one_of_the_task(api: ApiServer) -> None:
    task_id = await searched(api, posts=3, comments=2, authors=True)

    found = await book(api, task_id)

    assert found.sheetnames == ["帖子", "评论", "作者", "任务"]
    assert [found[name].max_row for name in ("帖子", "评论", "作者")] == [4, 7, 4]
    assert {cell.value for cell in found["任务"]["A"]} >= {"标题", "任务编号", "keywords", "请求", "保存", "导出者"}
    assert (found["任务"]["B2"].value, found["任务"]["B3"].value) == ("露营", task_id)


async def test_sheet_begins_with_what_people_read(api: ApiServer) -> None:
    sheet = (await book(api, await searched(api, posts=1)))["帖子"]

    heads = [cell.value for cell in sheet[1]]
    cells = [cell.value for cell in sheet[2]]
    expected = ["标题", "正文", "作者", "点赞", "收藏", "评论", "分享", "发布时间 (Asia/Shanghai)", "关键词", "链接"]
    assert heads[:10] == expected
    assert cells[3:7] == [27_000, 1_200, 88, None]
    assert str(cells[7]) == "2026-11-21 16:00:00"
    assert sheet["J2"].hyperlink.target == post("t", 0).url
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:Z2")
    assert sheet.column_dimensions["B"].width > sheet.column_dimensions["D"].width


async def test_formula_in_a_workbook_is_text_and_stays_text(api: ApiServer) -> None:
    sheet = (await book(api, await searched(api, posts=4)))["帖子"]

    cell = sheet["A4"]

    assert (cell.value, cell.data_type) == (TITLES[2], "s")
    assert cell.quotePrefix
    assert not [one for row in sheet.iter_rows() for one in row if one.data_type == "f"]


async def test_columns_without_a_value_and_those_for_programs_are_hidden(api: ApiServer) -> None:
    found = await book(api, await searched(api, posts=1))

    chosen = await book(api, await searched(api, posts=1), columns="item_id,title,shares")

    by_heading = {cell.value: cell.column_letter for cell in found["帖子"][1]}
    shapes = found["帖子"].column_dimensions
    assert shapes[by_heading["浏览"]].hidden
    assert shapes[by_heading["记录编号"]].hidden
    assert not shapes[by_heading["点赞"]].hidden
    assert [cell.value for cell in chosen["帖子"][1]] == ["编号", "标题", "分享"]
    assert not chosen["帖子"].column_dimensions["A"].hidden


async def test_comment_names_its_post(api: ApiServer) -> None:
    sheet = (await book(api, await searched(api, posts=2, comments=1)))["评论"]

    assert [cell.value for cell in sheet["A"]] == ["所属帖子", TITLES[0], TITLES[1]]
    assert sheet["P2"].value == comment("t", 0, 0).item_id


async def test_headings_follow_the_language(api: ApiServer) -> None:
    task_id = await searched(api, posts=1)

    asked = await book(api, task_id, lang="en")
    by_header = await api.client.get(
        f"/api/v1/tasks/{task_id}/export", params={"format": "csv"}, headers={"Accept-Language": "en"}
    )

    assert asked.sheetnames == ["Posts", "Task"]
    assert [cell.value for cell in asked["Posts"][1]][:3] == ["Title", "Text", "Author"]
    assert table(by_header)[0][7] == "Published (Asia/Shanghai)"


async def test_times_are_of_the_zone_that_is_asked_for(api: ApiServer) -> None:
    task_id = await searched(api, posts=1)

    rows = table(await export(api, f"tasks/{task_id}/export", format="csv", tz="America/New_York"))
    sheet = (await book(api, task_id, tz="UTC"))["帖子"]

    assert (rows[0][7], rows[1][7]) == ("发布时间 (America/New_York)", "2026-11-21 03:00:00")
    assert (sheet["H1"].value, str(sheet["H2"].value)) == ("发布时间 (UTC)", "2026-11-21 08:00:00")


async def test_chosen_columns_come_in_their_order(api: ApiServer) -> None:
    task_id = await searched(api, posts=1)
    query = {"columns": "likes,title,keyword,published", "lang": "en"}

    rows = table(await export(api, f"tasks/{task_id}/export", format="csv", **query))
    (one,) = (await export(api, f"tasks/{task_id}/export", format="json", **query)).json()

    assert rows[0] == ["Likes", "Title", "Keyword", "Published (Asia/Shanghai)"]
    assert one == {
        "likes": 27_000,
        "title": TITLES[0],
        "keyword": ["露营"],
        "published": "2026-11-21T08:00:00.123Z",
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "format"),
        ({"format": "pdf"}, "format"),
        ({"format": "csv", "columns": "title,nope"}, "columns.1"),
        ({"format": "csv", "tz": "Mars/Base"}, "tz"),
        ({"format": "csv", "tz": "../../etc/passwd"}, "tz"),
        ({"format": "csv", "tz": "Asia"}, "tz"),
        ({"format": "csv", "fromat": "1"}, "fromat"),
    ],
)
async def test_query_that_cannot_be_met_is_refused(api: ApiServer, query: Mapping[str, str], field: str) -> None:
    answer = await api.client.get("/api/v1/items/export", params=query)

    assert (answer.status_code, answer.json()["code"]) == (422, 42201)
    assert field in [one["path"] for one in answer.json()["error"]["fields"]]


async def test_unknown_task_is_a_json_404(api: ApiServer) -> None:
    answer = await api.client.get("/api/v1/tasks/t_none/export?format=xlsx")

    assert (answer.status_code, answer.json()["error"]["name"]) == (404, "TASK_NOT_FOUND")


async def test_file_is_named_after_what_is_in_it(api: ApiServer) -> None:
    task_id = await searched(api, posts=2, comments=1, title='露营/"2026"')

    zh = (await export(api, f"tasks/{task_id}/export", format="xlsx", lang="zh")).headers["Content-Disposition"]
    en = (await export(api, f"tasks/{task_id}/export", format="csv", lang="en")).headers["Content-Disposition"]

    today = f"{api.clock.now() + timedelta(hours=8):%Y%m%d}"
    assert unquote(zh.partition("filename*=UTF-8''")[2]) == f"露营-2026_小红书_{today}_4条.xlsx"
    assert unquote(en.partition("filename*=UTF-8''")[2]) == f"露营-2026_RED_{today}_4_items.csv"


async def test_head_names_the_file_and_sends_nothing(api: ApiServer) -> None:
    task_id = await searched(api)

    with captured_log() as lines:
        answer = await api.client.head(f"/api/v1/tasks/{task_id}/export?format=xlsx")

    assert (answer.status_code, answer.content) == (200, b"")
    assert ".xlsx" in answer.headers["Content-Disposition"]
    assert not any("导出" in line for line in lines)


@pytest.mark.parametrize("format_", FORMATS)
async def test_task_without_items_is_a_whole_file(api: ApiServer, format_: str) -> None:
    task_id = await searched(api, posts=0)

    answer = await export(api, f"tasks/{task_id}/export", format=format_, lang="zh")

    if format_ == "xlsx":
        assert openpyxl.load_workbook(io.BytesIO(answer.content)).sheetnames == ["任务"]
    else:
        rows = {"json": "[]\n", "jsonl": "", "csv": answer.text}[format_]
        assert answer.text == rows
        assert len(answer.text.splitlines()) <= 1


async def test_results_of_all_tasks_come_task_by_task(api: ApiServer) -> None:
    first, second = await searched(api, posts=60), await searched(api, posts=60)
    await put(api, *camping("t_purged_or_never_was", posts=1))

    found = await exported(api)

    assert sorted({one["task_id"] for one in found}) == sorted([first, second])
    assert len({one["id"] for one in found}) == len(found) == 120
    assert [one["task_id"] for one in found] == sorted(one["task_id"] for one in found)


async def test_purged_task_is_exported_no_more(api: ApiServer) -> None:
    task_id = await searched(api)
    await api.client.delete(f"/api/v1/tasks/{task_id}?wait=10")
    await api.client.delete(f"/api/v1/tasks/{task_id}?purge=1")

    assert await exported(api) == []


async def test_filters_choose_items_and_tasks(api: ApiServer) -> None:
    spring = await searched(api, posts=4, comments=1, labels=["春季"])
    other = await searched(api, posts=2)

    async def count(**query: str) -> int:
        return len(await exported(api, **query))

    assert await count(task_id=spring) == 8
    assert await count(task_id=other) == 2
    assert await count(label="春季") == 8
    assert await count(platform="xhs", kind="comment") == 4
    assert await count(platform="web") == 0
    assert await count(batch_id="b_none") == 0
    assert await count(q="装备清单") == 2
    assert await count(q="星星", kind="post", task_id=spring) == 4
    assert await count(**{"from": (SEEN_AT + timedelta(seconds=2)).isoformat(), "kind": "post"}) == 2
    assert await count(to=SEEN_AT.isoformat()) == 0


async def test_workbook_of_many_tasks_lists_them_with_the_filters(api: ApiServer) -> None:
    task_id = await searched(api, posts=1, labels=["春季"])
    await searched(api, posts=1)

    answer = await export(api, "items/export", format="xlsx", label="春季", lang="zh")

    sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["任务"]
    rows = {row[0].value: row[1].value for row in sheet.iter_rows(max_col=2)}
    assert task_id in rows
    assert rows["筛选条件"] == "label = 春季"


async def test_distinct_keeps_the_newest_row_of_an_item(api: ApiServer) -> None:
    first, second = await searched(api, posts=0), await searched(api, posts=0)
    await put(api, post(first, 1), post(first, 2, later_s=100), post(first, 3))
    await put(api, post(second, 1, later_s=50), post(second, 2))

    found = await exported(api, distinct="1")

    rows = {(one["task_id"], one["item_id"]) for one in found}
    assert rows == {
        (second, post("", 1).item_id),
        (first, post("", 2).item_id),
        (first, post("", 3).item_id),
    }
    assert len(await exported(api)) == 5
    assert api.artifacts.part_files() == 0


@pytest.mark.parametrize("path", ["tasks/{task_id}/export", "items/export"])
async def test_who_exported_what_is_written_down(api: ApiServer, path: str) -> None:
    task_id = await searched(api)

    with captured_log() as lines:
        await export(api, path.format(task_id=task_id), format="csv")

    said = [line.partition(" | ")[2] for line in lines if "导出" in line]
    what = task_id if "task" in path else "items"
    assert f"导出开始: {what} csv by local" in said[0]
    assert f"导出完成: {what} csv by local" in said[1]
