"""`/accounts`: who is logged in where. What is secret comes in and never goes out."""

from contextlib import aclosing

from tornado.iostream import StreamClosedError

from backend.api.accounts.schemas import (
    AccountChange,
    AccountChecked,
    AccountCreate,
    AccountDeleted,
    AccountList,
    AccountOut,
    AccountsQuery,
    LoginEnded,
    LoginEventData,
    LoginOut,
    LoginQuery,
    LoginStart,
    account_out,
    checked_out,
    list_out,
    login_out,
    picture_out,
)
from backend.api.base import ApiHandler, WholeWrites
from backend.api.openapi import Operation, Route
from backend.api.query import NoQuery
from backend.api.secret_bodies import read_secret_body
from backend.api.stream.frames import HEARTBEAT
from backend.api.stream.handlers import EVENT_STREAM
from backend.api.wire import dump
from backend.domain.text import Text
from backend.services.account_logins import Login

_ADDED = Text("账号已添加", "The account was added")
_CHANGED = Text("账号已修改", "The account was changed")
_REMOVED = Text("账号已删除", "The account was removed")
_OPENED = Text("正在打开登录页", "Opening the login page")
_ENDED = Text("登录已取消", "The login was cancelled")


class AccountsHandler(ApiHandler):
    """All accounts."""

    async def get(self) -> None:
        """List them, the default one of each platform first."""
        query = self.read_query(AccountsQuery)
        accounts = self.services.accounts
        views = await accounts.list(query.platform)
        self.write_data({**list_out(views, accounts.key_problem, self.speech)})

    async def post(self) -> None:
        """Add one."""
        self.read_query(NoQuery)
        body = read_secret_body(AccountCreate, self.read_body())
        cookies = None if body.cookies is None else body.cookies.get_secret_value()
        made = await self.services.accounts.create(body.platform, body.label, cookies=cookies, by=self.caller.name)
        self.write_data({**account_out(made)}, _ADDED)


class AccountHandler(WholeWrites):
    """One account."""

    async def get(self, account_id: str) -> None:
        """Read it."""
        self.read_query(NoQuery)
        self.write_data({**account_out(await self.services.accounts.get(account_id))})

    async def patch(self, account_id: str) -> None:
        """Rename it, replace its session, or make it the default."""
        self.read_query(NoQuery)
        body = read_secret_body(AccountChange, self.read_body())
        changed = await self.services.accounts.change(
            account_id,
            label=body.label,
            cookies=None if body.cookies is None else body.cookies.get_secret_value(),
            is_default=body.is_default is True,
            by=self.caller.name,
        )
        self.write_data({**account_out(changed)}, _CHANGED)

    async def delete(self, account_id: str) -> None:
        """Remove it with its session and its browser's profile."""
        self.read_query(NoQuery)
        await self.services.accounts.remove(account_id, by=self.caller.name)
        self.write_data({"account_id": account_id, "deleted": True}, _REMOVED)


class AccountCheckHandler(ApiHandler):
    """The check of one account."""

    async def post(self, account_id: str) -> None:
        """Look whether somebody is logged in; given up when the caller hangs up."""
        self.read_query(NoQuery)
        checked = await self.while_connected(self.services.accounts.check(account_id))
        self.write_data({**checked_out(checked, self.speech)})


