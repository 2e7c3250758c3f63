"""The report of scripts/live_check.py: how a platform is read, and nothing of what was read."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.live_check import LeakError, check, fill_of, parser, redacted
from tests.fixtures.chromium import chromium
from tests.fixtures.live_app import live_app
from tests.fixtures.xhs_site.thread import xhs_site_in_thread

METRICS = {"like": 3, "comment": None, "share": None, "save": None, "view": None}


def item(**changes: Any) -> dict[str, Any]:
    return {
        **{
            "id": "i_1",
            "item_id": "64f0c0de0000000000000001",
            "kind": "post",
            "source": "note:state",
            "title": "露营清单",
        },
        **{"text": None, "lang": None, "author": {"id_hash": "9f31aa", "name_masked": "山**"}, "published_at": None},
        **{"metrics": METRICS, "media": [], "tags": ["周末"], "extra": {"log_id": "90071", "at64f0c0de": 1}},
        **changes,
    }


def test_fields_are_counted_by_kind_and_source() -> None:
    (comments, notes) = fill_of([item(), item(title=None), item(kind="comment", source="comments")])

    assert (comments["kind"], comments["items"]) == ("comment", 1)
    assert (notes["items"], notes["filled"]["title"], notes["filled"]["like"], notes["filled"]["media"]) == (
        2,
        0.5,
        1,
        0,
    )


def test_names_of_fields_that_hold_ids_are_left_out() -> None:
    (group,) = fill_of([item()])

    assert group["extra"] == {"log_id": 1.0}


def test_source_that_is_no_word_is_left_out() -> None:
    (group,) = fill_of([item(source="https://example.org/?token=1")])

    assert group["source"] == "?"


@pytest.mark.parametrize("leak", ["露营清单", "64f0c0de0000000000000001", "9f31aa", "周末"])
def test_report_with_something_that_was_read_is_not_written(leak: str) -> None:
    with pytest.raises(LeakError):
        redacted({"steps": [{"error": f"about {leak}"}]}, [item()], [])


def test_report_with_a_secret_is_not_written() -> None:
    with pytest.raises(LeakError):
        redacted({"steps": ["我的关键词"]}, [], ["关键词"])


def test_item_that_says_a_word_of_the_report_is_no_leak() -> None:
    items = [item(text="search"), item(title="state"), item(text="ok")]

    assert json.loads(redacted({"steps": fill_of(items), "type": "search"}, items, []))["type"] == "search"


@pytest.fixture
def io_loop() -> None:
    """No loop: the server and the site have their own."""


@pytest.mark.slow
@pytest.mark.browser
def test_stand_in_is_checked_as_the_live_site_would_be(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    said: list[str] = []
    with xhs_site_in_thread(notes_per_keyword=30, comments_per_note=12) as site:
        origin = site.base_url
        settings = {"XHS_BASE_URL": origin, "XHS_MIN_INTERVAL_S": "0", "BROWSER_PATH": str(chromium())}
        with live_app(tmp_path, "live-check", BROWSER_MODE="headless", **settings) as app:
            words = ["xhs", "--server", app.url, "--report", str(report), "--keyword", "帐篷"]
            site.set_login("modal")

            def say(line: object) -> None:
                said.append(str(line))
                if "scan the code" in said[-1]:
                    site.scan()

            code = check(parser().parse_args(words), ask=lambda _: None, say=say)

    text = report.read_text(encoding="utf-8")
    read = json.loads(text)
    assert (code, [step["status"] for step in read["steps"]]) == (0, ["succeeded", "succeeded"]), said
    assert "NEEDS_LOGIN" in read["steps"][0]["waited_for"]
    notes = next(group for group in read["steps"][0]["groups"] if group["kind"] == "post")
    assert (notes["items"], notes["filled"]["published_at"]) == (5, 1)
    assert (read["steps"][1]["books"]["stored"], site.unsigned) == (25, [])
    private = [word for note in site.world.notes("帐篷") for word in (note.note_id, note.token, note.author.user_id)]
    assert [word for word in [*private, "帐篷", origin] if word in text] == []
