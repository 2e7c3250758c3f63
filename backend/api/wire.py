"""How values look on the wire: JSON by orjson, times as RFC 3339 in UTC with milliseconds and `Z`."""

from datetime import UTC, datetime
from typing import Any

import orjson

JSON_TYPE = "application/json; charset=utf-8"


def dump(payload: Any, *, is_pretty: bool = False) -> bytes:
    """Return `payload` as JSON in UTF-8, Chinese unescaped, ended by a newline."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if is_pretty else 0)
    return orjson.dumps(payload, option=option)


def stamp(moment: datetime) -> str:
    """Return an aware time as `2026-11-21T08:00:00.000Z`."""
    if moment.utcoffset():
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def stamp_or_none(moment: datetime | None) -> str | None:
    """Return an aware time as text, or None."""
    return None if moment is None else stamp(moment)
