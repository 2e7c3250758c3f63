"""A person is needed: seen on the page, solved, or left and gone on with later."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.domain.challenge import Challenge, ChallengeKind
from tests.fixtures.person_server import Person, PersonServer, person_server
from tests.fixtures.pictures import png

SCAN = Challenge(
    ChallengeKind.QR, screenshot=png(side=64), qr=png(side=29), page_url="https://www.example.org/login?token=x"
)


@pytest.fixture(scope="module")
def server(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PersonServer]:
    with person_server(tmp_path_factory.mktemp("person"), built.parent) as running:
        yield running


def expect_picture(page: Page, name: str, *, width_px: int) -> None:
    """Wait until the picture itself is there, as wide as this."""
    expect(page.get_by_role("img", name=name)).to_have_js_property("naturalWidth", width_px)


def test_code_is_shown_renewed_and_gone_when_it_was_scanned(page: Page, server: PersonServer) -> None:
    who = Person(SCAN)
    task_id = server.create(who, title="扫码")
    page.goto(f"{server.url}/tasks/{task_id}")
    panel = page.get_by_role("region", name="需要人工处理")
    expect(panel.get_by_text("需要扫码登录")).to_be_visible()
    expect(panel.get_by_role("timer")).to_contain_text("页面还会保留")
    expect_picture(page, "要扫描的二维码", width_px=29)
    expect_picture(page, "页面截图", width_px=64)
    expect(panel.get_by_role("link", name="打开这个页面")).to_have_attribute("href", "https://www.example.org/login")
    expect(page.locator("[data-status=running]")).to_contain_text("需要处理")

    who.shown = replace(SCAN, qr=png(side=33))
    expect_picture(page, "要扫描的二维码", width_px=33)
    who.is_done = True

    expect(page.locator("[data-status=succeeded]")).to_be_visible()
    expect(panel).to_have_count(0)


def test_task_that_nobody_helped_in_time_is_gone_on_with_by_a_click(page: Page, server: PersonServer) -> None:
    who = Person(replace(SCAN, kind=ChallengeKind.LOGIN, qr=None), within_s=0.2)
    task_id = server.create(who, title="登录")
    page.goto(f"{server.url}/tasks")
    expect(page.locator(f"[data-task={task_id}]")).to_contain_text("需要登录")
    page.goto(f"{server.url}/tasks/{task_id}")
    expect(page.locator("[data-status=waiting]")).to_be_visible()
    expect_picture(page, "页面截图", width_px=64)
    who.within_s, who.is_done = 600.0, True

    page.get_by_role("button", name="继续").click()

    expect(page.locator("[data-status=succeeded]")).to_be_visible()
