"""Sessions of the login page. None is kept: each carries its own end and is signed.

Those of AUTH_TOKEN with a key made of it, so that a changed AUTH_TOKEN ends them all; those of a user with a key of
this installation, and they carry the user's epoch, which is raised to end them all. Both outlive a restart.
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
_USER_SESSION = re.compile(
    r"(u_[0-9a-f]{1,38})\.([0-9]{1,9})\.([0-9]{1,12})\.[A-Za-z0-9_-]{22}\.[0-9a-f]{64}", re.ASCII
)


class _Signer:
    """Signs sessions, and knows what a page of ours repeats of one."""

    def __init__(self, secret: bytes, *, session: str, xsrf: str, now: Callable[[], datetime]) -> None:
        # Two keys: neither value can be passed off as the other.
        self._session_key = _sign(secret, session).encode()
        self._xsrf_key = _sign(secret, xsrf).encode()
        self._now = now

    def xsrf_of(self, session: str) -> str:
        """Return what a page of ours repeats in `X-XSRF-Token` when it writes with this session."""
        return _sign(self._xsrf_key, session)

    def is_xsrf_of(self, session: str, given: str) -> bool:
        """Tell, in constant time, whether `given` is what belongs to the session."""
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self.xsrf_of(session).encode())

    def _signed(self, *about: str) -> str:
        ends_at = int((self._now() + LIFETIME).timestamp())
        unsigned = ".".join((*about, str(ends_at), secrets.token_urlsafe(_NONCE_BYTES)))
        return f"{unsigned}.{_sign(self._session_key, unsigned)}"

    def _is_good(self, session: str, ends_at: int) -> bool:
        unsigned, _, signature = session.rpartition(".")
        is_ours = hmac.compare_digest(signature, _sign(self._session_key, unsigned))
        return is_ours and self._now().timestamp() < ends_at


class Sessions(_Signer):
    """Makes sessions `<end in Unix seconds>.<nonce>.<signature>` for AUTH_TOKEN and recognises them.

    `now` tells the time of day, aware.
    """

    def __init__(self, token: str, *, now: Callable[[], datetime]) -> None:
        super().__init__(token.encode(), session="mediacrawer session 1", xsrf="mediacrawer xsrf 1", now=now)

    def issue(self) -> str:
        """Return a new session, good for `LIFETIME`."""
        return self._signed()

    def is_valid(self, session: str) -> bool:
        """Tell whether we issued this session and it has not ended."""
        match = _SESSION.fullmatch(session)
        return match is not None and self._is_good(session, int(match[1]))


class UserSessions(_Signer):
    """Makes sessions `<user id>.<epoch>.<end in Unix seconds>.<nonce>.<signature>` and reads them.

    Whether the epoch is still the user's is not known here.
    """

    def __init__(self, key: bytes, *, now: Callable[[], datetime]) -> None:
        super().__init__(key, session="mediacrawer user session 1", xsrf="mediacrawer user xsrf 1", now=now)

    def issue(self, user_id: str, epoch: int) -> str:
        """Return a new session, good for `LIFETIME` or until the user's epoch is raised."""
        return self._signed(user_id, str(epoch))

    def read(self, session: str) -> tuple[str, int] | None:
        """Return the user and the epoch of a session that we issued and that has not ended, else None."""
        match = _USER_SESSION.fullmatch(session)
        if match is None or not self._is_good(session, int(match[3])):
            return None
        return match[1], int(match[2])


def _sign(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
