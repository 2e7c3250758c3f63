"""What the site says when it does not give what was asked for: its codes, its login page, its captcha.

Source: public issue threads of tools that read the site, as of 2026-11-21; not checked on the live site. A wall is
only recognised, never passed: a person solves it in their own browser.
"""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from backend.crawl.refusal import EMPTY_ANSWER, UNREADABLE, Refusal, refusal_of_status
from backend.crawl.source_record import Record, read_json, snake_cased
from backend.domain.challenge import ChallengeKind
from backend.domain.text import Text

CAPTCHA = Refusal(
    "NEEDS_CAPTCHA",
    Text("小红书要求完成验证", "Xiaohongshu asks for a verification"),
    Text("在浏览器中打开小红书，完成验证后点“继续”", "Open Xiaohongshu in the browser, solve it, then resume"),
    needs=ChallengeKind.CAPTCHA,
)
LOGIN = Refusal(
    "NEEDS_LOGIN",
    Text("小红书要求登录", "Xiaohongshu asks for a login"),
    Text(
        "用小红书 App 扫码，或在浏览器中登录后点“继续”",
        "Scan the code with the app, or log in with the browser, then resume",
    ),
    needs=ChallengeKind.LOGIN,
)
REFUSED = Refusal(
    "BLOCKED",
    Text("小红书拒绝了请求", "Xiaohongshu refused the request"),
    Text("降低速度，过几个小时再试", "Go slower, and try again in some hours"),
)
NETWORK_RESTRICTED = Refusal(
    "BLOCKED",
    Text("小红书限制了这个网络 (300012)", "Xiaohongshu restricts this network (300012)"),
    Text("换一个网络，或过一段时间再试", "Use another network, or try again after a while"),
    is_whole=True,
)
ACCOUNT_RESTRICTED = Refusal(
    "BLOCKED",
    Text("小红书限制了这个账号 (300011)", "Xiaohongshu restricts this account (300011)"),
    Text("在浏览器中查看账号状态，过一段时间再试", "Look at the account in the browser, and try again after a while"),
    is_whole=True,
)
NOTE_GONE = Refusal(
    "HTTP_STATUS",
    Text("笔记不存在或已删除", "The note does not exist, or was deleted"),
    Text("检查链接", "Check the link"),
    outcome="failed",
)
NOTE_HIDDEN = Refusal(
    "CONTENT_BLOCKED",
    Text("笔记状态异常，暂时无法浏览", "The note cannot be shown at present"),
    Text("在浏览器中打开链接确认", "Open the link in the browser to see"),
    outcome="failed",
)

_STATUSES: Mapping[int, Refusal] = {461: CAPTCHA, 471: CAPTCHA, 406: REFUSED}
_CODES: Mapping[int, Refusal] = {
    300_011: ACCOUNT_RESTRICTED,
    300_012: NETWORK_RESTRICTED,
    300_031: NOTE_HIDDEN,
    -100: LOGIN,
    -101: LOGIN,
    -510_000: NOTE_GONE,
    -510_001: NOTE_HIDDEN,
}
_MAX_WORDS = 80
_MISSING = 404
# What only a wall shows, and the picture to scan in it.
WALLS = (
    (".login-container", LOGIN),
    (".red-captcha-slider", CAPTCHA),
    (".red-captcha-container", CAPTCHA),
    ("#red-captcha", CAPTCHA),
)
QR_CODES = (".login-container .qrcode-img", ".qrcode-img")
_LOGIN_PATHS = ("/login", "/website-login/login", "/website-login/qrcode")
_CAPTCHA_PATHS = ("/website-login/captcha", "/web-login/captcha", "/captcha")


def read_answer(
    status: int, body: bytes, *, retry_after_s: float | None = None, asks_to_verify: bool = False
) -> Record | Refusal:
    """Return the `data` of an answer of the site, in snake_case, or what it is instead.

    An answer without a body, or without data, is a refusal and not an empty result. `asks_to_verify`: its headers
    name a verification.
    """
    by_status = _STATUSES.get(status)
    if by_status is not None or asks_to_verify:
        return by_status or CAPTCHA
    value = read_json(body) if body.strip() else None
    envelope = Record(snake_cased(value))
    by_code = _CODES.get(_code(envelope))
    if by_code is not None:
        return by_code
    refused = refusal_of_status(status, retry_after_s=retry_after_s)
    if refused is not None:
        return LOGIN if refused.needs is ChallengeKind.LOGIN else refused
    if not body.strip():
        return EMPTY_ANSWER
    if value is None:
        return UNREADABLE if body.lstrip()[:1] in {b"{", b"["} else EMPTY_ANSWER
    return _data_of(envelope)


def status_of_page(status: int) -> Refusal | None:
    """Return what the HTTP status of a page itself means, or None when it is a good one."""
    if status == _MISSING:
        return NOTE_GONE
    return _STATUSES.get(status) or refusal_of_status(status)


def wall_of_url(url: str) -> Refusal | None:
    """Return the wall that a page's own address names, or None."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    path = parts.path.rstrip("/") or "/"
    if any(path == one or path.startswith(f"{one}/") for one in _CAPTCHA_PATHS):
        return CAPTCHA
    if any(path == one or path.startswith(f"{one}/") for one in _LOGIN_PATHS):
        return LOGIN
    code = parse_qs(parts.query).get("error_code", [""])[0]
    if path == "/404" or code:
        return _CODES.get(int(code), NOTE_GONE) if code.lstrip("-").isdecimal() and len(code) < 10 else NOTE_GONE  # noqa: PLR2004
    return None


def _data_of(envelope: Record) -> Record | Refusal:
    if envelope.flag("success") is False or _code(envelope) != 0:
        words = envelope.text("msg", "message", limit=_MAX_WORDS)
        return REFUSED if words is None else _quoting(REFUSED, words)
    data = envelope.inner("data")
    return data or EMPTY_ANSWER


def _quoting(refusal: Refusal, words: str) -> Refusal:
    message = Text(f"{refusal.message.zh}: {words}", f"{refusal.message.en}: {words}")
    return replace(refusal, message=message)


def _code(envelope: Record) -> int:
    value = envelope.raw("code")
    try:
        return int(value) if isinstance(value, int | str) else 0
    except ValueError:
        return -1
