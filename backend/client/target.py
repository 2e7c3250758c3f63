"""Which server a client talks to, and with which token."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

DEFAULT_URL = "http://127.0.0.1:8888"


@dataclass(frozen=True, slots=True)
class Target:
    """`url` without a slash at its end; it may have a path, where a proxy puts the server below one."""

    url: str
    token: str | None = field(default=None, repr=False)


def find_target(
    url: str | None = None, token: str | None = None, *, environ: Mapping[str, str] | None = None
) -> Target:
    """Return the server to talk to: the arguments, else MEDIACRAWER_URL, else this machine's port 8888.

    The token is MEDIACRAWER_TOKEN (a person's) when none is given, else AUTH_TOKEN.
    Raises ValueError for what is no http or https URL, and for a token that no header can hold.
    """
    environ = os.environ if environ is None else environ
    chosen = (url or environ.get("MEDIACRAWER_URL", "").strip() or DEFAULT_URL).rstrip("/")
    try:
        parsed = httpx.URL(chosen)
    except httpx.InvalidURL as error:
        raise ValueError(f"not a URL: {chosen!r} ({error})") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.query or parsed.fragment:
        raise ValueError(f"not the URL of a server: {chosen!r}; give for example {DEFAULT_URL}")
    named = environ.get("MEDIACRAWER_TOKEN", "").strip() or environ.get("AUTH_TOKEN", "").strip()
    token = token or named or None
    if token is not None and not (token.isascii() and token.isprintable()):
        raise ValueError("not a token: letters, digits and signs of ASCII only")
    return Target(chosen, token)