class LoginHandler(ApiHandler):
    """The login of a platform's account."""

    async def post(self, platform: str) -> None:
        """Begin it; follow it with GET, or it is ended soon."""
        self.read_query(NoQuery)
        body = read_secret_body(LoginStart, self.read_body() if self.request.body else {})
        login = await self.services.accounts.log_in(
            platform, account=body.account, label=body.label, by=self.caller.name
        )
        self.write_data({**login_out(login, self.speech)}, _OPENED)

    async def delete(self, platform: str) -> None:
        """End it; answered when its page is closed."""
        query = self.read_query(LoginQuery)
        login = await self.services.accounts.login_of(platform, account=query.account)
        await self.services.accounts.desk.cancel(login)
        self.write_data({"login_id": login.login_id, "deleted": True}, _ENDED)

    async def get(self, platform: str) -> None:
        """Follow it: its state and its QR code, until it has ended."""
        query = self.read_query(LoginQuery)
        login = await self.services.accounts.login_of(platform, account=query.account)
        self.set_header("Content-Type", EVENT_STREAM)
        # A proxy that collects the answer first would show nothing for ever (nginx's own header for it).
        self.set_header("X-Accel-Buffering", "no")
        # It is no answer in progress that a server which leaves has to wait for.
        self.door.answering.remove(self)
        await self.while_connected(self._pour(login))

    async def head(self, platform: str) -> None:  # type: ignore[override]
        """Answer with the headers; there is nothing to follow."""
        query = self.read_query(LoginQuery)
        await self.services.accounts.login_of(platform, account=query.account)
        self.set_header("Content-Type", EVENT_STREAM)

    async def _pour(self, login: Login) -> None:
        drawn = 0
        async with aclosing(self.services.accounts.desk.follow(login)) as changes:
            async for change in changes:
                self.write(HEARTBEAT if change is None else self._frames(change, drawn))
                drawn = login.picture_version
                try:
                    await self.flush()
                except StreamClosedError:
                    return

    def _frames(self, login: Login, drawn: int) -> bytes:
        frames = b"event: state\ndata: " + dump(login_out(login, self.speech)) + b"\n"
        if login.picture is not None and login.picture_version != drawn:
            frames += b"event: qr\ndata: " + dump(picture_out(login.picture)) + b"\n"
        return frames


_BROWSER = ("NOT_FOUND", "STATE_CONFLICT", "PLATFORM_UNAVAILABLE")
_PATH = "/api/v1/accounts"
ROUTES = (
    Route(
        _PATH,
        AccountsHandler,
        {
            "get": Operation("List accounts", AccountList, query=AccountsQuery),
            "post": Operation(
                "Add an account",
                AccountOut,
                body=AccountCreate,
                errors=("NOT_FOUND", "NAME_TAKEN", "STATE_CONFLICT", "SHUTTING_DOWN"),
            ),
        },
    ),
    Route(
        f"{_PATH}/{{account_id}}",
        AccountHandler,
        {
            "get": Operation("Read an account", AccountOut, errors=("NOT_FOUND",)),
            "patch": Operation(
                "Rename an account, replace its session, or make it the default",
                AccountOut,
                body=AccountChange,
                errors=("NOT_FOUND", "NAME_TAKEN", "STATE_CONFLICT", "SHUTTING_DOWN"),
            ),
            "delete": Operation(
                "Remove an account with its session",
                AccountDeleted,
                errors=("NOT_FOUND", "STATE_CONFLICT", "SHUTTING_DOWN"),
            ),
        },
    ),
    Route(
        f"{_PATH}/{{account_id}}/check",
        AccountCheckHandler,
        {
            "post": Operation(
                "Look whether an account is logged in", AccountChecked, errors=(*_BROWSER, "SHUTTING_DOWN")
            )
        },
    ),
    Route(
        f"{_PATH}/{{platform}}/login",
        LoginHandler,
        {
            "post": Operation(
                "Open a platform's login page", LoginOut, body=LoginStart, errors=(*_BROWSER, "SHUTTING_DOWN")
            ),
            "get": Operation(
                "Follow a login: events `state` and `qr`; the schema is that of their data",
                LoginEventData,
                query=LoginQuery,
                errors=("NOT_FOUND",),
                is_bare=True,
                media_type="text/event-stream",
            ),
            "delete": Operation("End a login", LoginEnded, query=LoginQuery, errors=("NOT_FOUND", "SHUTTING_DOWN")),
        },
    ),
)
