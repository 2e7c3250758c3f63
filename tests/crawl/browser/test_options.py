import os
from pathlib import Path

import pytest

from backend.crawl.browser.options import BrowserOptions, Found, NoBrowser, Way, availability_of, find_way

SCREEN = {"DISPLAY": ":0"}
WINDOWLESS: dict[str, str] = {}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "chrome"
    made.write_text("#!/bin/sh\n")
    made.chmod(0o700)
    return made


@pytest.mark.skipif(os.name == "nt", reason="there is always a screen")
def test_auto_takes_a_window_where_there_is_a_screen(program: Path) -> None:
    options = BrowserOptions(path=program)

    assert find_way(options, SCREEN) == Found(Way.SYSTEM, program)
    assert find_way(options, WINDOWLESS) == Found(Way.HEADLESS, program)


def test_auto_attaches_where_an_address_is_set(program: Path) -> None:
    found = find_way(BrowserOptions(path=program, cdp_url="http://127.0.0.1:9222"), SCREEN)

    assert found == Found(Way.ATTACH, None)


def test_chosen_way_is_taken(program: Path) -> None:
    ways = [find_way(BrowserOptions(mode=mode, path=program), SCREEN).way for mode in ("attach", "system", "headless")]

    assert ways == [Way.ATTACH, Way.SYSTEM, Way.HEADLESS]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (BrowserOptions(mode="off"), "BROWSER_MODE"),
        (BrowserOptions(path=Path("/no/such/program")), "BROWSER_PATH"),
    ],
)
def test_no_browser_says_what_to_do(options: BrowserOptions, word: str) -> None:
    found = availability_of(options)

    assert (found.available, found.reason) == (False, "NO_BROWSER")
    assert found.advice is not None
    assert word in found.advice.zh
    assert word in found.advice.en


@pytest.mark.skipif(os.name == "nt", reason="there is always a screen")
def test_window_without_a_screen_is_refused_with_the_way_out(program: Path) -> None:
    with pytest.raises(NoBrowser) as refused:
        find_way(BrowserOptions(mode="system", path=program), WINDOWLESS)

    assert refused.value.availability.advice is not None
    assert "BROWSER_MODE" in refused.value.availability.advice.en


def test_file_that_cannot_be_run_is_no_browser(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("x")
    file.chmod(0o600)

    assert not availability_of(BrowserOptions(path=file)).available
