"""Counts as sites show them to people (2.7万, 1.2k, 10w+) as integers."""

import re
import unicodedata
from decimal import Decimal

_MAX_CHARS = 40
_LARGEST = 2**63 - 1
_UNITS = {"": 1, "k": 10**3, "千": 10**3, "w": 10**4, "万": 10**4, "萬": 10**4, "m": 10**6, "亿": 10**8, "億": 10**8}
_COUNT = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)(k|千|w|万|萬|m|亿|億)?\+?", re.IGNORECASE | re.ASCII)
# A button shows its own name where nobody has pressed it yet.
_NONE_YET = frozenset({"", "赞", "点赞", "收藏", "评论", "分享", "转发", "回复", "like", "likes", "comment", "share"})


def count_of(shown: object) -> int | None:
    """Return the integer that a shown count means, rounded down; None for what says no number.

    A plus sign is dropped (10w+ is 100,000 at least); the name of a button, or nothing in its place, means 0.
    """
    if isinstance(shown, bool) or shown is None:
        return None
    if isinstance(shown, int):
        return shown if 0 <= shown <= _LARGEST else None
    text = unicodedata.normalize("NFKC", str(shown)[:_MAX_CHARS]).strip().replace(",", "").replace(" ", "")
    if text.lower() in _NONE_YET:
        return 0
    found = _COUNT.fullmatch(text)
    if found is None:
        return None
    number = int(Decimal(found[1]) * _UNITS[(found[2] or "").lower()])
    return number if number <= _LARGEST else None
