"""Sessions of the login page. None is kept: each carries its own end and is signed with a key made of AUTH_TOKEN.

So they outlive a restart, and a changed AUTH_TOKEN ends them all.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

SESSION_COOKIE = "mcp_session"
XSRF_COOKIE = "mcp_xsrf"
XSRF_HEADER = "X-XSRF-Token"
LIFETIME = timedelta(days=7)
_NONCE_BYTES = 16
_SESSION = re.compile(r"([0-9]{1,12})\.[A-Za-z0-9_-]{22}\.[0-9a-f]{64}", re.ASCII)


class Sessions:
    """Makes sessions `<end in Unix seconds>.<nonce>.<signature>` and recognises them.

    `now` tells the time of day, aware.
    """

    def __init__(self, token: str, *, now: Callable[[], datetime]) -> None:
        # Two keys: neither value can be passed off as the other.
        self._session_key = _sign(token.encode(), "mediacrawer session 1").encode()
        self._xsrf_key = _sign(token.encode(), "mediacrawer xsrf 1").encode()
        self._now = now

    def issue(self) -> str:
        """Return a new session, good for `LIFETIME`."""
        ends_at = int((self._now() + LIFETIME).timestamp())
        unsigned = f"{ends_at}.{secrets.token_urlsafe(_NONCE_BYTES)}"
        return f"{unsigned}.{_sign(self._session_key, unsigned)}"

    def is_valid(self, session: str) -> bool:
        """Tell whether we issued this session and it has not ended."""
        match = _SESSION.fullmatch(session)
        if match is None:
            return False
        unsigned, _, signature = session.rpartition(".")
        is_ours = hmac.compare_digest(signature, _sign(self._session_key, unsigned))
        return is_ours and self._now().timestamp() < int(match[1])

    def xsrf_of(self, session: str) -> str:
        """Return what a page of ours repeats in `X-XSRF-Token` when it writes with this session."""
        return _sign(self._xsrf_key, session)

    def is_xsrf_of(self, session: str, given: str) -> bool:
        """Tell, in constant time, whether `given` is what belongs to the session."""
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self.xsrf_of(session).encode())


def _sign(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
