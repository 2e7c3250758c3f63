"""URLs as the frontier knows them: which can be fetched, which are the same, which belong together."""

import functools
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httpx
from w3lib.url import canonicalize_url, safe_url_string

MAX_URL_CHARS = 2_048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NEEDS_QUOTING = re.compile(r"[^!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]")
_CONTROLS = {ord(char): None for char in "\t\r\n"}


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that can be fetched; equal fingerprints mean the same page."""

    url: str
    fingerprint: str
    origin: str


@functools.lru_cache(maxsize=50_000)
def target_of(url: str, encoding: str = "utf-8") -> Target | None:
    """Return what to fetch for an absolute URL, or None when it cannot be fetched: no http(s), no host, too long.

    `encoding` is that of the page it stood on: query strings are sent in it, as browsers do. The fragment goes.
    """
    try:
        plain = _plain(url.strip().translate(_CONTROLS), encoding)
    except (ValueError, httpx.InvalidURL):
        return None
    if plain is None or len(plain) > MAX_URL_CHARS:
        return None
    origin = plain[: plain.index("/", plain.index("://") + 3)]
    return Target(plain, fingerprint_of(plain), origin)


def unfetchable(url: str) -> Target:
    """Return the target that stands for a URL nobody can fetch: it has no origin, and asking for it says why."""
    return Target(url, hashlib.blake2b(url.encode("utf-8", "replace"), digest_size=16).hexdigest(), "")


def fingerprint_of(url: str) -> str:
    """Return the identity of a fetchable URL: 32 hexadecimal digits of its canonical form."""
    return hashlib.blake2b(canonical_of(url).encode("utf-8", "replace"), digest_size=16).hexdigest()


def canonical_of(url: str) -> str:
    """Return the canonical form by w3lib's rules: quoting made even, query sorted, no fragment."""
    return str(canonicalize_url(url))


@functools.lru_cache(maxsize=50_000)
def host_of(url: str) -> str:
    """Return the host a person means: lower case, without a leading `www.`, with a port that is not the default.

    Empty for what has no host that can be read.
    """
    try:
        parts = urlsplit(url)
        return f"{(parts.hostname or '').removeprefix('www.')}{_port_of(parts)}"
    except ValueError:
        return ""


@functools.lru_cache(maxsize=50_000)
def hostname_of(url: str) -> str:
    """Return the bare host name or address in lower case, empty for what has none that can be read."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _plain(url: str, encoding: str) -> str | None:
    if len(url) > MAX_URL_CHARS * 2:
        return None
    if _NEEDS_QUOTING.search(url):
        url = safe_url_string(url, encoding=encoding, path_encoding="utf-8")
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.hostname
    if scheme not in _DEFAULT_PORTS or not host:
        return None
    if not host.isascii():
        host = httpx.URL(f"http://{host}/").raw_host.decode("ascii")
    if ":" in host:
        host = f"[{host}]"
    query = f"?{parts.query}" if parts.query else ""
    # A user name or password in a link is dropped: it would end up in the records.
    return f"{scheme}://{host}{_port_of(parts)}{parts.path or '/'}{query}"


def _port_of(parts: SplitResult) -> str:
    port = parts.port
    return "" if port is None or port == _DEFAULT_PORTS.get(parts.scheme.lower()) else f":{port}"
