"""The shapes of users, of who calls, and of what is written down. A password only ever comes in."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr
from typing_extensions import TypedDict

from backend.api.query import QueryModel
from backend.api.secret_bodies import SecretBody
from backend.api.shapes import Cursor
from backend.api.wire import stamp, stamp_or_none
from backend.domain.user import MAX_PASSWORD_CHARS, Caller, Role, User
from backend.store.audit import AuditEntry

MAX_ENTRIES = 1_000

Name = Annotated[str, Field(min_length=1, max_length=64)]
Password = Annotated[
    SecretStr,
    Field(max_length=MAX_PASSWORD_CHARS, json_schema_extra={"writeOnly": True, "format": "password"}),
]


class UserCreate(SecretBody):
    """A new user; the first one is an admin, later ones are members unless told otherwise."""

    name: Name = Field(description="1 to 32 letters, digits or _ . @ -; it is never given to another")
    password: Password
    role: Literal["admin", "member"] | None = None


class UserChange(SecretBody):
    """What is to be other than it is. Disabling, and another password, end the user's sessions."""

    role: Literal["admin", "member"] | None = None
    is_disabled: bool | None = None
    password: Password | None = None


class OwnPassword(SecretBody):
    """Another password for oneself."""

    current_password: Password
    password: Password


class AuditQuery(QueryModel):
    """Which entries: of one person with `by`, from a cursor on."""

    by: Name | None = Field(None, description="who did it: a name, or local, token, cli, retention")
    cursor: Cursor | None = None
    limit: int = Field(200, ge=1, le=MAX_ENTRIES)


class UserEventOut(TypedDict):
    """Who did what."""

    at: str
    what: str
    by: str


class UserOut(TypedDict):
    """A user. `history` is empty in a list."""

    user_id: str
    name: str
    role: Literal["admin", "member"]
    is_disabled: bool
    created_by: str
    created_at: str
    updated_at: str
    last_login_at: str | None
    history: list[UserEventOut]


class UserList(TypedDict):
    """Every user, oldest first."""

    items: list[UserOut]
    next_cursor: str | None


class UserDeleted(TypedDict):
    """A user that is no more."""

    user_id: str
    deleted: bool


class PermissionsOut(TypedDict):
    """What the server lets the caller do. Without `change_all_tasks` they change the tasks they made."""

    manage_users: bool
    read_audit: bool
    change_all_tasks: bool
    set_password: bool
    make_tokens: bool


class MeOut(TypedDict):
    """Who calls. `via`: open (nobody has to sign in) | token (AUTH_TOKEN) | user."""

    name: str
    role: Literal["admin", "member"]
    user_id: str | None
    via: Literal["open", "token", "user"]
    task_visibility: Literal["team", "own"]
    can: PermissionsOut


class AuditEntryOut(TypedDict):
    """Who did what; `subject` is the id it was done to.

    `subject_name` is the name of the person it was done to, null of anything else and in entries of older versions.
    """

    at: str
    what: str
    by: str
    subject: str
    subject_name: str | None
    detail: str


class AuditList(TypedDict):
    """A page of entries, newest first."""

    items: list[AuditEntryOut]
    next_cursor: str | None


def user_out(user: User) -> UserOut:
    """Return a user as they are shown."""
    return {
        "user_id": user.user_id,
        "name": user.name,
        "role": user.role.value,
        "is_disabled": user.is_disabled,
        "created_by": user.created_by,
        "created_at": stamp(user.created_at),
        "updated_at": stamp(user.updated_at),
        "last_login_at": stamp_or_none(user.last_login_at),
        "history": [{"at": stamp(one.at), "what": one.what, "by": one.by} for one in user.history],
    }


def me_out(caller: Caller, *, sees_all: bool, is_open: bool) -> MeOut:
    """Return who calls."""
    named: Literal["token", "user"] = "token" if caller.user_id is None else "user"
    return {
        "name": caller.name,
        "role": caller.role.value,
        "user_id": caller.user_id,
        "via": "open" if is_open else named,
        "task_visibility": "team" if sees_all else "own",
        "can": {
            "manage_users": caller.is_admin,
            "read_audit": caller.is_admin,
            "change_all_tasks": caller.is_admin,
            "set_password": caller.has_signed_in,
            "make_tokens": caller.is_user,
        },
    }


def audit_out(entry: AuditEntry) -> AuditEntryOut:
    """Return an entry as it is shown."""
    return {
        "at": stamp(entry.at),
        "what": entry.what,
        "by": entry.by,
        "subject": entry.subject,
        "subject_name": entry.subject_name,
        "detail": entry.detail,
    }


def role_of(role: str | None) -> Role | None:
    """Return the role of a word."""
    return None if role is None else Role(role)
