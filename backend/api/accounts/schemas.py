"""The shapes of accounts and logins. What is secret only ever comes in."""

from base64 import b64encode
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr
from typing_extensions import TypedDict

from backend.api.language import Speech
from backend.api.query import QueryModel
from backend.api.secret_bodies import OwnLabel, SecretBody
from backend.api.wire import stamp, stamp_or_none
from backend.crawl.login import Shown
from backend.domain.errors import MediaCrawerError, SecretsKeyError
from backend.domain.text import Text
from backend.services.account_cookies import MAX_TEXT_CHARS
from backend.services.account_logins import Login, LoginState
from backend.services.account_service import AccountView, Checked

State = Literal["none", "missing", "ok", "expired", "unknown"]
_SAID: dict[LoginState, Text] = {
    LoginState.OPENING: Text("正在打开登录页", "Opening the login page"),
    LoginState.WAITING: Text("请用手机扫码登录", "Scan the code with your phone"),
    LoginState.DONE: Text("登录成功", "Logged in"),
    LoginState.FAILED: Text("登录失败", "The login failed"),
    LoginState.TIMED_OUT: Text("登录超时", "The login took too long"),
    LoginState.CANCELLED: Text("登录已取消", "The login was cancelled"),
}
_IN_WINDOW = Text("请在打开的浏览器窗口里登录", "Log in in the browser window that has opened")
_MEDIA_TYPES = {"qr": "image/png", "page": "image/jpeg"}


PlatformId = Annotated[str, Field(min_length=1, max_length=40)]
AccountName = Annotated[str, Field(min_length=1, max_length=64)]
Cookies = Annotated[
    SecretStr,
    Field(
        max_length=MAX_TEXT_CHARS,
        description="A Cookie header's line, or a JSON list of cookies or storage state; it is never returned",
        json_schema_extra={"writeOnly": True, "format": "password"},
    ),
]


class AccountCreate(SecretBody):
    """A new account; without cookies it is logged in afterwards."""

    platform: PlatformId
    label: OwnLabel
    cookies: Cookies | None = None


class AccountChange(SecretBody):
    """What is to be other than it is."""

    label: OwnLabel | None = None
    cookies: Cookies | None = None
    is_default: Literal[True] | None = None


class LoginStart(SecretBody):
    """Which account: its id or label, or none for the platform's default one. `label` is a new account's."""

    account: AccountName | None = None
    label: OwnLabel | None = None


class AccountsQuery(QueryModel):
    """Accounts of one platform, or all."""

    platform: PlatformId | None = None


class LoginQuery(QueryModel):
    """Whose login: an account's id or label, or none for the platform's default one."""

    account: AccountName | None = None


class AccountEventOut(TypedDict):
    """Who did what."""

    at: str
    what: Literal["created", "login", "cookies_set", "renamed", "made_default"]
    by: str | None


class AccountOut(TypedDict):
    """An account. `cookies_hint`: the last four characters of a stored session; null when none is stored."""

    account_id: str
    platform: str
    label: str
    is_default: bool
    state: State
    checked_at: str | None
    expires_at: str | None
    has_cookies: bool
    cookies_hint: str | None
    created_by: str
    created_at: str
    updated_at: str
    history: list[AccountEventOut]


class ProblemOut(TypedDict):
    """What is wrong, by a stable name."""

    name: str
    message: str
    advice: str | None


class AccountList(TypedDict):
    """Every account. `key_problem`: why this server can neither seal nor open what is secret."""

    items: list[AccountOut]
    next_cursor: str | None
    key_problem: ProblemOut | None


class AccountChecked(TypedDict):
    """How the login stands now; `problem` says why that could not be seen."""

    account: AccountOut
    problem: ProblemOut | None


class AccountDeleted(TypedDict):
    """Whether it is gone."""

    account_id: str
    deleted: bool


class LoginOut(TypedDict):
    """A login. `in_window`: the page is open in a window of the server's desk or of the user's own Chrome."""

    login_id: str
    platform: str
    account_id: str | None
    label: str
    state: Literal["opening", "waiting", "done", "failed", "timed_out", "cancelled"]
    message: str
    in_window: bool
    until: str
    problem: ProblemOut | None


class LoginPictureOut(TypedDict):
    """What the login page shows: its QR code, or the whole of it; `data` is base64."""

    kind: Literal["qr", "page"]
    media_type: str
    data: str


class LoginEnded(TypedDict):
    """Whether a login was ended."""

    login_id: str
    deleted: bool


LoginEventData = LoginOut | LoginPictureOut


def account_out(view: AccountView) -> AccountOut:
    """Return an account as it is shown."""
    one = view.account
    return {
        "account_id": one.account_id,
        "platform": one.platform,
        "label": one.label,
        "is_default": view.is_default,
        "state": view.state.value,
        "checked_at": stamp_or_none(one.checked_at),
        "expires_at": stamp_or_none(one.expires_at),
        "has_cookies": one.session_version > 0,
        "cookies_hint": one.hint,
        "created_by": one.created_by,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "history": [_event(each.what, stamp(each.at), each.by) for each in one.history],
    }


def list_out(views: list[AccountView], key_problem: SecretsKeyError | None, speech: Speech) -> AccountList:
    """Return all accounts."""
    problem = None if key_problem is None else problem_out(key_problem.reason, key_problem, speech)
    return {"items": [account_out(view) for view in views], "next_cursor": None, "key_problem": problem}


def checked_out(checked: Checked, speech: Speech) -> AccountChecked:
    """Return what a check found."""
    return {"account": account_out(checked.view), "problem": problem_out(checked.error_name, checked.error, speech)}


def login_out(login: Login, speech: Speech) -> LoginOut:
    """Return a login as it stands."""
    is_watched = login.state is LoginState.WAITING and login.is_in_window
    return {
        "login_id": login.login_id,
        "platform": login.platform,
        "account_id": login.account_id,
        "label": login.label,
        "state": login.state.value,
        "message": speech.say(_IN_WINDOW if is_watched else _SAID[login.state]),
        "in_window": login.is_in_window,
        "until": stamp(login.until),
        "problem": problem_out(login.error_name, login.error, speech),
    }


def picture_out(shown: Shown) -> LoginPictureOut:
    """Return a picture of the login page."""
    media_type, data = _MEDIA_TYPES[shown.kind], b64encode(shown.picture).decode()
    return {"kind": shown.kind, "media_type": media_type, "data": data}


def problem_out(name: str | None, error: MediaCrawerError | None, speech: Speech) -> ProblemOut | None:
    """Return what is wrong, or None."""
    if error is None:
        return None
    return {"name": name or error.name, "message": speech.say(error.message), "advice": speech.advise(error.advice)}


def _event(what: Any, at: str, by: str | None) -> AccountEventOut:
    return {"at": at, "what": what, "by": by}
