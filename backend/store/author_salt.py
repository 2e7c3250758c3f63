"""The secret that makes hashes of people's ids this installation's own."""

import secrets

from backend.core.database import Database

_ID = "author_salt"
_SALT_BYTES = 32


class AuthorSalt:
    """Collection `installation`: one document, `_id: author_salt`, made once and never changed.

    In MongoDB, so that all servers of one installation hash alike. No indexes but `_id`.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._salt: bytes | None = None

    async def salt(self) -> bytes:
        """Return the salt, making it at the very first call."""
        if self._salt is None:
            installation = self._db.collection("installation")
            made = {"$setOnInsert": {"value": secrets.token_hex(_SALT_BYTES)}}
            await self._db.do(installation.update_one({"_id": _ID}, made, upsert=True))
            found = await self._db.do(installation.find({"_id": _ID}).to_list(1))
            self._salt = bytes.fromhex(found[0]["value"])
        return self._salt
