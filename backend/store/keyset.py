"""Opaque cursors for lists in keyset order: the sort values of the last row shown, never an offset."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

import orjson

from backend.domain.errors import BadCursorError
from backend.domain.text import Text

_MAX_CURSOR_CHARS = 512


def cursor_of(at: datetime, row_id: str) -> str:
    """Return the cursor that goes on behind the row with this time and id."""
    raw = orjson.dumps([int(at.timestamp() * 1000), row_id])
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Return the time and id that `cursor_of` was given. Raises BadCursorError."""
    if len(cursor) > _MAX_CURSOR_CHARS:
        raise _refused()
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at_ms, row_id = orjson.loads(raw)
        return datetime.fromtimestamp(at_ms / 1000, UTC), row_id[:_MAX_CURSOR_CHARS]
    except (ValueError, TypeError, OverflowError, OSError, binascii.Error) as error:
        raise _refused() from error


def behind(cursor: str | None, *, time_field: str) -> dict[str, Any]:
    """Return the filter for rows behind the cursor in ascending order of `time_field` and `_id`."""
    if cursor is None:
        return {}
    at, row_id = read_cursor(cursor)
    return {
        time_field: {"$gte": at},
        "$or": [{time_field: {"$gt": at}}, {time_field: at, "_id": {"$gt": row_id}}],
    }


def behind_newest_first(cursor: str | None, *, time_field: str) -> dict[str, Any]:
    """Return the filter for rows behind the cursor in descending order of `time_field` and `_id`."""
    if cursor is None:
        return {}
    at, row_id = read_cursor(cursor)
    # A bound for the index, less the rows already read: an `$or` would be taken for several walks.
    return {time_field: {"$lte": at}, "$nor": [{time_field: at, "_id": {"$gte": row_id}}]}


def _refused() -> BadCursorError:
    return BadCursorError(Text("游标无效", "This cursor is not one of ours"))
