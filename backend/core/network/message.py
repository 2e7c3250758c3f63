"""Requests as bytes, and which headers may follow a redirect to another origin."""

import re
from collections.abc import Iterator

import httpx

# Only what carries no secret: an allow list, because credentials come under any name (X-Api-Key).
_FOLLOWS_TO_ANOTHER_ORIGIN = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "content-encoding",
        "content-language",
        "content-length",
        "content-type",
        "host",
        "if-modified-since",
        "if-none-match",
        "pragma",
        "range",
        "transfer-encoding",
        "user-agent",
    }
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN_BYTES = re.compile(rb"[\x00\r\n]")
# Ours to decide, a connection is reused or not.
_CONNECTION_HEADERS = frozenset({b"connection", b"keep-alive", b"proxy-connection"})


def strip_credentials(request: httpx.Request) -> None:
    """Remove from `request` every header that another origin must not see."""
    for name in list(request.headers):
        if name.lower() not in _FOLLOWS_TO_ANOTHER_ORIGIN:
            del request.headers[name]


def head_bytes(request: httpx.Request, *, is_closing: bool) -> bytes:
    """Return the request line and headers, ready to be written.

    `is_closing` asks the server to close after its answer. Raises httpx.LocalProtocolError when the
    method is no token or a line holds a control character: httpx lets these pass.
    """
    lines = list(_lines(request))
    if is_closing:
        lines.append(b"Connection: close")
    if not _TOKEN.fullmatch(request.method) or any(_FORBIDDEN_BYTES.search(line) for line in lines):
        raise httpx.LocalProtocolError("a control character in the method, target or a header", request=request)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _lines(request: httpx.Request) -> Iterator[bytes]:
    yield b"%b %b HTTP/1.1" % (request.method.encode("latin-1", "replace"), request.url.raw_path)
    for name, value in request.headers.raw:
        if name.lower() not in _CONNECTION_HEADERS:
            yield b"%b: %b" % (name, value)


def known_body(request: httpx.Request) -> bytes | None:
    """Return the body when it is in memory, None when it has to be streamed."""
    if isinstance(request.stream, httpx.ByteStream):
        return b"".join(request.stream)
    return None
