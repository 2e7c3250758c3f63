"""Who there is, in memory: a request is checked without asking MongoDB, and without a hash that takes long.

What this process changes it knows at once; what another one has changed (the command line, another server) it looks
for every second. While MongoDB is away the last known state holds.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from backend.core.secrets import SecretBox
from backend.domain.errors import SecretsKeyError, StoreUnavailableError
from backend.domain.user import ApiToken, Caller, User
from backend.store.tokens import TOKEN_PREFIX, TokenStore, digest_of
from backend.store.users import UserStore

Forever = Callable[[str, Callable[[], Awaitable[object]]], Awaitable[object]]

_LOOK_EVERY_S = 1.0
_KEY_PURPOSE = "mediacrawer user session 1"


async def _once(_name: str, work: Callable[[], Awaitable[object]]) -> None:
    await work()


class UserDirectory:
    """Users and tokens as they were last read; `start` owns the task that looks again."""

    def __init__(self, users: UserStore, tokens: TokenStore, *, box: SecretBox, forever: Forever = _once) -> None:
        self._users = users
        self._tokens = tokens
        self._forever = forever
        self._by_id: Mapping[str, User] = MappingProxyType({})
        self._by_digest: Mapping[str, ApiToken] = MappingProxyType({})
        self._listeners: list[Callable[[], None]] = []
        self._loop: asyncio.Task[Any] | None = None
        # What was read before a change must not be taken over after it: who was shut out would be let in again.
        self._refreshing = asyncio.Lock()
        self._session_key: bytes | None = None
        with contextlib.suppress(SecretsKeyError):
            self._session_key = box.derived(_KEY_PURPOSE)

    async def start(self) -> None:
        """Read who there is, and go on looking. Raises StoreUnavailableError."""
        await self.refresh()
        self._loop = asyncio.create_task(_awaited(self._forever("users", self._look)), name="users")

    async def stop(self) -> None:
        """Stop looking. Safe to call twice."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.cancel()
            await asyncio.wait({loop})

    # -- asked at every request ------------------------------------------------------------------------------------

    @property
    def session_key(self) -> bytes | None:
        """What sessions are signed with; None without the key file, and then nobody has a session."""
        return self._session_key

    @property
    def is_empty(self) -> bool:
        """Whether there is no user at all, not even a disabled one."""
        return not self._by_id

    @property
    def has_admin(self) -> bool:
        """Whether somebody may change users."""
        return any(one.role.value == "admin" and not one.is_disabled for one in self._by_id.values())

    def by_session(self, user_id: str, epoch: int) -> Caller | None:
        """Return whose session it is, None when it has been ended."""
        user = self._by_id.get(user_id)
        if user is None or user.is_disabled or user.epoch != epoch:
            return None
        return Caller(user.name, user.role, user.user_id, user.epoch)

    def by_token(self, secret: str) -> Caller | None:
        """Return whose token it is, None when it is nobody's."""
        if not secret.startswith(TOKEN_PREFIX):
            return None
        token = self._by_digest.get(digest_of(secret))
        user = None if token is None else self._by_id.get(token.user_id)
        if token is None or user is None or user.is_disabled:
            return None
        return Caller(user.name, user.role, user.user_id, token_id=token.token_id)

    def is_current(self, caller: Caller) -> bool:
        """Tell whether who came in so may still be here, as what they were."""
        if caller.user_id is None:
            return True
        user = self._by_id.get(caller.user_id)
        if user is None or user.is_disabled or user.role is not caller.role:
            return False
        if caller.token_id is None:
            return user.epoch == caller.epoch
        return any(token.token_id == caller.token_id for token in self._by_digest.values())

    # -- kept up to date -------------------------------------------------------------------------------------------

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change."""
        self._listeners.append(listener)

    async def refresh(self) -> None:
        """Read who there is now. Raises StoreUnavailableError."""
        async with self._refreshing:
            await self._read()

    async def _read(self) -> None:
        users = {one.user_id: one for one in await self._users.list()}
        tokens = await self._tokens.by_digest() if users else {}
        if users == self._by_id and tokens == self._by_digest:
            return
        self._by_id, self._by_digest = MappingProxyType(users), MappingProxyType(dict(tokens))
        for listener in self._listeners:
            listener()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            # That MongoDB does not answer is said elsewhere.
            with contextlib.suppress(StoreUnavailableError):
                await self.refresh()


async def _awaited(work: Awaitable[object]) -> object:
    return await work
