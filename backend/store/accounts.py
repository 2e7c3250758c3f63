"""Accounts on platforms. What is secret is sealed before it reaches the database (core/secrets.py)."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.secrets import SecretBox
from backend.core.settings_shown import mask
from backend.domain.account import FIRST_PROFILE, Account, AccountEvent, AuthState, Cookie, Session
from backend.domain.errors import BusyError, NameTakenError, NotFoundError
from backend.domain.text import Text

MAX_ACCOUNTS = 200
MAX_EVENTS = 50
_ID_BYTES = 8
_BY_LABEL = "platform_label"
_PUBLIC = {"sealed": 0}


@dataclass(frozen=True, slots=True)
class Login:
    """What a login brought. `cookies` None: the session is kept by the browser's profile alone."""

    cookies: Sequence[Cookie] | None
    expires_at: datetime | None
    hint_of: str | None = None


class AccountStore:
    """Collection `accounts`: one document an account, `_id` is its id.

    Indexes: (platform, label) and (platform, profile), both unique. The platform's default account is the one
    preferred last (`preferred_at`), so that no two documents have to agree. `sealed` are the session's cookies, for
    this very account and version: copied into another record they do not open. Every read but `session_of` leaves
    it out.
    """

    def __init__(self, database: Database, *, clock: Clock, box: SecretBox) -> None:
        self._db = database
        self._clock = clock
        self._box = box

    async def ensure_indexes(self) -> None:
        """Make the indexes that are missing."""
        for name, field in ((_BY_LABEL, "label"), ("platform_profile", "profile")):
            keys = [("platform", ASCENDING), (field, ASCENDING)]
            await self._db.do(self._accounts.create_index(keys, name=name, unique=True))

    # -- reading -------------------------------------------------------------------------------------------------

    async def list(self, platform: str | None = None) -> list[Account]:
        """Return all accounts (at most 200), by platform, the default one of each first."""
        query = {} if platform is None else {"platform": platform}
        rows = await self._db.do(self._accounts.find(query, _PUBLIC).limit(MAX_ACCOUNTS).to_list(None))
        return sorted(map(_account, rows), key=lambda one: (one.platform, -one.preferred_at.timestamp()))

    async def get(self, account_id: str) -> Account:
        """Return an account. Raises NotFoundError."""
        row = await self._db.do(self._accounts.find_one({"_id": account_id}, _PUBLIC))
        if row is None:
            raise _not_found()
        return _account(row)

    async def find(self, platform: str, name: str) -> Account | None:
        """Return the account of this platform with this id or label, None when there is none.

        `default` is the platform's default account, unless one has that label.
        """
        found = await self.list(platform)
        by_id = next((one for one in found if name == one.account_id), None)
        by_label = next((one for one in found if name == one.label), None)
        is_default = name == FIRST_PROFILE and bool(found)
        return by_id or by_label or (found[0] if is_default else None)

    async def default_of(self, platform: str) -> Account | None:
        """Return the platform's default account, None when it has none."""
        rows = await self._db.do(
            self._accounts.find({"platform": platform}, _PUBLIC).sort("preferred_at", -1).limit(1).to_list(None)
        )
        return _account(rows[0]) if rows else None

    async def session_of(self, account: Account) -> Session:
        """Return what the account's browser is started with. Raises SecretsKeyError, NotFoundError."""
        row = await self._db.do(
            self._accounts.find_one({"_id": account.account_id}, {"sealed": 1, "session_version": 1})
        )
        if row is None:
            raise _not_found()
        version = int(row["session_version"])
        if row["sealed"] is None:
            return Session(account.profile)
        opened = self._box.open(bytes(row["sealed"]), place=_place(account.account_id, version))
        return Session(account.profile, tuple(map(_cookie, json.loads(opened))), version)

    # -- writing -------------------------------------------------------------------------------------------------

    async def create(
        self, platform: str, label: str, *, by: str, login: Login | None = None, state: AuthState = AuthState.MISSING
    ) -> Account:
        """Add an account. The first of a platform has the profile that tasks used before.

        Raises NameTakenError, SecretsKeyError, and BusyError above 200 accounts.
        """
        if await self._db.do(self._accounts.count_documents({}, limit=MAX_ACCOUNTS)) >= MAX_ACCOUNTS:
            raise BusyError(Text(f"最多 {MAX_ACCOUNTS} 个账号", f"At most {MAX_ACCOUNTS} accounts"))
        account_id, now = f"acc_{secrets.token_hex(_ID_BYTES)}", self._clock.now()
        document = {
            **{"_id": account_id, "platform": platform, "label": label, "state": state.value, "checked_at": None},
            **{"expires_at": None, "preferred_at": now, "session_version": 0, "sealed": None, "hint": None},
            **{"created_by": by, "created_at": now, "updated_at": now, "history": [_event(now, "created", by)]},
        }
        if login is not None:
            document |= self._sealed(account_id, 1, login)
        has_others = await self.default_of(platform) is not None
        if has_others:
            # Only who asks for it becomes the default: the first one stays.
            document["preferred_at"] = datetime.fromtimestamp(-now.timestamp(), UTC)
        profiles = [account_id] if has_others else [FIRST_PROFILE, account_id]
        for profile in profiles:
            try:
                await self._db.do(self._accounts.insert_one({**document, "profile": profile}))
            except DuplicateKeyError as error:
                if _BY_LABEL in str(error):
                    raise _name_taken(label) from None
                continue
            return await self.get(account_id)
        raise _name_taken(label)

    async def rename(self, account_id: str, label: str, *, by: str) -> Account:
        """Give an account another label. Raises NotFoundError, NameTakenError."""
        try:
            return await self._change(account_id, {"label": label}, what="renamed", by=by)
        except DuplicateKeyError:
            raise _name_taken(label) from None

    async def prefer(self, account_id: str, *, by: str) -> Account:
        """Make an account its platform's default. Raises NotFoundError."""
        return await self._change(account_id, {"preferred_at": self._clock.now()}, what="made_default", by=by)

    async def put_login(self, account_id: str, login: Login, *, what: str, by: str, state: AuthState) -> Account:
        """Store what a login brought; `what` is login or cookies_set. Raises NotFoundError, SecretsKeyError."""
        account = await self.get(account_id)
        values: dict[str, Any] = {"state": state.value, "expires_at": login.expires_at}
        values["checked_at"] = self._clock.now() if state is AuthState.OK else None
        if login.cookies is not None:
            values |= self._sealed(account_id, account.session_version + 1, login)
        return await self._change(account_id, values, what=what, by=by)

    async def note_state(
        self, account_id: str, state: AuthState, *, expires_at: datetime | None = None
    ) -> Account | None:
        """Store how the login was found just now; None when the account has gone meanwhile."""
        now = self._clock.now()
        values: dict[str, Any] = {"state": state.value, "checked_at": now, "updated_at": now}
        if state is AuthState.OK:
            values["expires_at"] = expires_at
        row = await self._db.do(
            self._accounts.find_one_and_update(
                {"_id": account_id}, {"$set": values}, projection=_PUBLIC, return_document=ReturnDocument.AFTER
            )
        )
        return None if row is None else _account(row)

    async def remove(self, account_id: str) -> Account:
        """Remove an account with its secrets; return what it was. Raises NotFoundError."""
        row = await self._db.do(self._accounts.find_one_and_delete({"_id": account_id}, projection=_PUBLIC))
        if row is None:
            raise _not_found()
        return _account(row)

    async def _change(self, account_id: str, values: Mapping[str, Any], *, what: str, by: str) -> Account:
        now = self._clock.now()
        update = {
            "$set": {**values, "updated_at": now},
            "$push": {"history": {"$each": [_event(now, what, by)], "$slice": -MAX_EVENTS}},
        }
        row = await self._db.do(
            self._accounts.find_one_and_update(
                {"_id": account_id}, update, projection=_PUBLIC, return_document=ReturnDocument.AFTER
            )
        )
        if row is None:
            raise _not_found()
        return _account(row)

    def _sealed(self, account_id: str, version: int, login: Login) -> dict[str, Any]:
        plain = json.dumps([_cookie_document(one) for one in login.cookies or ()]).encode()
        return {
            **{"sealed": self._box.seal(plain, place=_place(account_id, version)), "session_version": version},
            **{"hint": None if login.hint_of is None else mask(login.hint_of), "expires_at": login.expires_at},
        }

    @property
    def _accounts(self) -> Any:
        return self._db.collection("accounts")


