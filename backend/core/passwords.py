"""Passwords, kept as scrypt hashes (RFC 7914) that carry their own cost.

Why scrypt: docs/decisions/0021-users-sessions-and-tokens.md.

The default cost is one of those OWASP names (Password Storage Cheat Sheet, checked 2026-11-22): N = 2^15, r = 8, p = 3,
which takes 32 MiB and some 0.2 s. It is raised here; a login with the right password then stores the new form.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass

from backend.core.threads import in_thread

_SALT_BYTES = 16
_HASH_BYTES = 32
_FORM = "scrypt"
_PARTS = 6
_SPARE_BYTES = 1024 * 1024
# Each takes 32 MiB and a core: one at a time, and a short queue, whatever comes in.
MAX_WAITING = 16


class PasswordsBusyError(Exception):
    """As many passwords wait to be checked as may wait at once."""


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """N as a power of two, r and p of RFC 7914."""

    log_n: int = 15
    r: int = 8
    p: int = 3

    @property
    def memory_bytes(self) -> int:
        """What one hash takes."""
        return 128 * self.r * ((1 << self.log_n) + self.p)


class Passwords:
    """Makes hashes and checks them, one at a time, off the loop."""

    def __init__(self, cost: ScryptCost | None = None) -> None:
        self._cost = cost or ScryptCost()
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._nobodys = _join(self._cost, os.urandom(_SALT_BYTES), os.urandom(_HASH_BYTES))

    async def hash(self, password: str) -> str:
        """Return what to store. Raises PasswordsBusyError."""
        salt = os.urandom(_SALT_BYTES)
        return _join(self._cost, salt, await self._digest(password, salt, self._cost))

    async def is_right(self, password: str, stored: str | None) -> bool:
        """Tell whether `stored` was made of this password; for None it takes as long, and is never right.

        Raises PasswordsBusyError.
        """
        cost, salt, wanted = _split(stored or self._nobodys)
        found = await self._digest(password, salt, cost)
        return hmac.compare_digest(found, wanted) and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a hash was made with another cost than today's."""
        return _split(stored)[0] != self._cost

    async def _digest(self, password: str, salt: bytes, cost: ScryptCost) -> bytes:
        if self._waiting >= MAX_WAITING:
            raise PasswordsBusyError
        self._waiting += 1
        try:
            async with self._turn:
                return await in_thread(lambda: _scrypt(password, salt, cost))
        finally:
            self._waiting -= 1


def _scrypt(password: str, salt: bytes, cost: ScryptCost) -> bytes:
    memory = cost.memory_bytes + _SPARE_BYTES
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=2**cost.log_n, r=cost.r, p=cost.p, maxmem=memory, dklen=_HASH_BYTES)


def _join(cost: ScryptCost, salt: bytes, digest: bytes) -> str:
    numbers = (str(one) for one in (cost.log_n, cost.r, cost.p))
    return "$".join((_FORM, *numbers, *(base64.b64encode(one).decode() for one in (salt, digest))))


def _split(stored: str) -> tuple[ScryptCost, bytes, bytes]:
    """Raises ValueError for what is no hash of ours."""
    parts = stored.split("$")
    if len(parts) != _PARTS or parts[0] != _FORM:
        raise ValueError("this is no password hash of ours")
    try:
        salt, digest = (base64.b64decode(one, validate=True) for one in parts[4:])
    except binascii.Error:
        raise ValueError("this is no password hash of ours") from None
    return ScryptCost(*(int(one) for one in parts[1:4])), salt, digest
