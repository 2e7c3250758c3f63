"""A browser with a window of its own, on a screen that Xvfb makes: its frame buffer is a file that can be looked at."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures.chromium import a_context, make_browsers, own_children
from tests.fixtures.site import Site, SitePage

XVFB = shutil.which("Xvfb")
# A colour that no part of the browser itself has; the screen keeps blue, green, red and a byte of nothing.
_COLOUR = "#e01090"
_PIXEL = bytes((0x90, 0x10, 0xE0))
_MANY = 100_000
_LOOK_EVERY_S = 0.02
_PAGE = f"<body style='background: {_COLOUR}'>".encode()

pytestmark = [pytest.mark.browser, pytest.mark.skipif(XVFB is None, reason="Xvfb is not installed")]


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The frame buffer of a screen of this test's own, which DISPLAY names."""
    assert XVFB is not None
    reading, writing = os.pipe()
    # It looks for a free number and tells it when it is ready. At a reset, when the last client leaves, it would run
    # programs of its own.
    process = subprocess.Popen(
        [XVFB, "-displayfd", str(writing), "-screen", "0", "1024x768x24", "-noreset", "-fbdir", str(tmp_path)],
        pass_fds=[writing],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as said:
            number = said.readline().strip()
        assert number, "Xvfb has not started"
        monkeypatch.setenv("DISPLAY", f":{number}")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        yield tmp_path / "Xvfb_screen0"
    finally:
        process.terminate()
        process.wait()


def shown_on(screen: Path) -> int:
    """Return how many pixels of the screen have the page's colour."""
    return screen.read_bytes().count(_PIXEL)


async def seen(is_so: Callable[[], bool]) -> bool:
    """Whether it becomes so within a minute; nobody tells what is drawn on a screen."""
    for _ in range(round(60 / _LOOK_EVERY_S)):
        if is_so():
            return True
        await asyncio.sleep(_LOOK_EVERY_S)
    return False


async def test_window_shows_the_page_and_is_gone_after_the_stop(
    io_loop: object, site: Site, screen: Path, tmp_path: Path
) -> None:
    site.pages["/"] = SitePage(_PAGE)
    before = own_children()
    pool = make_browsers(tmp_path / "browser", mode="system")
    await pool.start()

    tab = await pool.open_tab(a_context(), platform="x", hosts=("127.0.0.1",))
    await tab.open(site.url("/"))
    is_shown = await seen(lambda: shown_on(screen) > _MANY)
    await tab.close()
    await pool.stop()

    assert is_shown
    assert await seen(lambda: shown_on(screen) == 0)
    assert own_children() <= before
    assert (tmp_path / "browser" / "x-default" / "Default" / "Preferences").is_file()
