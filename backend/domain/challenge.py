"""What a person is asked to solve: a login page, a captcha, a QR code to scan."""

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

MAX_PICTURE_BYTES = 1_000_000
MAX_URL_CHARS = 2_000

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))
# Parts of the names of parameters that let whoever has them in, or say who somebody is.
_SECRET_WORDS = (
    *("token", "secret", "sign", "sig", "session", "sid", "auth", "key", "code", "ticket", "pass", "pwd", "cred"),
    *("jwt", "otp", "cookie", "phone", "mobile", "mail", "user"),
)
_PLAIN_NAMES = frozenset({"keyword", "keywords"})
# Longer values are keys, whatever their names say.
_MAX_VALUE_CHARS = 64


class ChallengeKind(StrEnum):
    """What is asked for; `kind` on the wire."""

    LOGIN = "login"
    CAPTCHA = "captcha"
    QR = "qr"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A page that waits for a person. Pictures are PNG or JPEG of at most 1 MB; `page_url` is shown to people.

    What does not keep to that is left out rather than refused (`left_out` names it): the person is needed all the
    same. Of the URL the user, every parameter that looks like a key, and such a fragment are cut.
    """

    kind: ChallengeKind
    screenshot: bytes | None = None
    qr: bytes | None = None
    page_url: str | None = None
    left_out: tuple[str, ...] = field(default=(), init=False, compare=False)

    def __post_init__(self) -> None:
        cleaned = {"screenshot": _picture(self.screenshot), "qr": _picture(self.qr), "page_url": _shown(self.page_url)}
        left_out = tuple(name for name, value in cleaned.items() if value is None and getattr(self, name) is not None)
        for name, value in {**cleaned, "left_out": left_out}.items():
            object.__setattr__(self, name, value)


def picture_type(picture: bytes) -> str | None:
    """Return `image/png` or `image/jpeg` by the first bytes, None for anything else."""
    return next((media_type for magic, media_type in _MAGIC if picture.startswith(magic)), None)


def _picture(picture: bytes | None) -> bytes | None:
    is_good = picture is not None and len(picture) <= MAX_PICTURE_BYTES and picture_type(picture) is not None
    return picture if is_good else None


def _shown(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url.strip())
        address = _address(parts)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or address is None:
        return None
    fragment = "" if _looks_secret("", parts.fragment) else parts.fragment
    for query in (_plain_query(parts.query), ""):
        shown = urlunsplit((parts.scheme, address, parts.path, query, fragment))
        if len(shown) <= MAX_URL_CHARS:
            return shown
    return None


def _address(parts: SplitResult) -> str | None:
    host = parts.hostname
    if not host:
        return None
    host = f"[{host}]" if ":" in host else host
    return host if parts.port is None else f"{host}:{parts.port}"


def _plain_query(query: str) -> str:
    # Of a page that this one leads back to, the path says enough.
    pairs = [(name, value.partition("?")[0].partition("#")[0]) for name, value in parse_qsl(query)]
    return urlencode([(name, value) for name, value in pairs if not _looks_secret(name, value)])


def _looks_secret(name: str, value: str) -> bool:
    lower = name.lower()
    is_named_so = lower not in _PLAIN_NAMES and any(word in lower for word in _SECRET_WORDS)
    return is_named_so or len(value) > _MAX_VALUE_CHARS or "=" in value or "%" in value
