"""An admin looks after the people of a server, in the browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.live_app import ROOT, LiveApp, live_app

# Passwords are slow on purpose, and slower beside other tests.
PATIENCE_MS = 60_000
PASSWORD = "a-long-enough-one"
SECRET = re.compile("^[a-z2-9]{20}$")
AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture(scope="module")
def team(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """A server with one admin."""
    with live_app(tmp_path_factory.mktemp("e2e-users"), "e2e-users", STORES="memory") as running:
        running.call("POST", "/users", {"name": "安娜", "password": PASSWORD})
        yield running


def serious_faults(page: Page) -> list[str]:
    page.evaluate("(axe) => window.axe || (0, eval)(axe)", AXE.read_text(encoding="utf-8"))
    found = page.evaluate("(checks) => axe.run(document, { runOnly: checks })", WCAG)
    serious = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
    return [f"{one['id']} {one['nodes'][0]['html'][:160]}" for one in serious]


def test_admin_adds_a_person_and_shuts_them_out(page: Page, team: LiveApp) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{team.url}/users")
    page.get_by_label("用户名").fill("安娜")
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url("**/users")

    page.get_by_role("button", name="＋ 添加用户").click()
    page.get_by_label("用户名").fill("bo")
    form_faults = serious_faults(page)
    page.get_by_role("button", name="添加用户", exact=True).click()
    expect(page.locator("[data-secret]")).to_have_text(SECRET, timeout=PATIENCE_MS)
    page.get_by_role("button", name="关闭").click()

    row = page.locator('[data-user="bo"]')
    row.get_by_role("button", name="停用").click()
    page.get_by_role("dialog").get_by_role("button", name="停用").click()
    expect(row).to_contain_text("已停用", timeout=PATIENCE_MS)
    assert (form_faults, serious_faults(page)) == ([], [])
