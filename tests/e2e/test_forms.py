"""Forms drawn from the schemas of the server's platforms."""

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures.live_app import LiveApp

PRIVATE = "http://10.0.0.1/"


def platforms_of(app: LiveApp) -> list[dict[str, object]]:
    return list(app.call("GET", "/platforms")["items"])


def test_every_platform_and_type_has_a_form(page: Page, app: LiveApp) -> None:
    for platform in platforms_of(app):
        for kind in platform["types"]:  # type: ignore[attr-defined]
            page.goto(f"{app.url}/tasks/new?platform={platform['id']}&type={kind['id']}")

            expect(page.get_by_role("button", name="创建并开始")).to_be_visible()
            for name in kind["schema"].get("properties", {}):
                expect(page.locator(f'[data-field="{name}"]')).to_have_count(1)


def test_refused_address_is_shown_at_its_field(page: Page, app: LiveApp, complaints: list[str]) -> None:
    page.goto(f"{app.url}/tasks/new?platform=web")
    entry = page.locator('[data-field="start_urls"] input')
    entry.fill("https://example.org/")
    entry.press("Enter")
    entry.fill(PRIVATE)
    entry.press("Enter")

    page.get_by_role("button", name="创建并开始").click()

    expect(page.locator("#field-start_urls-error")).to_contain_text("第 2 项")
    expect(page.locator('[data-field="start_urls"] .tag.wrong')).to_have_text("http://10.0.0.1/✕")
    expect(entry).to_be_focused()
    assert all("422" in complaint for complaint in complaints)
    complaints.clear()


def test_draft_survives_a_reload(page: Page, app: LiveApp) -> None:
    page.goto(f"{app.url}/tasks/new?platform=web")
    entry = page.locator('[data-field="start_urls"] input')
    entry.fill("https://draft.example/")
    entry.press("Enter")

    page.reload()

    expect(page.get_by_text("https://draft.example/").first).to_be_visible()


def test_task_is_copied_into_the_form(page: Page, app: LiveApp) -> None:
    task_id = app.create("web", {"start_urls": ["https://copied.example/"], "max_pages": 7}, start="manual")
    app.call("DELETE", f"/tasks/{task_id}")
    page.goto(f"{app.url}/tasks/{task_id}")

    page.get_by_role("link", name="修改后重跑").click()

    expect(page.get_by_text("https://copied.example/").first).to_be_visible()
    expect(page.locator('[data-field="max_pages"] input')).to_have_value("7")


@pytest.mark.parametrize("keys", ["Control+Enter"])
def test_form_is_sent_from_the_keyboard(page: Page, app: LiveApp, keys: str) -> None:
    page.goto(f"{app.url}/tasks/new?platform=web")
    page.get_by_label("只创建，稍后手动开始").check()
    entry = page.locator('[data-field="start_urls"] input')
    entry.fill("https://keyboard.example/")

    entry.press(keys)

    page.wait_for_url("**/tasks/t*")
    task = app.call("GET", f"/tasks/{page.url.rsplit('/', 1)[-1]}")
    assert (task["status"], task["params"]["start_urls"]) == ("held", ["https://keyboard.example/"])


def test_platform_that_cannot_run_says_so_before_anything_is_sent(page: Page, app: LiveApp) -> None:
    away = [one for one in platforms_of(app) if not one["availability"]["available"]]  # type: ignore[index]
    if not away:
        pytest.skip("every platform can run here")

    page.goto(f"{app.url}/tasks/new?platform={away[0]['id']}")

    expect(page.get_by_text("该平台现在不能运行，任务会先等待。")).to_be_visible()


def test_the_same_form_sent_twice_makes_one_task(page: Page, app: LiveApp) -> None:
    before = app.call("GET", "/tasks")["total"]
    page.goto(f"{app.url}/tasks/new?platform=web")
    page.get_by_label("只创建，稍后手动开始").check()
    entry = page.locator('[data-field="start_urls"] input')
    entry.fill("https://once.example/")
    entry.press("Enter")

    page.get_by_role("button", name="创建", exact=True).dblclick()

    page.wait_for_url("**/tasks/t*")
    assert app.call("GET", "/tasks")["total"] == before + 1
