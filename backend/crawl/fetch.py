"""One page over the network: asked for once, within bounds, judged by what came back."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from backend.core.clock import Clock
from backend.core.http import error_name

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
# A text file that was asked for by its own URL is read too; a site's downloads are no pages of it.
PAGE_TYPES = HTML_TYPES | {"text/plain"}
_ACCEPT = "text/html,application/xhtml+xml;q=0.9,text/plain;q=0.8,*/*;q=0.1"
_LANGUAGES = "zh-CN,zh;q=0.9,en;q=0.8"
_SNIFFED_BYTES = 512
_NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})
_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS})
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_PASSING_ERRORS = frozenset({"DEADLINE", "NO_ANSWER", "BROKEN_ANSWER"})


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Bounds of one request: `total_s` covers redirects and queueing, `page_bytes` the decompressed body."""

    total_s: float = 30.0
    page_bytes: int = 5 << 20
    robots_bytes: int = 512 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `error` is a word of api.md when nothing usable did; `body` is None when not wanted."""

    url: str
    status: int | None = None
    content_type: str | None = None
    body: bytes | None = None
    retry_after_s: float | None = None
    is_challenge: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an answer counts: outcome None is a page to be read. `may_pass`: another attempt may end better."""

    outcome: str | None
    reason: str | None = None
    error: str | None = None
    may_pass: bool = False


class PageFetcher:
    """Fetches through the gate's client. All its waiting is in `fetch` and `fetch_start`, so it can be reached."""

    def __init__(
        self, client: httpx.AsyncClient, *, limits: FetchLimits, clock: Clock, kinds: Collection[str] = PAGE_TYPES
    ) -> None:
        self._client = client
        self._kinds = kinds
        self._limits = limits
        self._clock = clock

    async def fetch(self, url: str) -> Answer:
        """Return the answer for a page; the body is read only when it is a page of a type we read."""
        return await self._fetched(url, max_bytes=self._limits.page_bytes, kinds=self._kinds)

    async def fetch_start(self, url: str) -> Answer:
        """Return the answer for a robots.txt of any type, its body cut where the rules' own limit is."""
        return await self._fetched(url, max_bytes=self._limits.robots_bytes, kinds=None)

    async def _fetched(self, url: str, *, max_bytes: int, kinds: Collection[str] | None) -> Answer:
        extensions: dict[str, float | int] = {"total_s": self._limits.total_s}
        if kinds is not None:
            extensions["max_body_bytes"] = max_bytes
        headers = {"Accept": _ACCEPT, "Accept-Language": _LANGUAGES}
        try:
            async with self._client.stream("GET", url, headers=headers, extensions=extensions) as response:
                body = await _read(response, max_bytes=max_bytes, kinds=kinds)
                return self._answer(response, body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(url, error=error_name(error))

    def _answer(self, response: httpx.Response, body: bytes | None) -> Answer:
        headers = response.headers
        return Answer(
            url=str(response.url),
            status=response.status_code,
            content_type=headers.get("content-type"),
            body=body,
            retry_after_s=retry_after_s(headers.get("retry-after"), now=self._clock.now()),
            is_challenge=headers.get("cf-mitigated", "").lower() == "challenge",
        )


def judge(answer: Answer) -> Verdict:
    """Return how the answer counts, the first rule that fits."""
    if answer.error is not None:
        return Verdict("failed", error=answer.error, may_pass=answer.error in _PASSING_ERRORS)
    status = answer.status or 0
    if answer.is_challenge or status in _REFUSALS:
        return Verdict("blocked", error="BLOCKED")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Verdict("blocked", error="THROTTLED", may_pass=True)
    if not HTTPStatus(200) <= status < HTTPStatus(300):
        may_pass = status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return Verdict("failed", error="HTTP_STATUS", may_pass=may_pass)
    return _judge_body(answer)


def retry_after_s(value: str | None, *, now: datetime) -> float | None:
    """Return the seconds a Retry-After header asks to wait, or None when it says nothing readable."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, (moment - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def mime_of(content_type: str | None) -> str:
    """Return the bare type of a Content-Type header in lower case, empty when there is none."""
    return (content_type or "").partition(";")[0].strip().lower()


def _judge_body(answer: Answer) -> Verdict:
    if answer.body is None and answer.status not in _NO_BODY:
        return Verdict("skipped", reason="content_type")
    body = (answer.body or b"").strip()
    if not body:
        return Verdict("empty")
    if not mime_of(answer.content_type) and b"\0" in body[:_SNIFFED_BYTES]:
        return Verdict("skipped", reason="content_type")
    return Verdict(None)


async def _read(response: httpx.Response, *, max_bytes: int, kinds: Collection[str] | None) -> bytes | None:
    """Return the body, or None when it is not wanted: leaving the response then drops the connection."""
    if not response.is_success:
        return None
    mime = mime_of(response.headers.get("content-type"))
    if kinds is not None and mime and mime not in kinds:
        return None
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if kinds is None and size >= max_bytes:
            # A page over its limit is the gate's to refuse; a robots.txt is read as far as its limit.
            break
    body = b"".join(parts)
    return body if kinds is not None else body[:max_bytes]
