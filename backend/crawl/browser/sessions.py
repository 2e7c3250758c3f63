"""Whose browser a tab is opened in, and the session it is given when its profile has none of its own."""

import contextlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from backend.domain.account import Cookie, Session

# In a profile: the version of the stored session that it was given, or that was taken from it.
_MARK = ".session"
_SAME_SITES: Mapping[str, Literal["Lax", "None", "Strict"]] = {"lax": "Lax", "none": "None", "strict": "Strict"}


class TabUser(Protocol):
    """What a tab needs of whoever opens it: a task's context, or a login's."""

    def check(self) -> None:
        """Stop here if the work was cancelled: raises asyncio.CancelledError."""

    async def sleep(self, seconds: float) -> None:
        """Wait, ended at once by a cancel."""

    def log(self, level: str, message: str, **fields: str | float | None) -> None:
        """Add a line to the log of the work."""

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Count something held while inside."""


class Sessions(Protocol):
    """Knows the accounts: which profile is meant by a name, and what is stored of its session."""

    async def session_of(self, platform: str, account: str) -> Session:
        """Return what the browser of an account (its id, its label, or `default`) is started with.

        Raises NotFoundError when there is no such account.
        """


class PlainSessions:
    """No accounts: each name is a profile of its own, and nothing is stored."""

    async def session_of(self, platform: str, account: str) -> Session:
        """Return the profile of this name."""
        del platform
        return Session(account)


def cookies_to_add(session: Session, present: Iterable[Mapping[str, Any]], profile: Path) -> list[dict[str, Any]]:
    """Return the cookies a browser that has just started is given, as Playwright takes them.

    All of them when the stored session is another than the profile knows; else only those it lacks: cookies without
    an end go with the browser, and what the site has renewed since is newer than what is stored.
    """
    if read_mark(profile) != session.version:
        wanted = list(session.cookies)
    else:
        has = {(one["name"], one["domain"], one["path"]) for one in present}
        wanted = [one for one in session.cookies if (one.name, one.domain, one.path) not in has]
    now = datetime.now(UTC)
    return [_given(one) for one in wanted if one.expires_at is None or one.expires_at > now]


def read_mark(profile: Path) -> int | None:
    """Return the version of the session that a profile has; None when it has none."""
    try:
        text = (profile / _MARK).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isdecimal() else None


def write_mark(profile: Path, version: int) -> None:
    """Note which stored session a profile has. Without the note it is given the session once more."""
    with contextlib.suppress(OSError):
        (profile / _MARK).write_text(str(version), encoding="ascii")


def read_cookie(told: Mapping[str, Any]) -> Cookie:
    """Return a cookie as Playwright tells of it."""
    ends = float(told.get("expires", -1))
    return Cookie(
        *(told["name"], told["value"], told["domain"], told["path"]),
        expires_at=datetime.fromtimestamp(ends, UTC) if ends > 0 else None,
        is_secure=bool(told.get("secure")),
        is_http_only=bool(told.get("httpOnly")),
        same_site=told.get("sameSite"),
    )


def _given(cookie: Cookie) -> dict[str, Any]:
    same_site = _SAME_SITES.get((cookie.same_site or "").lower())
    return {
        **{"name": cookie.name, "value": cookie.value, "domain": cookie.domain, "path": cookie.path},
        **{"secure": cookie.is_secure, "httpOnly": cookie.is_http_only},
        **({} if cookie.expires_at is None else {"expires": cookie.expires_at.timestamp()}),
        **({} if same_site is None else {"sameSite": same_site}),
    }
