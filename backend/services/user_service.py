"""Users and their tokens: add, shut out, let in, remove; and who a name with a password is."""

import asyncio
from collections.abc import Sequence

from loguru import logger

from backend.core.passwords import Passwords, PasswordsBusyError
from backend.domain.errors import BusyError, FieldProblem, StateConflictError, ValidationFailedError
from backend.domain.text import Text
from backend.domain.user import (
    MAX_PASSWORD_CHARS,
    MIN_PASSWORD_CHARS,
    ApiToken,
    Caller,
    Role,
    User,
    is_good_name,
    name_key,
)
from backend.services.user_directory import UserDirectory
from backend.store.audit import AuditStore
from backend.store.tokens import TokenStore
from backend.store.users import UserStore

_BUSY = Text("正在处理的登录过多，请稍后再试", "Too many logins at once; try again soon")
_LAST_ADMIN = Text("至少要留一位可登录的管理员", "At least one admin must be able to sign in")
_NAME_FORM = Text(
    "用户名须为 1 到 32 个字母、汉字、数字或 _ . @ -，且不是保留名",
    "A name has 1 to 32 letters, digits or _ . @ -, and is none of the reserved words",
)
_PASSWORD_FORM = Text(
    f"密码须为 {MIN_PASSWORD_CHARS} 到 {MAX_PASSWORD_CHARS} 个字符，且不同于用户名",
    f"A password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters and is not the name",
)
_WRONG_PASSWORD = Text("当前密码不正确", "The current password is wrong")


