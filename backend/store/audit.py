"""Who did what, kept apart from what it was done to: a purged task or a removed account can tell of it no more."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING

from backend.core.clock import Clock
from backend.core.database import Database
from backend.store.keyset import behind_newest_first, cursor_of

KEPT = timedelta(days=400)
_ID_BYTES = 10
_NEWEST = [("at", DESCENDING), ("_id", DESCENDING)]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`what` is such as task.purged; `subject` is the id it was done to, `detail` a few words and never a secret.

    `subject_name` is the name of the person it was done to, who may be gone by now; None of anything else, and in
    the entries of older versions.
    """

    at: datetime
    what: str
    by: str
    subject: str
    subject_name: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first; `next_cursor` is None when these are the last."""

    entries: tuple[AuditEntry, ...]
    next_cursor: str | None


class AuditStore:
    """Collection `audit`: one document an entry.

    Indexes: `at`, after which MongoDB removes entries of 400 days; `{at, _id}` and `{by, at, _id}`, newest first.
    """

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._db = database
        self._clock = clock

    async def ensure_indexes(self) -> None:
        """Make the indexes that are missing."""
        options = {} if self._db.is_memory else {"expireAfterSeconds": int(KEPT.total_seconds())}
        await self._db.do(self._audit.create_index([("at", ASCENDING)], **options))
        await self._db.do(self._audit.create_index(_NEWEST))
        await self._db.do(self._audit.create_index([("by", ASCENDING), *_NEWEST]))

    async def add(self, what: str, *, by: str, subject: str, subject_name: str | None = None, detail: str = "") -> None:
        """Write an entry. Raises StoreUnavailableError."""
        document = {"_id": secrets.token_hex(_ID_BYTES), "at": self._clock.now(), "what": what, "by": by}
        done_to = {"subject": subject, "subject_name": subject_name, "detail": detail}
        await self._db.do(self._audit.insert_one(document | done_to))

    async def newest(self, *, limit: int, by: str | None = None, cursor: str | None = None) -> AuditPage:
        """Return the latest entries, of one person with `by`. Raises BadCursorError, StoreUnavailableError."""
        query = behind_newest_first(cursor, time_field="at") | ({} if by is None else {"by": by})
        rows = await self._db.do(self._audit.find(query).sort(_NEWEST).limit(limit + 1).to_list(None))
        shown = rows[:limit]
        more = len(rows) > limit
        return AuditPage(
            tuple(_entry(row) for row in shown), cursor_of(shown[-1]["at"], shown[-1]["_id"]) if more else None
        )

    @property
    def _audit(self) -> Any:
        return self._db.collection("audit")


def _entry(row: Mapping[str, Any]) -> AuditEntry:
    return AuditEntry(row["at"], row["what"], row["by"], row["subject"], row.get("subject_name"), row["detail"])
