"""The two cookies of a session, for the page at /login and for the calls of the API alike."""

from backend.api.auth import Opened
from backend.api.base import BaseHandler
from backend.api.sessions import LIFETIME, SESSION_COOKIE, XSRF_COOKIE


class SessionCookies(BaseHandler):
    """A handler that gives a session, or takes it back; whoever has none yet may come in."""

    def check_caller(self) -> None:
        """Let everybody in: who has no session comes here for one."""

    def give_session(self, opened: Opened) -> None:
        """Set both cookies."""
        self._give(SESSION_COOKIE, opened.session, is_hidden=True)
        self._give(XSRF_COOKIE, opened.xsrf, is_hidden=False)

    def take_session(self) -> None:
        """Clear both cookies."""
        for name in (SESSION_COOKIE, XSRF_COOKIE):
            self.clear_cookie(name, samesite="Strict")

    def _give(self, name: str, value: str, *, is_hidden: bool) -> None:
        max_age_s = int(LIFETIME.total_seconds())
        self.set_cookie(name, value, max_age=max_age_s, httponly=is_hidden, secure=self._is_https(), samesite="Strict")

    def _is_https(self) -> bool:
        # Behind a proxy that ends TLS and is not trusted, the page's Origin, already checked, tells what is seen.
        seen = self.request.headers.get("Origin", "").lower()
        host = self.request.host
        is_seen = self.request.protocol == "https" or seen == f"https://{host}".lower()
        return is_seen or self.door.public.is_https_at(host)
