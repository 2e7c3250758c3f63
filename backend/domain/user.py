"""Who may call, and what they may do."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MAX_NAME_CHARS = 32
MIN_PASSWORD_CHARS = 10
MAX_PASSWORD_CHARS = 200
# What records say of those who are no users, and of what the server does by itself.
RESERVED_NAMES = frozenset({"local", "token", "server", "system", "sweeper", "nobody", "cli", "retention"})

_NAME = re.compile(rf"\w[\w.@-]{{0,{MAX_NAME_CHARS - 1}}}")


class Role(StrEnum):
    """An admin changes everybody's tasks, and users; a member changes their own tasks."""

    ADMIN = "admin"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class UserEvent:
    """Who did what to a user: created | disabled | enabled | role_set | password_reset | password_set | removed."""

    at: datetime
    what: str
    by: str


@dataclass(frozen=True, slots=True)
class User:
    """A person. `epoch` is raised whenever all their sessions are to end; the name never becomes another's."""

    user_id: str
    name: str
    role: Role
    is_disabled: bool
    epoch: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None = None
    history: tuple[UserEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A person's token for programs: only its hash is kept, and its last four characters to be told by."""

    token_id: str
    user_id: str
    label: str
    last_four: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `user_id` is None for the one person of an open server, for AUTH_TOKEN and for COMMAND: all are admins.

    `epoch` and `token_id` say by what they came: with the session of that epoch, or with that token.
    """

    name: str
    role: Role
    user_id: str | None = None
    epoch: int = 0
    token_id: str | None = None

    @property
    def is_admin(self) -> bool:
        """Whether everything is allowed."""
        return self.role is Role.ADMIN

    @property
    def is_user(self) -> bool:
        """Whether this is a person with a name: they may have tokens."""
        return self.user_id is not None

    @property
    def has_signed_in(self) -> bool:
        """Whether they came by their password: a token is not enough to change it."""
        return self.is_user and self.token_id is None


LOCAL = Caller("local", Role.ADMIN)
TOKEN = Caller("token", Role.ADMIN)
# A command on the server's own machine, by whoever can read its server.json.
COMMAND = Caller("cli", Role.ADMIN)


def name_key(name: str) -> str:
    """Return what two names that look alike to a person have in common."""
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def is_good_name(name: str) -> bool:
    """Tell whether a user may be called so: 1 to 32 letters of any script, digits, _ . @ or -, and not reserved."""
    return (
        unicodedata.is_normalized("NFKC", name) and bool(_NAME.fullmatch(name)) and name_key(name) not in RESERVED_NAMES
    )
