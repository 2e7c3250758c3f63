"""Who may call: the Host and Origin checks, tokens, and the sessions that stand for them or for a name and password.

A page of another site can make a browser send requests to this machine; its Origin gives it away. A name that was
re-pointed at 127.0.0.1 (DNS rebinding) is given away by its Host. Exact comparison only, no patterns.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from tornado.httputil import HTTPServerRequest

from backend.api.errors import ApiError
from backend.api.failures import Failures
from backend.api.local_secret import LocalSecret
from backend.api.proxies import PublicUrl
from backend.api.sessions import SESSION_COOKIE, XSRF_HEADER, Sessions, UserSessions
from backend.core.secrets import no_key_error
from backend.core.settings import Settings, is_loopback, is_reachable
from backend.domain.text import Text
from backend.domain.user import COMMAND, LOCAL, MAX_PASSWORD_CHARS, TOKEN, Caller, name_key
from backend.services.user_service import UserService

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_DEV_ORIGINS = ("http://localhost:5173", "http://127.0.0.1:5173")
_TOO_MANY = Text("失败次数过多，请稍后再试", "Too many failures; try again later")
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

    def __init__(self, allowed_origins: Collection[str], *, is_dev_allowed: bool, own: str | None = None) -> None:
        """`own` is where a proxy in front of us serves our pages (PUBLIC_URL)."""
        self._own = own
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
        if origin is None or origin.lower() in self._origins or origin.lower() == self._own:
            return
        if origin.lower() != f"{request.protocol}://{request.headers.get('Host', '')}".lower():
            advice = Text("把来源加入 ALLOWED_ORIGINS", "Add the origin to ALLOWED_ORIGINS")
            raise ApiError("ORIGIN_REFUSED", Text("不允许的来源", "This Origin is not allowed"), advice=advice)


class TokenCheck:
    """Compares a token with AUTH_TOKEN in constant time. Only its hash, and keys made of it, are kept."""

    def __init__(self, token: str | None, *, now: Callable[[], datetime]) -> None:
        self._digest = None if token is None else _digest(token)
        self.sessions = None if token is None else Sessions(token, now=now)

    @property
    def is_set(self) -> bool:
        """Whether there is an AUTH_TOKEN."""
        return self._digest is not None

    def is_right(self, token: str) -> bool:
        """Tell whether it is ours."""
        return self._digest is not None and hmac.compare_digest(_digest(token), self._digest)


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session: its cookie, what a page repeats of it when it writes, and whose it is."""

    session: str
    xsrf: str
    caller: Caller


