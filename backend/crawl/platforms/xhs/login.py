"""Xiaohongshu's login: its addresses, the picture to scan, and what tells whether somebody is logged in.

Facts as of 2026-11-21; not checked on the live site. The site asks for `/user/selfinfo` on its pages, whose
`data.result.success` says it; the state that its server writes says the same as `user.loggedIn`.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from backend.core.vendor_settings import read_vendor_settings
from backend.crawl.browser import Captured, Listen
from backend.crawl.login import LoginFlow
from backend.crawl.platforms.xhs import XhsSettings
from backend.crawl.platforms.xhs.walls import QR_CODES
from backend.crawl.source_record import Record, read_json, snake_cased
from backend.crawl.state_literal import read_state

_SELF = "/api/sns/web/v1/user/selfinfo"
_STATE = "__INITIAL_STATE__"
_HOSTS = ("xiaohongshu.com", "rednote.com")
_TOO_OLD = ("过期", "失效")
_OK = 200
_NOBODY = (-100, -101)


def says(answer: Captured) -> bool | None:
    """Return what an answer of the site says of the login, None when it says nothing."""
    if not answer.path.endswith(_SELF) or answer.status != _OK:
        return None
    envelope = Record(snake_cased(read_json(answer.body)))
    if envelope.raw("code") in _NOBODY:
        return False
    return envelope.inner("data").inner("result").flag("success")


def page_says(html: str) -> bool | None:
    """Return what the state of a page says of the login, None when it says nothing."""
    user = Record(snake_cased(read_state(html, _STATE))).inner("user")
    return user.flag("logged_in")


def create_login(environ: Mapping[str, str]) -> LoginFlow:
    """Return the login of the site that XHS_BASE_URL names. Raises SettingsError."""
    base = read_vendor_settings(XhsSettings, "XHS_", environ).base_url
    return LoginFlow(
        home_url=f"{base}/explore",
        login_url=f"{base}/login",
        hosts=(*_HOSTS, urlsplit(base).hostname or ""),
        listen=(Listen("GET", _SELF),),
        says=says,
        page_says=page_says,
        qr_codes=QR_CODES,
        stale_codes=tuple(f".login-container :text('{word}')" for word in _TOO_OLD),
        session_cookies=("web_session",),
    )
