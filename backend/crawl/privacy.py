"""What is kept of people: by default a salted hash and a masked name, and no field that would say who they are."""

import hashlib
import hmac
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.crawl.source_record import storable
from backend.domain.item import Author

_HASH_CHARS = 32
_MAX_STARS = 3
_MAX_NAME_CHARS = 200
_MAX_EXTRA_CHARS = 16_000
_MAX_DEPTH = 6
_MAX_MEMBERS = 60
_MAX_TEXT_CHARS = 2_000
_LARGEST_EXACT = 2**53
# Never kept: whoever has them can act as the page did.
_SECRET_WORDS = ("token", "session", "cookie", "auth_key")
_SECRET_IN_URL = re.compile(r"([?&][^=&#\s]*(?:token|sign|session|auth)[^=&#\s]*=)[^&#\s]*", re.IGNORECASE)
# Parts of names of fields about people.
_PERSONAL_WORDS = (
    *("user", "nick", "avatar", "author", "gender", "sex", "birth", "red_id", "ip_loc", "location", "phone", "mobile"),
    *(
        "mail",
        "account",
        "openid",
        "open_id",
        "uid",
        "mention",
        "at_user",
        "follow_status",
        "profile",
        "device",
        "sign",
    ),
)


@dataclass(frozen=True, slots=True)
class Privacy:
    """How people are shown in the items of one task. `salt` belongs to the installation; `is_full`: the task's wish."""

    salt: bytes
    is_full: bool = False

    def hashed(self, platform: str, person_id: str) -> str:
        """Return the stable stand-in for an id: the same person has the same one in every task of ours."""
        key = f"{platform}\0{person_id}".encode("utf-8", "replace")
        return hmac.new(self.salt, key, hashlib.sha256).hexdigest()[:_HASH_CHARS]

    def author(self, platform: str, person_id: str | None, name: str | None) -> Author | None:
        """Return who wrote it, or None when the source does not say."""
        if person_id is None:
            return None
        return Author(self.hashed(platform, person_id), masked(name or ""))

    def kept(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Return of unread fields what may be stored: bounded, without keys, by default without people."""
        kept: dict[str, Any] = {}
        size = 0
        for name, value in extra.items():
            if self._is_left_out(name):
                continue
            cut = self._cut(value, _MAX_DEPTH)
            size += len(json.dumps(cut, ensure_ascii=False)) + len(name)
            if size > _MAX_EXTRA_CHARS:
                break
            kept[_field_name(name)] = cut
        return kept

    def _cut(self, value: Any, depth: int) -> Any:
        if not isinstance(value, list | Mapping):
            return _plain(value)
        if depth <= 0:
            return None
        if isinstance(value, list):
            return [self._cut(one, depth - 1) for one in value[:_MAX_MEMBERS]]
        members = [(name, one) for name, one in value.items() if not self._is_left_out(name)]
        return {_field_name(name): self._cut(one, depth - 1) for name, one in members[:_MAX_MEMBERS]}

    def _is_left_out(self, name: str) -> bool:
        words = _SECRET_WORDS if self.is_full else (*_SECRET_WORDS, *_PERSONAL_WORDS)
        return any(word in name.lower() for word in words)


def masked(name: str) -> str:
    """Return the first character of a name and stars for the others: 张三 becomes 张*."""
    name = storable(name.strip())[:_MAX_NAME_CHARS]
    if len(name) < 2:  # noqa: PLR2004 - of a single character nothing may be shown
        return "*"
    return name[0] + "*" * min(len(name) - 1, _MAX_STARS)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET_IN_URL.sub(r"\1", storable(value[:_MAX_TEXT_CHARS]))
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_EXACT:
        # No reader of JSON in a browser would keep it, and no database of ours.
        return str(value)[:_MAX_TEXT_CHARS]
    return value


def _field_name(name: str) -> str:
    # The names that a database keeps for itself.
    return storable(name[:100]).replace(".", "_").replace("$", "_").replace("\0", "_")
