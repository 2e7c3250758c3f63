"""Objects from outside, read with tolerance: a missing or odd field is None, and what nobody reads is remembered."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from backend.crawl.counts import count_of

MAX_BODY_BYTES = 8_000_000
_MAX_DEPTH = 60
_MAX_LIST = 2_000
_MAX_TEXT_CHARS = 100_000
_MAX_ID_CHARS = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Sites count seconds or milliseconds; this is the year 5138 in the former and 1973 in the latter.
_FIRST_MILLISECONDS = 100_000_000_000
_LAST_YEAR = 2_200
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_WRAPPED = ("_rawValue", "_value")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def read_json(body: bytes) -> Any:
    """Return the JSON value of an answer's body; None for what is none, or longer than eight million bytes."""
    if len(body) > MAX_BODY_BYTES:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def snake_cased(value: Any, *, depth: int = _MAX_DEPTH) -> Any:
    """Return the value with every key in snake_case, and reactive wrappers (`_rawValue`) taken off.

    A page's state has the names of its answers in camelCase: read so, one mapping serves both. What lies deeper than
    sixty levels is cut off.
    """
    if depth <= 0:
        return None
    if isinstance(value, list):
        return [snake_cased(one, depth=depth - 1) for one in value]
    if not isinstance(value, dict):
        return value
    for name in _WRAPPED:
        if name in value:
            return snake_cased(value[name], depth=depth - 1)
    return {_HUMP.sub(r"_\1", name).lower(): snake_cased(one, depth=depth - 1) for name, one in value.items()}


def storable(text: str) -> str:
    """Return the text as it can be stored: JSON can carry halves of characters, which are no text."""
    return _SURROGATES.sub("\ufffd", text)


class Record:
    """One JSON object. Each reader takes several names, the first that is there wins; all count as read."""

    def __init__(self, value: Any) -> None:
        self._values: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        self._read: set[str] = set()
        self._inner: dict[str, Record] = {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def has(self, name: str) -> bool:
        """Whether the field is there, empty or not."""
        return name in self._values

    def raw(self, *names: str) -> Any:
        """Return the value as it came, None when there is none."""
        self._read.update(names)
        return next((self._values[name] for name in names if self._values.get(name) is not None), None)

    def id(self, *names: str) -> str | None:
        """Return an id as a string, whatever JSON made of it; None for what cannot be one."""
        value = self.raw(*names)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        return storable(str(value).strip())[:_MAX_ID_CHARS] or None

    def text(self, *names: str, limit: int = _MAX_TEXT_CHARS) -> str | None:
        """Return a text without spaces around it, at most `limit` characters; None when it is empty."""
        value = self.raw(*names)
        return (storable(value.strip())[:limit] or None) if isinstance(value, str) else None

    def number(self, *names: str) -> float | None:
        """Return a number, also one that came as a string; None for what is none, or negative."""
        value = self.raw(*names)
        try:
            number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
        except (ValueError, OverflowError):
            return None
        return number if 0 <= number < math.inf else None

    def whole(self, *names: str) -> int | None:
        """Return a whole number such as a width in pixels."""
        number = self.number(*names)
        return None if number is None else int(number)

    def flag(self, *names: str) -> bool | None:
        """Return a yes or no, also one that came as 0 or 1."""
        value = self.raw(*names)
        return bool(value) if isinstance(value, bool) or value in (0, 1) else None

    def count(self, *names: str) -> tuple[int | None, str | None]:
        """Return a count as an integer and in the source's own words; both None when it is not there."""
        value = self.raw(*names)
        if not isinstance(value, str | int) or isinstance(value, bool):
            return None, None
        return count_of(value), storable(str(value))[:40]

    def moment(self, *names: str) -> datetime | None:
        """Return an aware UTC time from seconds or milliseconds since 1970."""
        number = self.number(*names)
        if not number:
            return None
        seconds = number / 1000 if number >= _FIRST_MILLISECONDS else number
        try:
            moment = _EPOCH + timedelta(seconds=seconds)
        except OverflowError:
            return None
        return moment if moment.year < _LAST_YEAR else None

    def inner(self, name: str) -> "Record":
        """Return the object under a name; an empty one when there is none."""
        if name not in self._inner:
            self._inner[name] = Record(self.raw(name))
        return self._inner[name]

    def each(self, *names: str) -> Iterator["Record"]:
        """Yield the objects of a list; of an object in a list's place its values."""
        value = self.raw(*names)
        values = [*value.values()] if isinstance(value, Mapping) else value if isinstance(value, list) else []
        for one in values[:_MAX_LIST]:
            if isinstance(one, Mapping):
                yield Record(one)

    def rest(self) -> dict[str, Any]:
        """Return what nobody has read, in the objects that were looked into too."""
        unread = {name: value for name, value in self._values.items() if name not in self._read and value is not None}
        inner = {name: rest for name, one in self._inner.items() if (rest := one.rest())}
        return {**unread, **inner}
