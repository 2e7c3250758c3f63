"""The Content-Disposition header: the name under which a browser saves what it is sent."""

from typing import Literal
from urllib.parse import quote

from backend.domain.file_name import portable_name


def disposition(kind: Literal["inline", "attachment"], name: str) -> str:
    """Return the header's value: the whole name in UTF-8 (RFC 5987), and one in ASCII for old programs.

    The name is made one that every system can keep: scripts save under it without a browser's care.
    """
    name = portable_name(name)
    ascii_name = "".join(one if (one.isascii() and one.isalnum()) or one in "._- " else "_" for one in name)
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
