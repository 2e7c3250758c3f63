"""An admin looks after the people of a server, in the browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
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


@pytest.fixture(scope="module")
def admin(team: LiveApp) -> Iterator[httpx.Client]:
    """The admin's own session."""
    with httpx.Client(base_url=f"{team.url}/api/v1", timeout=PATIENCE_MS / 1000) as client:
        session = client.post("/login", json={"name": "安娜", "password": PASSWORD}).raise_for_status().json()["data"]
        client.headers["X-XSRF-Token"] = session["xsrf_token"]
        yield client


def add_member(admin: httpx.Client, name: str) -> None:
    admin.post("/users", json={"name": name, "password": PASSWORD, "role": "member"}).raise_for_status()


def sign_in(page: Page, team: LiveApp, path: str, name: str) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{team.url}{path}")
    page.get_by_label("用户名").fill(name)
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"**{path}")


def serious_faults(page: Page) -> list[str]:
    page.evaluate("(axe) => window.axe || (0, eval)(axe)", AXE.read_text(encoding="utf-8"))
    found = page.evaluate("(checks) => axe.run(document, { runOnly: checks })", WCAG)
    serious = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
    return [f"{one['id']} {one['nodes'][0]['html'][:160]}" for one in serious]


def test_admin_adds_a_person_and_shuts_them_out(page: Page, team: LiveApp) -> None:
    sign_in(page, team, "/users", "安娜")
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


def test_member_is_offered_nothing_that_the_server_refuses(page: Page, team: LiveApp, admin: httpx.Client) -> None:
    add_member(admin, "dan")
    task = {"platform": "web", "params": {"start_urls": ["http://127.0.0.1:9/"]}, "title": "安娜的", "start": "manual"}
    task_id = admin.post("/tasks", json=task).raise_for_status().json()["data"]["task_id"]

    sign_in(page, team, "/tasks", "dan")

    row = page.locator(f'[data-task="{task_id}"]')
    expect(row).to_contain_text("安娜")
    expect(row.locator("button, input")).to_have_count(0)
    expect(page.get_by_role("link", name="用户")).to_have_count(0)
    page.goto(f"{team.url}/tasks/{task_id}")
    expect(page.get_by_text("只有 安娜 和管理员可以取消、重跑或删除这个任务。")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("开始|取消|删除|重跑"))).to_have_count(0)
    page.goto(f"{team.url}/users")
    expect(page.get_by_text("用户和操作记录只有管理员可以查看。")).to_be_visible()


def test_removed_person_is_named_in_the_audit_log(page: Page, team: LiveApp, admin: httpx.Client) -> None:
    add_member(admin, "eve")
    sign_in(page, team, "/users", "安娜")
    page.locator('[data-user="eve"]').get_by_role("button", name="删除").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("0 个任务和它们的结果都会保留，创建者仍显示为 eve")
    question_faults = serious_faults(page)

    question.get_by_role("button", name="删除").click()

    expect(page.locator('[data-user="eve"]')).to_have_count(0)
    page.get_by_role("link", name="操作记录").click()
    newest = page.locator("[data-what]").first
    expect(newest).to_contain_text("删除了用户 eve")
    expect(newest).to_contain_text("安娜")
    page.get_by_label("操作人").select_option(label="本机")
    expect(page.locator("[data-what]")).to_have_count(1)
    expect(page.locator("[data-what]")).to_contain_text("添加了用户 安娜")
    assert (question_faults, serious_faults(page)) == ([], [])
