"""Fetching a result of a provider: streamed to a part, resumed by Range, checked for size and type.

Links come from outside, so they go through the gate's `outside` client, hop by hop; only the provider's own origin,
named in settings, is reached through its trusted client. Credentials are never sent along.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from backend.core.crash_points import crash_point
from backend.core.http import (
    Forbidden,
    HttpGate,
    SchemeRefused,
    TooLarge,
    error_name,
    origin_of,
)
from backend.domain.execution import TaskContext
from backend.generate import failures
from backend.generate.media import sniff

MAX_RESULT_BYTES = 2 << 30
MAX_TRY_S = 1_800.0
MAX_HOPS = 5
MAX_TRIES = 20
# Tries in a row that brought nothing new.
MAX_IDLE_TRIES = 5
_HEAD_BYTES = 64
_BOX_HEAD_BYTES = 8
_BOXED = frozenset({"video/mp4", "video/quicktime"})
_MAX_BOXES = 100_000
_GONE = frozenset({401, 403, 404, 410})
_OK, _PARTIAL, _RANGE_REFUSED, _THROTTLED, _SERVER_ERROR = 200, 206, 416, 429, 500
# What no second try changes.
_FINAL = (Forbidden, SchemeRefused, TooLarge)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The file is whole: as long as it was said to be, and of the type its first bytes show."""

    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LinkExpired:
    """The link does not give the file any more."""

    status: int


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """This try ended early; what came is kept, and the next try goes on from there."""

    error_name: str


class Download:
    """One file from one link. `attempt` is one try; used through `context.reach`."""

    def __init__(self, gate: HttpGate, url: str, path: Path, *, title: str, media: str, own_origin: str | None) -> None:
        """`media`: video | image, what is expected. `own_origin`: the provider's, as named in settings."""
        self._gate = gate
        self._url = url
        self._path = path
        self._title = title
        self._media = media
        self._own_origin = own_origin
        self._validator: str | None = None

    def received_bytes(self) -> int:
        """How much has come so far."""
        return self._path.stat().st_size if self._path.exists() else 0

    async def attempt(self) -> Fetched | LinkExpired | BrokenOff:
        """Fetch what is missing. Raises TaskFailedError for what no second try changes."""
        try:
            return await self._follow(self._url)
        except _FINAL as error:
            raise failures.download_failed(error_name(error), can_retry=False) from error
        except httpx.HTTPError as error:
            return BrokenOff(error_name(error))

    async def _follow(self, url: str) -> Fetched | LinkExpired | BrokenOff:
        for _ in range(MAX_HOPS):
            client = self._client_of(url)
            options = {"total_s": MAX_TRY_S, "max_body_bytes": MAX_RESULT_BYTES}
            async with client.stream(
                "GET", url, headers=self._headers(), follow_redirects=False, extensions=options
            ) as answer:
                if not answer.has_redirect_location:
                    return await self._take(answer)
                url = str(answer.url.join(answer.headers["location"]))
        raise failures.download_failed("TOO_MANY_REDIRECTS", can_retry=False)

    def _client_of(self, url: str) -> httpx.AsyncClient:
        try:
            is_own = self._own_origin is not None and origin_of(url) == origin_of(self._own_origin)
        except httpx.InvalidURL:
            is_own = False
        return self._gate.trusted(self._own_origin) if is_own and self._own_origin else self._gate.outside

    def _headers(self) -> Mapping[str, str]:
        # A coding would hide the length, and make ranges of something else than the file.
        headers = {"Accept-Encoding": "identity"}
        offset = self.received_bytes()
        if offset and self._validator is not None:
            headers |= {"Range": f"bytes={offset}-", "If-Range": self._validator}
        return headers

    async def _take(self, answer: httpx.Response) -> Fetched | LinkExpired | BrokenOff:
        if answer.status_code == _PARTIAL and _range_start(answer) == self.received_bytes() > 0:
            return await self._write(answer, is_new=False, expected=_range_total(answer))
        if answer.status_code == _OK:
            self._validator = _strong_validator(answer)
            return await self._write(answer, is_new=True, expected=_length(answer))
        if answer.status_code in _GONE:
            return LinkExpired(answer.status_code)
        if answer.status_code in {_PARTIAL, _RANGE_REFUSED}:
            # Not the range that was asked for: begin anew.
            self._path.unlink(missing_ok=True)
            return BrokenOff("BROKEN_ANSWER")
        if answer.status_code == _THROTTLED or answer.status_code >= _SERVER_ERROR:
            return BrokenOff("HTTP_STATUS")
        raise failures.download_failed("HTTP_STATUS", can_retry=False)

    async def _write(self, answer: httpx.Response, *, is_new: bool, expected: int | None) -> Fetched | BrokenOff:
        if expected is not None and expected > MAX_RESULT_BYTES:
            raise failures.download_failed("TOO_LARGE", can_retry=False)
        with _opened(self._path, is_new=is_new) as file:
            async for chunk in answer.aiter_bytes():
                file.write(chunk)
                crash_point("mid_download")
                if file.tell() > MAX_RESULT_BYTES:
                    raise failures.download_failed("TOO_LARGE", can_retry=False)
        return self._judged(expected, said=answer.headers.get("content-type", ""))

    def _judged(self, expected: int | None, *, said: str) -> Fetched | BrokenOff:
        size = self.received_bytes()
        if expected is not None and size != expected:
            return BrokenOff("BROKEN_ANSWER")
        media_type = sniff(_head(self._path))
        if media_type is None or not media_type.startswith(f"{self._media}/"):
            raise failures.wrong_content(self._title, media_type or said.split(";", maxsplit=1)[0][:60] or "?")
        if media_type in _BOXED and not _boxes_fit(self._path, size):
            if expected is None:
                return BrokenOff("BROKEN_ANSWER")
            raise failures.unreadable_media(self._title, "truncated")
        return Fetched(media_type, size)


