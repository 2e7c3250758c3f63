"""Results saved from the page, as a person does it."""

import json
from pathlib import Path

import openpyxl
from playwright.sync_api import Page, expect

from tests.fixtures.live_app import LiveApp
from tests.fixtures.small_site import SmallSite


def test_results_are_saved_from_the_task_as_excel_and_as_json(
    app: LiveApp, site: SmallSite, page: Page, tmp_path: Path
) -> None:
    task_id = app.create("web", {"start_urls": [f"{site.url}/pages/0"], "max_pages": 3}, title="露营")
    stored = app.wait_for_end(task_id)["books"]["stored"]
    page.goto(f"{app.url}/tasks/{task_id}/results")

    files = {}
    for name in ("Excel (.xlsx)", "JSON"):
        page.get_by_text("导出", exact=True).click()
        with page.expect_download() as waiting:
            page.get_by_role("button").filter(has=page.get_by_text(name, exact=True)).click()
        files[name] = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(files[name])
    expect(page.get_by_role("status").filter(has_text="已开始下载").first).to_be_visible()

    assert files["Excel (.xlsx)"].name.startswith("露营_网页_")
    assert files["Excel (.xlsx)"].name.endswith(f"_{stored}条.xlsx")
    sheets = openpyxl.load_workbook(files["Excel (.xlsx)"])
    assert sheets.sheetnames == ["网页", "任务"]
    assert sheets["网页"].max_row == 1 + stored
    assert len(json.loads(files["JSON"].read_bytes())) == stored