async def has_sealed(database: Database) -> bool:
    """Tell whether any account holds something sealed: then a missing key is missing, and no new one is made."""
    accounts = database.collection("accounts")
    return await database.do(accounts.find_one({"sealed": {"$ne": None}}, {"_id": 1})) is not None


def _place(account_id: str, version: int) -> str:
    return f"accounts/{account_id}/{version}"


def _event(at: datetime, what: str, by: str) -> dict[str, Any]:
    return {"at": at, "what": what, "by": by}


def _account(row: Mapping[str, Any]) -> Account:
    return Account(
        *(row["_id"], row["platform"], row["label"], row["profile"], AuthState(row["state"]), row["checked_at"]),
        *(row["expires_at"], row["preferred_at"], int(row["session_version"]), row["hint"], row["created_by"]),
        *(row["created_at"], row["updated_at"]),
        history=tuple(AccountEvent(one["at"], one["what"], one["by"]) for one in row["history"]),
    )


def _cookie_document(cookie: Cookie) -> dict[str, Any]:
    return {
        **{"name": cookie.name, "value": cookie.value, "domain": cookie.domain, "path": cookie.path},
        **{"expires": None if cookie.expires_at is None else cookie.expires_at.timestamp()},
        **{"secure": cookie.is_secure, "http_only": cookie.is_http_only, "same_site": cookie.same_site},
    }


def _cookie(document: Mapping[str, Any]) -> Cookie:
    ends = document["expires"]
    return Cookie(
        *(document["name"], document["value"], document["domain"], document["path"]),
        expires_at=None if ends is None else datetime.fromtimestamp(ends, UTC),
        is_secure=document["secure"],
        is_http_only=document["http_only"],
        same_site=document["same_site"],
    )


def _not_found() -> NotFoundError:
    return NotFoundError(Text("没有这个账号", "No such account"))


def _name_taken(label: str) -> NameTakenError:
    return NameTakenError(Text(f"该平台已有名为“{label}”的账号", f"This platform has an account named {label} already"))
