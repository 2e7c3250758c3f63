"""Users. What a password is known by never leaves this module but to be compared."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.errors import BusyError, NameTakenError, NotFoundError
from backend.domain.text import Text
from backend.domain.user import Role, User, UserEvent, name_key

MAX_USERS = 500
MAX_EVENTS = 50
_ID_BYTES = 8
_PUBLIC = {"password": 0}
_SUMMARY = {"password": 0, "history": 0}
_HERE = {"removed_at": None}


class UserStore:
    """Collection `users`: one document a user, `_id` is their id.

    Index: `key`, unique; it is the name as `name_key` gives it. A removed user's document stays, with `removed_at` and
    without a password: tasks carry the name, so that nobody else may ever have it.
    """

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    async def ensure_indexes(self) -> None:
        """Make the index that is missing."""
        await self._db.do(self._users.create_index([("key", ASCENDING)], unique=True))

    # -- reading -------------------------------------------------------------------------------------------------

    async def list(self) -> list[User]:
        """Return all users (at most 500), oldest first, without their history."""
        found = self._users.find(_HERE, _SUMMARY).sort([("created_at", ASCENDING), ("_id", ASCENDING)])
        return [_user(row) for row in await self._db.do(found.limit(MAX_USERS).to_list(None))]

    async def get(self, user_id: str) -> User:
        """Return a user. Raises NotFoundError."""
        row = await self._db.do(self._users.find_one({"_id": user_id, **_HERE}, _PUBLIC))
        if row is None:
            raise _not_found()
        return _user(row)

    async def named(self, name: str) -> User | None:
        """Return the user of this name, None when there is none."""
        row = await self._db.do(self._users.find_one({"key": name_key(name), **_HERE}, _PUBLIC))
        return None if row is None else _user(row)

    async def password_of(self, name: str) -> tuple[User, str] | None:
        """Return the user of this name with what their password is compared with, None when there is none."""
        row = await self._db.do(self._users.find_one({"key": name_key(name), **_HERE}))
        return None if row is None else (_user(row), str(row["password"]))

    # -- writing -------------------------------------------------------------------------------------------------

    async def create(self, name: str, role: Role, password: str, *, by: str) -> User:
        """Add a user; `password` is its hash. Raises NameTakenError, and BusyError above 500 users."""
        if await self._db.do(self._users.count_documents({}, limit=MAX_USERS)) >= MAX_USERS:
            raise BusyError(Text(f"最多 {MAX_USERS} 个用户", f"At most {MAX_USERS} users"))
        user_id, now = f"u_{secrets.token_hex(_ID_BYTES)}", self._clock.now()
        document = {
            **{"_id": user_id, "name": name, "key": name_key(name), "role": role.value, "password": password},
            **{"disabled": False, "epoch": 1, "last_login_at": None, "removed_at": None},
            **{"created_by": by, "created_at": now, "updated_at": now, "history": [_event(now, "created", by)]},
        }
        try:
            await self._db.do(self._users.insert_one(document))
        except DuplicateKeyError:
            raise _name_taken(name) from None
        return _user(document)

    async def set_role(self, user_id: str, role: Role, *, by: str) -> User:
        """Make a user an admin or a member. Raises NotFoundError."""
        return await self._change(user_id, {"role": role.value}, what="role_set", by=by)

    async def set_disabled(self, user_id: str, *, is_disabled: bool, by: str) -> User:
        """Shut a user out, which ends their sessions, or let them in again. Raises NotFoundError."""
        what = "disabled" if is_disabled else "enabled"
        return await self._change(user_id, {"disabled": is_disabled}, what=what, by=by, ends_sessions=is_disabled)

    async def set_password(self, user_id: str, password: str, *, what: str, by: str) -> User:
        """Give a user another password (its hash), which ends their sessions. Raises NotFoundError.

        `what` is password_reset or password_set.
        """
        return await self._change(user_id, {"password": password}, what=what, by=by, ends_sessions=True)

    async def renew_hash(self, user_id: str, *, old: str, new: str) -> None:
        """Store the same password in another form, unless it has been changed meanwhile."""
        await self._db.do(self._users.update_one({"_id": user_id, "password": old}, {"$set": {"password": new}}))

    async def note_login(self, user_id: str) -> None:
        """Store that the user has just logged in."""
        await self._db.do(self._users.update_one({"_id": user_id}, {"$set": {"last_login_at": self._clock.now()}}))

    async def remove(self, user_id: str, *, by: str) -> User:
        """Remove a user for good; the name stays taken. Raises NotFoundError."""
        values = {"password": None, "disabled": True, "removed_at": self._clock.now()}
        return await self._change(user_id, values, what="removed", by=by, ends_sessions=True)

    async def _change(
        self, user_id: str, values: Mapping[str, Any], *, what: str, by: str, ends_sessions: bool = False
    ) -> User:
        now = self._clock.now()
        update = {
            "$set": {**values, "updated_at": now},
            "$inc": {"epoch": int(ends_sessions)},
            "$push": {"history": {"$each": [_event(now, what, by)], "$slice": -MAX_EVENTS}},
        }
        row = await self._db.do(
            self._users.find_one_and_update(
                {"_id": user_id, **_HERE}, update, projection=_PUBLIC, return_document=ReturnDocument.AFTER
            )
        )
        if row is None:
            raise _not_found()
        return _user(row)

    @property
    def _users(self) -> Any:
        return self._db.collection("users")


def _event(at: datetime, what: str, by: str) -> dict[str, Any]:
    return {"at": at, "what": what, "by": by}


def _user(row: Mapping[str, Any]) -> User:
    events: Sequence[Mapping[str, Any]] = row.get("history", ())
    return User(
        *(row["_id"], row["name"], Role(row["role"]), bool(row["disabled"]), int(row["epoch"])),
        *(row["created_by"], row["created_at"], row["updated_at"], row["last_login_at"]),
        history=tuple(UserEvent(one["at"], one["what"], one["by"]) for one in events),
    )


def _not_found() -> NotFoundError:
    return NotFoundError(Text("没有这个用户", "No such user"))


def _name_taken(name: str) -> NameTakenError:
    return NameTakenError(
        Text(f"用户名“{name}”已被使用", f"The name {name} is taken"),
        advice=Text("已删除用户的名字也不能再用：任务上记着它", "So are the names of removed users: tasks carry them"),
    )
