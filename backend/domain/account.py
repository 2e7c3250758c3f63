"""An account on a platform: who is logged in where, and how that stands. What is secret never comes into a repr."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# The profile of a platform's first account: what was logged in before there were accounts becomes it.
FIRST_PROFILE = "default"


class AuthState(StrEnum):
    """How a login stands; `auth.state` on the wire. NONE: the platform needs none."""

    NONE = "none"
    MISSING = "missing"
    OK = "ok"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of a session. `domain` with a leading dot covers the names below it; no end: with the browser."""

    name: str
    value: str = field(repr=False)
    domain: str
    path: str = "/"
    expires_at: datetime | None = None
    is_secure: bool = True
    is_http_only: bool = False
    same_site: str | None = None


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """Who did what. `what`: created | login | cookies_set | renamed | made_default."""

    at: datetime
    what: str
    by: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """An account without its secrets.

    `profile` names its browser's folder; `session_version` grows with each stored session, 0 is none; `hint` are the
    last characters of it that may be shown. `state` is as it was last seen, `state_at` what follows from it.
    """

    account_id: str
    platform: str
    label: str
    profile: str
    state: AuthState
    checked_at: datetime | None
    expires_at: datetime | None
    preferred_at: datetime
    session_version: int
    hint: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    history: tuple[AccountEvent, ...] = ()

    def state_at(self, now: datetime) -> AuthState:
        """Return how the login stands now: a session that was good ends with its cookies."""
        is_over = self.expires_at is not None and self.expires_at <= now
        return AuthState.EXPIRED if self.state is AuthState.OK and is_over else self.state


@dataclass(frozen=True, slots=True)
class Session:
    """What a browser of an account is started with: its profile, and what the store keeps of the session."""

    profile: str
    cookies: tuple[Cookie, ...] = ()
    version: int = 0
