"""From the bytes of a page to its text: BOM, header, meta, then detection."""

import codecs
from collections.abc import Iterator

from charset_normalizer import from_bytes
from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding, read_bom, resolve_encoding

_DETECT_BYTES = 64 * 1024
_DECLARED_WITHIN = 4_096
# One broken character in so many is a slip of the page; more of them, and the encoding is not what it says.
_CHARS_PER_SLIP = 200
_WESTERN = frozenset({"cp1252", "latin-1", "iso8859-1", "ascii"})
_NOT_OF_PAGES = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7"})
_PLAUSIBLE = [
    *("utf_8", "gb18030", "big5", "cp932", "euc_jp", "cp949", "cp1251", "koi8_r", "cp1252", "iso8859_2"),
    *("cp1253", "cp1254", "cp1255", "cp1256", "cp874"),
]


def decode(body: bytes, content_type: str | None) -> tuple[str, str]:
    """Return the text of a page and the encoding it was read in.

    The first candidate that fits is taken; when none does, the one with the fewest broken characters.
    """
    marked, mark = read_bom(body)
    if marked is not None and mark is not None:
        return body[len(mark) :].decode(marked, "replace"), str(marked)
    best: tuple[int, str, str] | None = None
    for encoding in _candidates(body, content_type):
        text, slips = _tried(body, encoding)
        if slips * _CHARS_PER_SLIP <= len(text):
            return text, encoding
        if best is None or slips < best[0]:
            best = (slips, text, encoding)
    assert best is not None  # noqa: S101 - the last candidate is always there
    return best[1], best[2]


def _candidates(body: bytes, content_type: str | None) -> Iterator[str]:
    header = _known(http_content_type_encoding(content_type))
    meta = _known(html_body_declared_encoding(body[:_DECLARED_WITHIN]))
    if meta is not None and meta.startswith("utf-16"):
        # A page in which the word can be read is not in UTF-16.
        meta = "utf-8"
    if header in _WESTERN and meta is not None and meta not in _WESTERN:
        # A server's default says so of every page, and every byte is a character in it.
        header, meta = meta, header
    yield from (one for one in (header, meta) if one is not None)
    yield "utf-8"
    detected = from_bytes(body[:_DETECT_BYTES], cp_isolation=_PLAUSIBLE, enable_fallback=False).best()
    if detected is not None:
        yield resolve_encoding(detected.encoding) or detected.encoding
    yield "cp1252"


def _known(name: str | None) -> str | None:
    """Return Python's name of an encoding a page may be in, by the table browsers use; None for others."""
    if name is None:
        return None
    try:
        encoding = codecs.lookup(resolve_encoding(name) or name).name
        # Not every codec is one of pages: `zip`, `rot13`, `undefined` and `idna` are codecs too.
        is_of_pages = b"a".decode(encoding, "replace") == "a" or encoding.startswith("utf")
    except (LookupError, ValueError):
        return None
    return encoding if is_of_pages and encoding not in _NOT_OF_PAGES else None


def _tried(body: bytes, encoding: str) -> tuple[str, int]:
    try:
        return body.decode(encoding), 0
    except UnicodeDecodeError:
        text = body.decode(encoding, "replace")
        return text, max(1, text.count("\ufffd"))
