"""Cookies that a person gives: a header's line, a browser extension's list, or Playwright's storage state."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from backend.crawl.login import LoginFlow
from backend.domain.account import Cookie
from backend.domain.errors import FieldProblem, ValidationFailedError
from backend.domain.text import Text

MAX_COOKIES = 200
MAX_TEXT_CHARS = 200_000
_MAX_VALUE_CHARS = 8_192
_MAX_NAME_CHARS = 256
_LAST_SECOND = 253_402_300_799.0
# RFC 6265: what may stand in a name, and in a value.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
_DOMAIN = re.compile(r"\.?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


def read_cookies(given: str, flow: LoginFlow) -> list[Cookie]:
    """Return the cookies of a text; those of a header's line are set for the platform's first host and all below it.

    Raises ValidationFailedError, which quotes nothing of the text: no cookie, one of another host, or none of those
    that are the session.
    """
    text = given.strip().removeprefix("Cookie:").strip()
    cookies = _listed(_parsed(text)) if text[:1] in {"[", "{"} else _of_line(text, flow.hosts[0])
    if not cookies:
        raise _refused("NO_COOKIES", Text("里面没有 Cookie", "There are no cookies in it"))
    if len(cookies) > MAX_COOKIES:
        raise _refused("TOO_MANY", Text(f"最多 {MAX_COOKIES} 个 Cookie", f"At most {MAX_COOKIES} cookies"))
    mine = [one for one in cookies if flow.owns(one.domain)]
    if not mine:
        raise _refused("WRONG_HOST", Text("这些 Cookie 不属于该平台", "These cookies are not the platform's"))
    if not flow.session_in(mine):
        names = ", ".join(flow.session_cookies)
        raise _refused("NO_SESSION", Text(f"缺少登录用的 Cookie: {names}", f"The session's cookie is missing: {names}"))
    return mine


def _parsed(text: str) -> Sequence[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _refused("BAD_FORMAT", Text("JSON 无法解析", "The JSON cannot be read")) from None
    listed = value.get("cookies") if isinstance(value, Mapping) else value
    if not isinstance(listed, list):
        raise _refused("BAD_FORMAT", Text("需要一个 Cookie 列表", "A list of cookies is needed"))
    return listed[: MAX_COOKIES + 1]


def _listed(listed: Sequence[Any]) -> list[Cookie]:
    return [_of_object(one) for one in listed]


def _of_object(one: Any) -> Cookie:
    if not isinstance(one, Mapping):
        raise _bad_cookie()
    ends = one.get("expires", one.get("expirationDate"))
    same_site = one.get("sameSite")
    return _checked(
        Cookie(
            name=_text(one, "name"),
            value=_text(one, "value"),
            domain=_text(one, "domain").lower(),
            path=_text(one, "path", "/"),
            expires_at=_moment(ends),
            is_secure=one.get("secure") is True,
            is_http_only=one.get("httpOnly") is True,
            same_site=same_site if isinstance(same_site, str) else None,
        )
    )


def _text(one: Mapping[str, Any], name: str, default: str = "") -> str:
    value = one.get(name, default)
    if not isinstance(value, str):
        raise _bad_cookie()
    return value


def _of_line(text: str, host: str) -> list[Cookie]:
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    if any(not sign for _, sign, _ in pairs):
        raise _refused("BAD_FORMAT", Text("格式应为 名称=值; 名称=值", "It should read name=value; name=value"))
    # A number is a host of its own: no name is below it.
    domain = host if host.replace(".", "").isdigit() or ":" in host or "." not in host else f".{host}"
    is_secure = domain.startswith(".")
    return [_checked(Cookie(name.strip(), value.strip(), domain, is_secure=is_secure)) for name, _, value in pairs]


def _checked(cookie: Cookie) -> Cookie:
    is_good = (
        len(cookie.name) <= _MAX_NAME_CHARS
        and len(cookie.value) <= _MAX_VALUE_CHARS
        and _NAME.fullmatch(cookie.name)
        and _VALUE.fullmatch(cookie.value)
        and _DOMAIN.fullmatch(cookie.domain)
        and cookie.path.startswith("/")
        and _VALUE.fullmatch(cookie.path)
    )
    if not is_good:
        raise _bad_cookie()
    return cookie


def _moment(seconds: Any) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return None
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds <= _LAST_SECOND else None


def _bad_cookie() -> ValidationFailedError:
    return _refused("BAD_FORMAT", Text("有一个 Cookie 无法识别", "One of the cookies cannot be read"))


def _refused(code: str, message: Text) -> ValidationFailedError:
    return ValidationFailedError([FieldProblem("cookies", code, message)])
