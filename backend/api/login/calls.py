"""`POST /api/v1/login` and `/api/v1/logout`: the session of the page, for programs that speak JSON."""

from pydantic import Field, SecretStr
from typing_extensions import TypedDict

from backend.api.base import ApiHandler
from backend.api.errors import ApiError
from backend.api.login.cookies import SessionCookies
from backend.api.openapi import Operation, Route
from backend.api.query import NoQuery
from backend.api.secret_bodies import SecretBody, read_secret_body
from backend.api.users.schemas import MeOut, Name, Password, me_out
from backend.domain.text import Text
from backend.domain.user import LOCAL, MAX_PASSWORD_CHARS

_SIGNED_IN = Text("登录成功", "Signed in")
_SIGNED_OUT = Text("已退出登录", "Signed out")


class Login(SecretBody):
    """A name with its password, or AUTH_TOKEN as `token`."""

    name: Name | None = None
    password: Password | None = None
    token: SecretStr | None = Field(None, max_length=1_000, json_schema_extra={"writeOnly": True, "format": "password"})


class LoginAnswer(TypedDict):
    """Who has signed in, and what a write with the session's cookie needs as `X-XSRF-Token`; null where all is open."""

    me: MeOut
    xsrf_token: str | None


class LoggedOut(TypedDict):
    """That the cookies are cleared."""

    signed_out: bool


class LoginCallHandler(SessionCookies, ApiHandler):
    """Sign in."""

    async def post(self) -> None:
        """Give a session for a name and a password, or for AUTH_TOKEN."""
        self.read_query(NoQuery)
        body = read_secret_body(Login, self.read_body())
        callers = self.door.callers
        if body.token is not None or callers.is_open:
            opened = callers.open_session(body.token.get_secret_value().strip() if body.token else "", self.request)
        else:
            password = body.password.get_secret_value() if body.password else ""
            opened = await callers.log_in(body.name or "", password[: MAX_PASSWORD_CHARS + 1], self.request)
        caller = LOCAL if opened is None else opened.caller
        if opened is not None:
            self.give_session(opened)
        sees_all = self.services.access.sees_all(caller)
        me = me_out(caller, sees_all=sees_all, is_open=opened is None)
        self.write_data({"me": me, "xsrf_token": None if opened is None else opened.xsrf}, _SIGNED_IN)


class LogoutCallHandler(SessionCookies, ApiHandler):
    """Sign out."""

    def post(self) -> None:
        """Clear the session's cookies."""
        if self.request.headers.get("Sec-Fetch-Site", "same-origin") == "cross-site":
            raise ApiError("ORIGIN_REFUSED", Text("不允许的来源", "This Origin is not allowed"))
        self.take_session()
        self.write_data({"signed_out": True}, _SIGNED_OUT)


ROUTES = (
    Route(
        "/api/v1/login",
        LoginCallHandler,
        {"post": Operation("Sign in: sets the session's cookies", LoginAnswer, body=Login, errors=("STATE_CONFLICT",))},
    ),
    Route(
        "/api/v1/logout",
        LogoutCallHandler,
        {"post": Operation("Sign out: clears the session's cookies", LoggedOut)},
    ),
)
