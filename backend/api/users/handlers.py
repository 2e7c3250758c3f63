"""`/users`, `/me` and `/audit`: who there is, who calls, and who did what."""

from collections.abc import Awaitable

from backend.api.base import ApiHandler, WholeWrites
from backend.api.openapi import Operation, Route
from backend.api.query import NoQuery
from backend.api.secret_bodies import read_secret_body
from backend.api.users.schemas import (
    AuditList,
    AuditQuery,
    MeOut,
    OwnPassword,
    UserChange,
    UserCreate,
    UserDeleted,
    UserList,
    UserOut,
    audit_out,
    me_out,
    role_of,
    user_out,
)
from backend.domain.errors import ForbiddenError
from backend.domain.text import Text
from backend.domain.user import Role, User

_ADDED = Text("用户已添加", "The user was added")
_CHANGED = Text("用户已修改", "The user was changed")
_REMOVED = Text("用户已删除", "The user was removed")
_PASSWORD_SET = Text("密码已修改，请重新登录", "The password was changed; sign in again")
_ADMINS_ONLY = Text("只有管理员可以这样做", "Only an admin may do this")
_USERS_ONLY = Text("只有以用户身份登录后才能这样做", "Only who has signed in with a name may do this")


class AdminHandler(WholeWrites):
    """A handler for admins."""

    def prepare(self) -> Awaitable[None] | None:
        """Let in admins. Raises ForbiddenError."""
        checking = super().prepare()
        if self.request.method != "OPTIONS" and not self.caller.is_admin:
            raise ForbiddenError(_ADMINS_ONLY)
        return checking


class UsersHandler(AdminHandler):
    """All users."""

    async def get(self) -> None:
        """List them, oldest first."""
        self.read_query(NoQuery)
        users = await self.services.users.list()
        self.write_data({"items": [user_out(one) for one in users], "next_cursor": None})

    async def post(self) -> None:
        """Add one."""
        self.read_query(NoQuery)
        body = read_secret_body(UserCreate, self.read_body())
        password = body.password.get_secret_value()
        made = await self.services.users.add(body.name, password, role=role_of(body.role), by=self.caller.name)
        self.write_data({**user_out(made)}, _ADDED)


class UserHandler(AdminHandler):
    """One user."""

    async def get(self, user_id: str) -> None:
        """Read them with their history."""
        self.read_query(NoQuery)
        self.write_data({**user_out(await self.services.users.get(user_id))})

    async def patch(self, user_id: str) -> None:
        """Give them another role or password, shut them out or let them in."""
        self.read_query(NoQuery)
        body = read_secret_body(UserChange, self.read_body())
        self.write_data({**user_out(await self._changed(user_id, body))}, _CHANGED)

    async def delete(self, user_id: str) -> None:
        """Remove them; their tasks stay, and so does their name on them."""
        self.read_query(NoQuery)
        removed = await self.services.users.remove(user_id, by=self.caller.name)
        self.write_data({"user_id": removed.user_id, "deleted": True}, _REMOVED)

    async def _changed(self, user_id: str, body: UserChange) -> User:
        users, by = self.services.users, self.caller.name
        changed = await users.get(user_id)
        password = None if body.password is None else body.password.get_secret_value()
        # What may be refused comes before what cannot be taken back.
        if password is not None:
            users.check_password(password, changed.name)
        if body.role is not None:
            changed = await users.set_role(user_id, Role(body.role), by=by)
        if body.is_disabled is not None:
            changed = await users.set_disabled(user_id, is_disabled=body.is_disabled, by=by)
        if password is not None:
            changed = await users.reset(user_id, password, by=by)
        return changed


class MeHandler(ApiHandler):
    """Who calls."""

    async def get(self) -> None:
        """Say who it is."""
        self.read_query(NoQuery)
        sees_all = self.services.access.sees_all(self.caller)
        self.write_data({**me_out(self.caller, sees_all=sees_all, is_open=self.door.callers.is_open)})

    async def patch(self) -> None:
        """Give oneself another password; every session ends, this one too."""
        self.read_query(NoQuery)
        if not self.caller.has_signed_in:
            raise ForbiddenError(_USERS_ONLY)
        body = read_secret_body(OwnPassword, self.read_body())
        self.door.callers.check_guesses(self.request, self.caller.name)
        changed = await self.services.users.set_own_password(
            self.caller, current=body.current_password.get_secret_value(), password=body.password.get_secret_value()
        )
        self.door.callers.forgive_guess(self.request, self.caller.name)
        self.write_data({**user_out(changed)}, _PASSWORD_SET)


class AuditHandler(AdminHandler):
    """Who did what."""

    async def get(self) -> None:
        """List entries, newest first: purges, exports, changes of users, tokens and accounts."""
        query = self.read_query(AuditQuery)
        found = await self.services.audit.newest(limit=query.limit, by=query.by, cursor=query.cursor)
        self.write_data({"items": [audit_out(one) for one in found.entries], "next_cursor": found.next_cursor})


_ADMIN = ("FORBIDDEN",)
_ONE = ("FORBIDDEN", "NOT_FOUND")
_PATH = "/api/v1/users"
ROUTES = (
    Route(
        _PATH,
        UsersHandler,
        {
            "get": Operation("List users; for admins", UserList, errors=_ADMIN),
            "post": Operation(
                "Add a user; for admins",
                UserOut,
                body=UserCreate,
                errors=("FORBIDDEN", "NAME_TAKEN", "STATE_CONFLICT", "SHUTTING_DOWN"),
            ),
        },
    ),
    Route(
        f"{_PATH}/{{user_id}}",
        UserHandler,
        {
            "get": Operation("Read a user; for admins", UserOut, errors=_ONE),
            "patch": Operation(
                "Change a user; for admins",
                UserOut,
                body=UserChange,
                errors=(*_ONE, "STATE_CONFLICT", "SHUTTING_DOWN"),
            ),
            "delete": Operation(
                "Remove a user; for admins", UserDeleted, errors=(*_ONE, "STATE_CONFLICT", "SHUTTING_DOWN")
            ),
        },
    ),
    Route(
        "/api/v1/me",
        MeHandler,
        {
            "get": Operation("Say who calls", MeOut),
            "patch": Operation("Change one's own password", UserOut, body=OwnPassword, errors=(*_ONE, "SHUTTING_DOWN")),
        },
    ),
    Route(
        "/api/v1/audit",
        AuditHandler,
        {
            "get": Operation(
                "Read who did what; for admins", AuditList, query=AuditQuery, errors=(*_ADMIN, "BAD_CURSOR")
            )
        },
    ),
)
