"""The `Range` header: one range of bytes, or all of them."""

import re

from backend.api.errors import ApiError
from backend.domain.text import Text

_ONE = re.compile(r"([0-9]{0,18})\s*-\s*([0-9]{0,18})")
_MAX_HEADER_CHARS = 1_000


def read_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Return start and end (exclusive) of the asked range, or None for the whole file.

    Of several ranges the first one that can be met is given; a header that is no range of bytes is ignored, as RFC
    9110 wants. Raises ApiError RANGE_INVALID when no range can be met.
    """
    unit, _, wanted = (header or "").partition("=")
    if unit.strip().lower() != "bytes" or len(wanted) > _MAX_HEADER_CHARS:
        return None
    matches = [_ONE.fullmatch(part.strip()) for part in wanted.split(",") if part.strip()]
    if not matches or any(match is None or match.group(0).strip() == "-" for match in matches):
        return None
    for match in matches:
        found = _bounds(match.group(1), match.group(2), size_bytes) if match else None
        if found is not None:
            return found
    message = Text(f"文件只有 {size_bytes} 字节", f"The file has {size_bytes} bytes")
    raise ApiError("RANGE_INVALID", message, headers={"Content-Range": f"bytes */{size_bytes}"})


def _bounds(first: str, last: str, size_bytes: int) -> tuple[int, int] | None:
    if not first:
        length = min(int(last), size_bytes)
        return (size_bytes - length, size_bytes) if length else None
    start, end = int(first), size_bytes if not last else min(int(last) + 1, size_bytes)
    return (start, end) if start < end else None
