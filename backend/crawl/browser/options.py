"""What an operator chooses about browsers, the limits that hold for all, and which way in fits this machine."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from backend.domain.platform import Availability
from backend.domain.text import Text

Mode = Literal["auto", "attach", "system", "headless", "off"]

# Where Chrome listens by default when a user allows remote debugging.
DEFAULT_CDP_URL = "http://127.0.0.1:9222"

_NAMES = ("google-chrome-stable", "google-chrome", "chromium", "chromium-browser", "microsoft-edge-stable", "msedge")
_PLACES: Mapping[str, tuple[str, ...]] = {
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ),
    "win32": (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    ),
}
# Where `playwright install chromium` puts it: https://playwright.dev/python/docs/browsers, checked 2026-11-22.
_CACHES: Mapping[str, str] = {
    "linux": "~/.cache/ms-playwright",
    "darwin": "~/Library/Caches/ms-playwright",
    "win32": "~/AppData/Local/ms-playwright",
}
_CACHED = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    "chromium-*/chrome-win*/chrome.exe",
)

_OFF = Text("浏览器模式已关闭", "Browser mode is switched off")
_OFF_ADVICE = Text("把 BROWSER_MODE 设为 auto 后重启服务", "Set BROWSER_MODE=auto and restart the server")
_NOT_INSTALLED = Text("没有安装浏览器组件", "The browser package is not installed")
_INSTALL_ADVICE = Text(
    '运行 pip install "mediacrawer-pro[browser]" 后重启服务',
    'Run pip install "mediacrawer-pro[browser]", then restart the server',
)
_NONE_FOUND = Text("这台机器上没有可用的浏览器", "There is no browser on this machine")
_NONE_ADVICE = Text(
    "安装 Chrome 或 Chromium，或用 BROWSER_PATH 指定它，或用 BROWSER_CDP_URL 连接你自己的 Chrome",
    "Install Chrome or Chromium, name it with BROWSER_PATH, or attach to your own Chrome with BROWSER_CDP_URL",
)
_NO_SCREEN = Text("这台机器没有图形界面，打不开浏览器窗口", "This machine has no screen to open a browser window on")
_NO_SCREEN_ADVICE = Text("把 BROWSER_MODE 设为 headless", "Set BROWSER_MODE=headless")


class Way(StrEnum):
    """How a browser is come by."""

    ATTACH = "attach"
    SYSTEM = "system"
    HEADLESS = "headless"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserOptions:
    """What the settings say. `is_sandboxed` None: sandboxed unless we are root, where Chromium refuses to be."""

    mode: Mode = "auto"
    cdp_url: str | None = None
    path: Path | None = None
    max_tabs: int = 10
    idle_s: float = 300.0
    is_sandboxed: bool | None = None


def availability_of(options: BrowserOptions) -> Availability:
    """Return whether a browser can be come by, as far as this machine's files tell."""
    try:
        find_way(options)
    except NoBrowser as error:
        return error.availability
    return Availability(available=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that no setting changes; tests shorten them. Seconds, bytes, counts.

    `close_s`: a page that has not closed by then is taken for hung, and its browser is killed.
    """

    attach_s: float = 10.0
    launch_s: float = 30.0
    navigate_s: float = 30.0
    call_s: float = 10.0
    body_s: float = 20.0
    close_s: float = 3.0
    leave_s: float = 5.0
    kill_s: float = 2.0
    body_bytes: int = 8 * 1024 * 1024
    kept_bytes: int = 32 * 1024 * 1024
    kept_answers: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """The way in that fits, and the program to start; `program` is None when attaching."""

    way: Way
    program: Path | None


class NoBrowser(Exception):  # noqa: N818 - a fact about this machine, said as an Availability
    """No way in fits this machine; `availability` says why and what to do."""

    def __init__(self, message: Text, advice: Text) -> None:
        super().__init__(message.en)
        self.availability = Availability(available=False, reason="NO_BROWSER", message=message, advice=advice)


def find_way(options: BrowserOptions, environ: Mapping[str, str] | None = None) -> Found:
    """Return the way in that fits this machine, by looking at its files only. Raises NoBrowser."""
    environ = os.environ if environ is None else environ
    if options.mode == "off":
        raise NoBrowser(_OFF, _OFF_ADVICE)
    if importlib.util.find_spec("playwright") is None:
        raise NoBrowser(_NOT_INSTALLED, _INSTALL_ADVICE)
    if options.mode == "attach" or (options.mode == "auto" and options.cdp_url is not None):
        return Found(Way.ATTACH, None)
    program = next(_programs(options.path), None)
    if program is None:
        raise NoBrowser(_NONE_FOUND, _NONE_ADVICE)
    has_screen = sys.platform in {"darwin", "win32"} or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
    if options.mode == "system" and not has_screen:
        raise NoBrowser(_NO_SCREEN, _NO_SCREEN_ADVICE)
    is_headed = options.mode == "system" or (options.mode == "auto" and has_screen)
    return Found(Way.SYSTEM if is_headed else Way.HEADLESS, program)


def _programs(chosen: Path | None) -> Iterator[Path]:
    """Yield the browsers of this machine, the best first; only the chosen one when one is chosen."""
    if chosen is not None:
        yield from [chosen] if os.access(chosen, os.X_OK) else []
        return
    yield from (Path(found) for name in _NAMES if (found := shutil.which(name)))
    yield from (path for place in _PLACES.get(sys.platform, ()) if (path := Path(place)).is_file())
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or _CACHES.get(sys.platform, "~")).expanduser()
    for pattern in _CACHED:
        yield from sorted(cache.glob(pattern), reverse=True)