class UserService:
    """Changes users. Every change is written down with who made it, and holds at once for every request here."""

    def __init__(
        self, users: UserStore, tokens: TokenStore, audit: AuditStore, directory: UserDirectory, *, passwords: Passwords
    ) -> None:
        self._users = users
        self._tokens = tokens
        self._audit = audit
        self.directory = directory
        self._passwords = passwords
        # Two admins who shut each other out at the same moment would both see that one is left.
        self._changing = asyncio.Lock()

    # -- signing in ------------------------------------------------------------------------------------------------

    async def authenticate(self, name: str, password: str) -> User | None:
        """Return the user of this name when the password is theirs; it takes as long when there is none.

        Raises BusyError, StoreUnavailableError.
        """
        found = await self._users.password_of(name[:MAX_PASSWORD_CHARS])
        user, stored = found or (None, None)
        is_right = await self._is_right(password, stored)
        if user is None or stored is None or user.is_disabled or not is_right:
            return None
        if self._passwords.is_outdated(stored):
            await self._users.renew_hash(user.user_id, old=stored, new=await self._hash(password))
        await self._users.note_login(user.user_id)
        await self.directory.refresh()
        return user

    async def set_own_password(self, caller: Caller, *, current: str, password: str) -> User:
        """Give the caller another password; their sessions end. Raises ValidationFailedError, NotFoundError."""
        user = await self._users.get(caller.user_id or "")
        found = await self._users.password_of(user.name)
        if not await self._is_right(current, found[1] if found else None):
            raise ValidationFailedError([FieldProblem("current_password", "NOT_ALLOWED", _WRONG_PASSWORD)])
        _check_password(password, user.name)
        made = await self._hash(password)
        return await self._done(
            await self._users.set_password(user.user_id, made, what="password_set", by=user.name), "user.password_set"
        )

    # -- users -----------------------------------------------------------------------------------------------------

    async def list(self) -> Sequence[User]:
        """Return all users, oldest first, without their history."""
        return await self._users.list()

    async def get(self, user_id: str) -> User:
        """Return a user with their history. Raises NotFoundError."""
        return await self._users.get(user_id)

    async def add(self, name: str, password: str, *, role: Role | None, by: str) -> User:
        """Add a user; the first one is an admin, later ones are members unless told otherwise.

        Raises ValidationFailedError, NameTakenError, StateConflictError for a first one that is no admin.
        """
        if not is_good_name(name):
            raise ValidationFailedError([FieldProblem("name", "BAD_FORMAT", _NAME_FORM)])
        _check_password(password, name)
        async with self._changing:
            needs_admin = not await self._admins()
            if needs_admin and role is Role.MEMBER:
                raise StateConflictError(
                    _LAST_ADMIN, advice=Text("先添加一位管理员 (role: admin)", "Add an admin first (role: admin)")
                )
            chosen = role or (Role.ADMIN if needs_admin else Role.MEMBER)
            made = await self._users.create(name, chosen, await self._hash(password), by=by)
        return await self._done(made, "user.created", by=by)

    async def set_role(self, user_id: str, role: Role, *, by: str) -> User:
        """Make a user an admin or a member. Raises NotFoundError, StateConflictError for the last admin."""
        async with self._changing:
            if role is not Role.ADMIN:
                await self._keep_an_admin(user_id)
            changed = await self._users.set_role(user_id, role, by=by)
        return await self._done(changed, "user.role_set", by=by, detail=role.value)

    async def set_disabled(self, user_id: str, *, is_disabled: bool, by: str) -> User:
        """Shut a user out, with every session and token, or let them in again.

        Raises NotFoundError, StateConflictError for the last admin.
        """
        async with self._changing:
            if is_disabled:
                await self._keep_an_admin(user_id)
            changed = await self._users.set_disabled(user_id, is_disabled=is_disabled, by=by)
        return await self._done(changed, "user.disabled" if is_disabled else "user.enabled", by=by)

    def check_password(self, password: str, name: str) -> None:
        """Raise ValidationFailedError for what `name` may not have as a password."""
        _check_password(password, name)

    async def reset(self, user_id: str, password: str, *, by: str) -> User:
        """Give a user another password; their sessions end, and their tokens go: whoever has them may be another.

        Raises NotFoundError, ValidationFailedError.
        """
        user = await self._users.get(user_id)
        _check_password(password, user.name)
        changed = await self._users.set_password(user_id, await self._hash(password), what="password_reset", by=by)
        gone = await self._tokens.remove_of(user_id)
        return await self._done(changed, "user.password_reset", by=by, detail=f"{gone} tokens removed")

    async def remove(self, user_id: str, *, by: str) -> User:
        """Remove a user with their tokens; the name stays taken. Raises NotFoundError, StateConflictError."""
        async with self._changing:
            await self._keep_an_admin(user_id)
            removed = await self._users.remove(user_id, by=by)
        await self._tokens.remove_of(user_id)
        return await self._done(removed, "user.removed", by=by)

    async def named(self, name: str) -> User | None:
        """Return the user of this name, None when there is none."""
        return await self._users.named(name)

    # -- tokens ----------------------------------------------------------------------------------------------------

    async def tokens_of(self, user_id: str) -> Sequence[ApiToken]:
        """Return a user's tokens, oldest first."""
        return await self._tokens.of_user(user_id)

    async def add_token(self, user: User, label: str, *, by: str) -> tuple[ApiToken, str]:
        """Make a token of this user; return it with the token itself, shown this once. Raises BusyError."""
        made, secret = await self._tokens.create(user.user_id, label, by=by)
        await self._audit.add("token.created", by=by, subject=made.token_id, detail=user.name)
        await self.directory.refresh()
        logger.info("🔑 令牌已创建: {} {} by {}", user.name, made.token_id, by)
        return made, secret

    async def remove_token(self, token_id: str, *, user_id: str | None, by: str) -> ApiToken:
        """Remove a token, with `user_id` only when it is theirs. Raises NotFoundError."""
        removed = await self._tokens.remove(token_id, user_id=user_id)
        await self._audit.add("token.removed", by=by, subject=token_id)
        await self.directory.refresh()
        logger.info("🔑 令牌已删除: {} by {}", token_id, by)
        return removed

    # -- below -----------------------------------------------------------------------------------------------------

    async def _admins(self) -> Sequence[User]:
        return [one for one in await self._users.list() if one.role is Role.ADMIN and not one.is_disabled]

    async def _keep_an_admin(self, user_id: str) -> None:
        """Raise StateConflictError when nobody would be left who may change users."""
        admins = await self._admins()
        if [one.user_id for one in admins] == [user_id]:
            raise StateConflictError(_LAST_ADMIN)

    async def _hash(self, password: str) -> str:
        try:
            return await self._passwords.hash(password)
        except PasswordsBusyError as error:
            raise BusyError(_BUSY) from error

    async def _is_right(self, password: str, stored: str | None) -> bool:
        try:
            return await self._passwords.is_right(password[:MAX_PASSWORD_CHARS], stored)
        except PasswordsBusyError as error:
            raise BusyError(_BUSY) from error

    async def _done(self, user: User, what: str, *, by: str | None = None, detail: str = "") -> User:
        by = by or user.name
        # First what shuts out, then what tells of it.
        await self.directory.refresh()
        await self._audit.add(what, by=by, subject=user.user_id, subject_name=user.name, detail=detail or user.name)
        logger.info("👤 用户变更: {} {} by {}", what.removeprefix("user."), user.name, by)
        return user


def _check_password(password: str, name: str) -> None:
    is_sized = MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS
    if not is_sized or name_key(password) == name_key(name) or not password.strip():
        raise ValidationFailedError([FieldProblem("password", "BAD_FORMAT", _PASSWORD_FORM)])
