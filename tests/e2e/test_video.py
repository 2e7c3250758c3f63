"""A generated film that a person can watch."""

import pytest
from playwright.sync_api import Page, Response, expect

from tests.fixtures.live_app import LiveApp

WAIT_FOR_FILM_S = 110
PLAYS = "() => { const v = document.querySelector('video'); return v.readyState >= 3 && v.currentTime > 0.3 }"
SEEK = """() => new Promise((resolve) => {
  const video = document.querySelector('video');
  video.pause();
  video.addEventListener('seeked', () => resolve(video.currentTime), { once: true });
  video.currentTime = video.duration - 0.5;
})"""


@pytest.fixture(scope="module")
def film(app: LiveApp) -> str:
    """The id of a finished storyboard task."""
    task_id = app.create("storyboard", {"script": "清晨的营地\n镜头缓慢推进"})
    task = app.wait_for_end(task_id, within_s=WAIT_FOR_FILM_S)
    assert task["status"] == "succeeded", task["error"]
    return task_id


def test_film_plays(page: Page, app: LiveApp, film: str) -> None:
    page.goto(f"{app.url}/tasks/{film}")
    expect(page.locator("video")).to_be_visible()

    # Looked at late, a film may have ended: it plays again and again.
    start = "() => { const v = document.querySelector('video'); v.muted = v.loop = true; return v.play() }"
    page.evaluate(start)

    page.wait_for_function(PLAYS)
    assert page.evaluate("document.querySelector('video').videoWidth") > 0


def test_film_seeks_by_ranges(page: Page, app: LiveApp, film: str) -> None:
    def is_part_of_a_film(answer: Response) -> bool:
        is_film = answer.headers.get("content-type", "").startswith("video/")
        return is_film and "/artifacts/" in answer.url and answer.status == 206

    with page.expect_response(is_part_of_a_film):
        page.goto(f"{app.url}/tasks/{film}")
        page.wait_for_function("() => document.querySelector('video')?.readyState >= 1")
        place = page.evaluate(SEEK)

    assert place > 0


def test_film_is_in_the_gallery(page: Page, app: LiveApp, film: str) -> None:
    page.goto(f"{app.url}/videos")

    expect(page.locator(f'a[href="/tasks/{film}"]')).to_be_visible()
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 1")