async def fetch(context: TaskContext, download: Download, *, pause_s: float) -> Fetched | LinkExpired:
    """Fetch a file in as many tries as it takes, each going on where the last one broke off.

    Raises TaskFailedError when five tries in a row bring nothing, or twenty do not suffice.
    """
    idle, word = 0, "BROKEN_ANSWER"
    for _ in range(MAX_TRIES):
        context.check()
        before = download.received_bytes()
        with context.hold("connections"):
            result = await context.reach(download).attempt()
        if not isinstance(result, BrokenOff):
            return result
        word = result.error_name
        idle = 0 if download.received_bytes() > before else idle + 1
        if idle >= MAX_IDLE_TRIES:
            break
        context.log("warning", f"{word}，下载中断，继续下载 / the download broke off; going on")
        await context.sleep(min(pause_s * 2**idle, 60.0))
    raise failures.download_failed(word, can_retry=True)


def _opened(path: Path, *, is_new: bool) -> BinaryIO:
    # Writing a chunk goes to the page cache: shorter than one step of the loop.
    return path.open("wb") if is_new else path.open("ab")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _boxes_fit(path: Path, size: int) -> bool:
    """Tell whether an MP4's top-level boxes end where the file ends: one that was cut is shorter than they say."""
    offset = 0
    with path.open("rb") as file:
        for _ in range(_MAX_BOXES):
            if offset >= size:
                break
            file.seek(offset)
            length, is_long = _box_length(file.read(16))
            if length == 0 and not is_long:
                # "To the end of the file": nothing to compare.
                return True
            if length < _BOX_HEAD_BYTES:
                return False
            offset += length
    return offset == size


def _box_length(head: bytes) -> tuple[int, bool]:
    is_long = head[:4] == b"\0\0\0\1"
    return int.from_bytes(head[8:16] if is_long else head[:4], "big"), is_long


def _length(answer: httpx.Response) -> int | None:
    value = answer.headers.get("content-length", "")
    return int(value) if value.isdecimal() else None


def _range_start(answer: httpx.Response) -> int | None:
    start = answer.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0].strip()
    return int(start) if start.isdecimal() else None


def _range_total(answer: httpx.Response) -> int | None:
    total = answer.headers.get("content-range", "").rpartition("/")[2].strip()
    return int(total) if total.isdecimal() else None


def _strong_validator(answer: httpx.Response) -> str | None:
    tag: str | None = answer.headers.get("etag")
    if tag and not tag.startswith("W/"):
        return tag
    modified: str | None = answer.headers.get("last-modified")
    return modified
