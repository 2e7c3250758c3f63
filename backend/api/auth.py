"""Who may call: the Host and Origin checks, the token, and the session that stands for it.

A page of another site can make a browser send requests to this machine; its Origin gives it away. A name that was
re-pointed at 127.0.0.1 (DNS rebinding) is given away by its Host. Exact comparison only, no patterns.
"""

import hashlib
import hmac
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from datetime import datetime

from tornado.httputil import HTTPServerRequest

from backend.api.errors import ApiError
from backend.api.sessions import SESSION_COOKIE, XSRF_HEADER, Sessions
from backend.core.settings import Settings, is_loopback
from backend.domain.text import Text

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_DEV_ORIGINS = ("http://localhost:5173", "http://127.0.0.1:5173")
FAILURES_ALLOWED = 10
FAILURES_WINDOW_S = 60.0
_ADDRESSES_KEPT = 10_000
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class HostCheck:
    """Lets a request through whose Host is ours; a name listed without a port goes with any port."""

    def __init__(self, allowed_hosts: Collection[str]) -> None:
        self._hosts = frozenset(host.lower() for host in (*_LOCAL_HOSTS, *allowed_hosts))

    def allows(self, request: HTTPServerRequest) -> bool:
        """Tell whether the request names one of our hosts."""
        host = request.headers.get("Host", "").lower()
        name, _, port = host.rpartition(":")
        if not name or host.endswith("]"):
            return host in self._hosts
        return host in self._hosts or (port.isascii() and port.isdigit() and name in self._hosts)

    def check(self, request: HTTPServerRequest) -> None:
        """Raise HOST_REFUSED for a strange Host."""
        if not self.allows(request):
            advice = Text("把主机名加入 ALLOWED_HOSTS", "Add the name to ALLOWED_HOSTS")
            raise ApiError("HOST_REFUSED", Text("不允许的主机名", "This Host is not allowed"), advice=advice)


class OriginCheck:
    """Lets a request through that no page sent, or a page of an allowed origin."""

    def __init__(self, allowed_origins: Collection[str], *, is_dev_allowed: bool) -> None:
        self._origins = frozenset(
            origin.lower() for origin in (*allowed_origins, *(_DEV_ORIGINS if is_dev_allowed else ()))
        )

    def foreign_origin(self, request: HTTPServerRequest) -> str | None:
        """Return the allowed origin other than our own that the request comes from, if any."""
        origin = request.headers.get("Origin")
        return origin if origin is not None and origin.lower() in self._origins else None

    def check(self, request: HTTPServerRequest) -> None:
        """Raise ORIGIN_REFUSED for a page of a strange origin."""
        origin = request.headers.get("Origin")
        if origin is None or origin.lower() in self._origins:
            return
        if origin.lower() != f"{request.protocol}://{request.headers.get('Host', '')}".lower():
            advice = Text("把来源加入 ALLOWED_ORIGINS", "Add the origin to ALLOWED_ORIGINS")
            raise ApiError("ORIGIN_REFUSED", Text("不允许的来源", "This Origin is not allowed"), advice=advice)


class TokenCheck:
    """Compares a token with ours in constant time; ten wrong ones a minute from one address is enough.

    Without a token of ours everybody is let in (the server is then bound to loopback), and `sessions` is None. Only its
    hash, and keys made of it, are kept. A bearer token goes before a session.
    """

    def __init__(self, token: str | None, *, elapsed: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._digest = None if token is None else _digest(token)
        self.sessions = None if token is None else Sessions(token, now=now)
        self._elapsed = elapsed
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def is_known(self, request: HTTPServerRequest) -> bool:
        """Tell whether the request would pass `check`. Raises RATE_LIMITED as that does."""
        try:
            self.check(request)
        except ApiError as refusal:
            if refusal.error_name == "RATE_LIMITED":
                raise
            return False
        return True

    def check(self, request: HTTPServerRequest) -> None:
        """Let in who has the token or a session.

        Raises AUTH_REQUIRED without either, RATE_LIMITED after too many wrong tokens, XSRF_FAILED when a session would
        write and the request does not show that a page of ours sent it.
        """
        token = _bearer(request)
        if self.sessions is None or (token is None and _has_session(request, self.sessions)):
            return
        self.check_token(token or "", request)

    def check_token(self, token: str, request: HTTPServerRequest) -> None:
        """Raise AUTH_REQUIRED for anything but our token, RATE_LIMITED after too many wrong ones."""
        if self._digest is None:
            return
        if not token:
            raise _auth_required(Text("需要访问令牌", "A token is required"))
        address = request.remote_ip or ""
        self._check_rate(address)
        if not hmac.compare_digest(_digest(token), self._digest):
            self._note_failure(address)
            raise _auth_required(Text("访问令牌不正确", "The token is wrong"))

    def _check_rate(self, address: str) -> None:
        failures = self._failures.get(address)
        if failures is None:
            return
        since = self._elapsed() - FAILURES_WINDOW_S
        while failures and failures[0] <= since:
            failures.popleft()
        # Before the comparison: else guessing would go on at full speed, only unanswered.
        if len(failures) >= FAILURES_ALLOWED:
            wait_s = max(1, round(failures[0] - since))
            message = Text("令牌错误次数过多，请稍后再试", "Too many wrong tokens; try again later")
            raise ApiError("RATE_LIMITED", message, can_retry=True, headers={"Retry-After": str(wait_s)})

    def _note_failure(self, address: str) -> None:
        self._failures.setdefault(address, deque(maxlen=FAILURES_ALLOWED)).append(self._elapsed())
        self._failures.move_to_end(address)
        while len(self._failures) > _ADDRESSES_KEPT:
            self._failures.popitem(last=False)


def make_checks(
    settings: Settings, *, elapsed: Callable[[], float], now: Callable[[], datetime]
) -> tuple[HostCheck, OriginCheck, TokenCheck]:
    """Return the checks these settings ask for."""
    token = settings.auth_token.get_secret_value() if settings.auth_token else None
    return (
        HostCheck(settings.allowed_hosts),
        OriginCheck(settings.allowed_origins, is_dev_allowed=is_loopback(settings.host)),
        TokenCheck(token, elapsed=elapsed, now=now),
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _bearer(request: HTTPServerRequest) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _has_session(request: HTTPServerRequest, sessions: Sessions) -> bool:
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie is None or not sessions.is_valid(cookie.value):
        return False
    is_safe = request.method in _SAFE_METHODS
    if not is_safe and not sessions.is_xsrf_of(cookie.value, request.headers.get(XSRF_HEADER, "")):
        advice = Text("刷新页面后重试", "Reload the page and try again")
        message = Text(f"请求头 {XSRF_HEADER} 缺失或不正确", f"The header {XSRF_HEADER} is missing or wrong")
        raise ApiError("XSRF_FAILED", message, advice=advice)
    return True


def _auth_required(message: Text) -> ApiError:
    advice = Text(
        "加上请求头 Authorization: Bearer <AUTH_TOKEN>，或在 /login 登录",
        "Send the header Authorization: Bearer <AUTH_TOKEN>, or sign in at /login",
    )
    return ApiError("AUTH_REQUIRED", message, advice=advice, headers={"WWW-Authenticate": "Bearer"})