class CallerCheck:
    """Tells who calls. A bearer token goes before a session; ten wrong ones a minute from one address is enough.

    Without AUTH_TOKEN, without any user, and out of others' reach everybody is `local`. Nothing slow is done here:
    a request is known by hashes of what is random; only `log_in` looks at a password.
    """

    def __init__(
        self,
        token: TokenCheck,
        users: UserService,
        *,
        local: LocalSecret,
        elapsed: Callable[[], float],
        now: Callable[[], datetime],
        is_reachable: bool,
    ) -> None:
        """`is_reachable`: others than this machine may get here, so that the door is never open."""
        self.token = token
        self._local = local
        self._users = users
        self._directory = users.directory
        self._is_reachable = is_reachable
        self._addresses = Failures(_TOO_MANY, elapsed=elapsed)
        self._names = Failures(_TOO_MANY, elapsed=elapsed)
        key = self._directory.session_key
        self._user_sessions = None if key is None else UserSessions(key, now=now)

    @property
    def is_open(self) -> bool:
        """Whether everybody is let in."""
        return not self.token.is_set and self._directory.is_empty and not self._is_reachable

    @property
    def has_users(self) -> bool:
        """Whether somebody can sign in with a name."""
        return not self._directory.is_empty

    def is_current(self, caller: Caller) -> bool:
        """Tell whether who came in so may still be here."""
        return self._directory.is_current(caller) and (caller is not LOCAL or self.is_open)

    def is_known(self, request: HTTPServerRequest) -> bool:
        """Tell whether the request would pass `identify`. Raises RATE_LIMITED as that does."""
        try:
            self.identify(request)
        except ApiError as refusal:
            if refusal.error_name == "RATE_LIMITED":
                raise
            return False
        return True

    def identify(self, request: HTTPServerRequest) -> Caller:
        """Return who calls, by a token or a session.

        Raises AUTH_REQUIRED without either, RATE_LIMITED after too many wrong tokens, XSRF_FAILED when a session would
        write and the request does not show that a page of ours sent it.
        """
        if self.is_open:
            return LOCAL
        token = _bearer(request)
        if token is not None:
            return self._by_token(token, request)
        caller = self._by_session(request)
        if caller is None:
            raise _auth_required(Text("需要访问令牌或登录", "A token or a session is required"))
        return caller

    def open_session(self, token: str, request: HTTPServerRequest) -> Opened | None:
        """Return a session for AUTH_TOKEN; None where everybody is let in. Raises AUTH_REQUIRED, RATE_LIMITED."""
        if self.is_open:
            return None
        sessions = self.token.sessions
        if not token:
            raise _auth_required(Text("需要访问令牌", "A token is required"))
        self._check_token(token, request)
        return None if sessions is None else _opened(sessions, sessions.issue(), TOKEN)

    async def log_in(self, name: str, password: str, request: HTTPServerRequest) -> Opened:
        """Return a session for a user. The same is said of a wrong name, a wrong password and a disabled user.

        Raises AUTH_REQUIRED, RATE_LIMITED, SecretsKeyError, StoreUnavailableError.
        """
        name = name[:MAX_PASSWORD_CHARS]
        self.check_guesses(request, name)
        user = await self._users.authenticate(name, password)
        if user is None:
            raise _auth_required(Text("用户名或密码不正确", "The name or the password is wrong"))
        self.forgive_guess(request, name)
        if self._user_sessions is None:
            raise no_key_error()
        session = self._user_sessions.issue(user.user_id, user.epoch)
        return _opened(self._user_sessions, session, Caller(user.name, user.role, user.user_id, user.epoch))

    def check_guesses(self, request: HTTPServerRequest, name: str) -> None:
        """Count a try of a password. Raises RATE_LIMITED after too many wrong ones, by address and by name."""
        address, key = request.remote_ip or "", name_key(name)
        self._addresses.check(address)
        self._names.check(key)
        # Counted before it is known to be wrong: else a hundred at once would all be tried.
        self._addresses.note(address)
        self._names.note(key)

    def forgive_guess(self, request: HTTPServerRequest, name: str) -> None:
        """Take back the latest try: it was right."""
        self._addresses.forgive(request.remote_ip or "")
        self._names.forgive(name_key(name))

    # -- below -----------------------------------------------------------------------------------------------------

    def _by_token(self, token: str, request: HTTPServerRequest) -> Caller:
        # Before the limit: too many bits to guess, and `mediacrawer stop` must work while somebody tries.
        if self._local.opens(token, request):
            return COMMAND
        address = request.remote_ip or ""
        self._addresses.check(address)
        if self.token.is_right(token):
            return TOKEN
        caller = self._directory.by_token(token)
        if caller is None:
            self._addresses.note(address)
            raise _auth_required(Text("访问令牌不正确", "The token is wrong"))
        return caller

    def _check_token(self, token: str, request: HTTPServerRequest) -> None:
        address = request.remote_ip or ""
        self._addresses.check(address)
        if not self.token.is_right(token):
            self._addresses.note(address)
            raise _auth_required(Text("访问令牌不正确", "The token is wrong"))

    def _by_session(self, request: HTTPServerRequest) -> Caller | None:
        cookie = request.cookies.get(SESSION_COOKIE)
        if cookie is None:
            return None
        if self.token.sessions is not None and self.token.sessions.is_valid(cookie.value):
            _check_xsrf(request, self.token.sessions, cookie.value)
            return TOKEN
        return (
            None if self._user_sessions is None else self._by_user_session(request, self._user_sessions, cookie.value)
        )

    def _by_user_session(self, request: HTTPServerRequest, sessions: UserSessions, session: str) -> Caller | None:
        place = sessions.read(session)
        caller = None if place is None else self._directory.by_session(*place)
        if caller is not None:
            _check_xsrf(request, sessions, session)
        return caller


def make_callers(
    settings: Settings,
    users: UserService,
    *,
    local_secret: str | None,
    elapsed: Callable[[], float],
    now: Callable[[], datetime],
) -> CallerCheck:
    """Return the check of callers these settings ask for; `local_secret` opens it to commands of this machine."""
    token = settings.auth_token.get_secret_value() if settings.auth_token else None
    check = TokenCheck(token, now=now)
    local = LocalSecret(local_secret)
    return CallerCheck(check, users, local=local, elapsed=elapsed, now=now, is_reachable=is_reachable(settings))


def make_checks(settings: Settings) -> tuple[HostCheck, OriginCheck]:
    """Return the checks of Host and Origin these settings ask for."""
    public = PublicUrl(settings.public_url)
    hosts = (*settings.allowed_hosts, *((public.host,) if public.host else ()))
    is_dev_allowed = is_loopback(settings.host)
    return HostCheck(hosts), OriginCheck(settings.allowed_origins, is_dev_allowed=is_dev_allowed, own=public.origin)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _bearer(request: HTTPServerRequest) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _opened(sessions: Sessions | UserSessions, session: str, caller: Caller) -> Opened:
    return Opened(session, sessions.xsrf_of(session), caller)


def _check_xsrf(request: HTTPServerRequest, sessions: Sessions | UserSessions, session: str) -> None:
    is_safe = request.method in _SAFE_METHODS
    if not is_safe and not sessions.is_xsrf_of(session, request.headers.get(XSRF_HEADER, "")):
        advice = Text("刷新页面后重试", "Reload the page and try again")
        message = Text(f"请求头 {XSRF_HEADER} 缺失或不正确", f"The header {XSRF_HEADER} is missing or wrong")
        raise ApiError("XSRF_FAILED", message, advice=advice)


def _auth_required(message: Text) -> ApiError:
    advice = Text(
        "加上请求头 Authorization: Bearer <令牌>，或在 /login 登录",
        "Send the header Authorization: Bearer <token>, or sign in at /login",
    )
    return ApiError("AUTH_REQUIRED", message, advice=advice, headers={"WWW-Authenticate": "Bearer"})
