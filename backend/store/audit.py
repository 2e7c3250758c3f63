"""Who did what, kept apart from what it was done to: a purged task or a removed account can tell of it no more."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING

from backend.core.clock import Clock
from backend.core.database import Database

KEPT = timedelta(days=400)
_ID_BYTES = 10


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`what` is such as task.purged; `subject` is the id it was done to, `detail` a few words and never a secret."""

    at: datetime
    what: str
    by: str
    subject: str
    detail: str


class AuditStore:
    """Collection `audit`: one document an entry. Index: `at`, after which MongoDB removes entries of 400 days."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    async def ensure_indexes(self) -> None:
        """Make the index that is missing."""
        options = {} if self._db.is_memory else {"expireAfterSeconds": int(KEPT.total_seconds())}
        await self._db.do(self._audit.create_index([("at", ASCENDING)], **options))

    async def add(self, what: str, *, by: str, subject: str, detail: str = "") -> None:
        """Write an entry. Raises StoreUnavailableError."""
        document = {"_id": secrets.token_hex(_ID_BYTES), "at": self._clock.now(), "what": what, "by": by}
        await self._db.do(self._audit.insert_one({**document, "subject": subject, "detail": detail}))

    async def newest(self, *, limit: int) -> list[AuditEntry]:
        """Return the latest entries, newest first."""
        found = self._audit.find().sort("at", DESCENDING).limit(limit)
        return [_entry(row) for row in await self._db.do(found.to_list(None))]

    @property
    def _audit(self) -> Any:
        return self._db.collection("audit")


def _entry(row: Mapping[str, Any]) -> AuditEntry:
    return AuditEntry(row["at"], row["what"], row["by"], row["subject"], row["detail"])
