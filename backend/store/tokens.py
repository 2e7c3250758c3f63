"""Tokens of users, for programs. Only hashes are stored: a token is 256 random bits, which need no slow hash."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.errors import BusyError, NotFoundError
from backend.domain.text import Text
from backend.domain.user import ApiToken

TOKEN_PREFIX = "mcp_"  # noqa: S105 - by which a person tells what it is
MAX_TOKENS = 20
_ID_BYTES = 8
_SECRET_BYTES = 32
_SHOWN_CHARS = 4
_ALL = 10_000


def digest_of(token: str) -> str:
    """Return what a token is known by."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class TokenStore:
    """Collection `tokens`: one document a token, `_id` is its id; `digest` is its SHA-256.

    Indexes: `digest`, unique; `user_id`.
    """

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    async def ensure_indexes(self) -> None:
        """Make the indexes that are missing."""
        await self._db.do(self._tokens.create_index([("digest", ASCENDING)], unique=True))
        await self._db.do(self._tokens.create_index([("user_id", ASCENDING)]))

    async def by_digest(self) -> Mapping[str, ApiToken]:
        """Return every token (at most 10,000) by its hash."""
        rows = await self._db.do(self._tokens.find().limit(_ALL).to_list(None))
        return {row["digest"]: _token(row) for row in rows}

    async def of_user(self, user_id: str) -> Sequence[ApiToken]:
        """Return a user's tokens, oldest first."""
        found = self._tokens.find({"user_id": user_id}).sort("created_at", ASCENDING)
        return [_token(row) for row in await self._db.do(found.limit(MAX_TOKENS).to_list(None))]

    async def create(self, user_id: str, label: str, *, by: str) -> tuple[ApiToken, str]:
        """Make a token; return it with the token itself, which nobody will see again. Raises BusyError above 20."""
        if await self._db.do(self._tokens.count_documents({"user_id": user_id}, limit=MAX_TOKENS)) >= MAX_TOKENS:
            raise BusyError(Text(f"每人最多 {MAX_TOKENS} 个令牌", f"At most {MAX_TOKENS} tokens each"))
        secret = TOKEN_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        document = {
            **{"_id": f"k_{secrets.token_hex(_ID_BYTES)}", "user_id": user_id, "label": label},
            **{"digest": digest_of(secret), "last_four": secret[-_SHOWN_CHARS:]},
            **{"created_by": by, "created_at": self._clock.now()},
        }
        await self._db.do(self._tokens.insert_one(document))
        return _token(document), secret

    async def remove(self, token_id: str, *, user_id: str | None = None) -> ApiToken:
        """Remove a token, with `user_id` only when it is theirs. Raises NotFoundError."""
        query = {"_id": token_id} if user_id is None else {"_id": token_id, "user_id": user_id}
        row = await self._db.do(self._tokens.find_one_and_delete(query))
        if row is None:
            raise NotFoundError(Text("没有这个令牌", "No such token"))
        return _token(row)

    async def remove_of(self, user_id: str) -> int:
        """Remove all tokens of a user; return how many there were."""
        result = await self._db.do(self._tokens.delete_many({"user_id": user_id}))
        return int(result.deleted_count)

    @property
    def _tokens(self) -> Any:
        return self._db.collection("tokens")


def _token(row: Mapping[str, Any]) -> ApiToken:
    return ApiToken(*(row["_id"], row["user_id"], row["label"], row["last_four"], row["created_by"], row["created_at"]))
