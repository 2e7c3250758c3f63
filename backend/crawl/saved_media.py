"""Pictures and videos of items as artifacts: fetched through the gate from the platform's own media hosts."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from backend.core.http import HttpGate, error_name, origin_of
from backend.domain.execution import TaskContext
from backend.domain.item import Item, Media
from backend.store.artifacts import ArtifactStore

_HEAD_BYTES = 16
_SUFFIXES = {
    **{"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif"},
    **{"image/avif": ".avif", "image/heic": ".heic", "video/mp4": ".mp4"},
}
_BRANDS = {b"avif": "image/avif", b"heic": "image/heic", b"heix": "image/heic", b"mif1": "image/heic"}


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Bounds of one file: bytes and seconds by type."""

    image_bytes: int = 20 << 20
    image_s: float = 60.0
    video_bytes: int = 500 << 20
    video_s: float = 900.0


class MediaFetcher:
    """Fetches one file into a part. All its waiting is in `fetch`, so it can be reached."""

    def __init__(self, gate: HttpGate, *, hosts: tuple[str, ...], own_origin: str | None, limits: MediaLimits) -> None:
        """`hosts` and the names below them are the platform's; `own_origin` is one that settings name."""
        self._gate = gate
        self._hosts = hosts
        self._own_origin = own_origin
        self._limits = limits

    async def fetch(self, media: Media, path: Path) -> str:
        """Write the file to `path`; return its media type by its first bytes. Raises MediaError."""
        client = self._client_of(media.url)
        is_video = media.type == "video"
        extensions = {
            "total_s": self._limits.video_s if is_video else self._limits.image_s,
            "max_body_bytes": self._limits.video_bytes if is_video else self._limits.image_bytes,
        }
        try:
            async with client.stream("GET", media.url, extensions=extensions) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise MediaError(f"HTTP_STATUS {answer.status_code}")
                with path.open("wb") as file:
                    async for chunk in answer.aiter_bytes():
                        file.write(chunk)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise MediaError(error_name(error)) from error
        media_type = _type_of(path)
        if media_type is None or not media_type.startswith(media.type):
            raise MediaError("CONTENT_TYPE")
        return media_type

    def _client_of(self, url: str) -> httpx.AsyncClient:
        try:
            host = urlsplit(url).hostname or ""
            if self._own_origin is not None and origin_of(url) == origin_of(self._own_origin):
                return self._gate.trusted(self._own_origin)
        except (ValueError, httpx.InvalidURL):
            raise MediaError("SCHEME_REFUSED") from None
        if not any(host == one or host.endswith(f".{one}") for one in self._hosts):
            raise MediaError("BLOCKED")
        return self._gate.outside


class MediaError(Exception):
    """A file that was not obtained; its text is a word of the API."""


class MediaSaver:
    """Keeps the files of items, each once."""

    def __init__(self, context: TaskContext, fetcher: MediaFetcher, artifacts: ArtifactStore) -> None:
        self._context = context
        self._fetcher = context.reach(fetcher)
        self._artifacts = context.reach(artifacts)

    async def saved(self, item: Item, *, types: Collection[str]) -> Item:
        """Return the item with the artifacts of its media of these types; what cannot be had is logged and left out.

        Raises TaskFailedError DISK_FULL.
        """
        kept = []
        for number, media in enumerate(item.media, start=1):
            artifact_id = None
            if media.type in types:
                artifact_id = await self._save(item, media, number)
            kept.append(replace(media, artifact_id=artifact_id))
        return replace(item, media=tuple(kept))

    async def _save(self, item: Item, media: Media, number: int) -> str | None:
        self._context.check()
        try:
            async with self._artifacts.part(".media") as path:
                with self._context.hold("connections"), self._context.hold("files"):
                    media_type = await self._fetcher.fetch(media, path)
                artifact = await self._artifacts.adopt(
                    self._context.lease,
                    path,
                    task_id=item.task_id,
                    name=f"{item.item_id}_{number}{_SUFFIXES[media_type]}",
                    role="media",
                    media_type=media_type,
                    width=media.width,
                    height=media.height,
                    duration_s=media.duration_s,
                )
        except MediaError as error:
            self._context.log("warning", f"媒体没有下载: {error}", url=item.url)
            return None
        return artifact.artifact_id


def _type_of(path: Path) -> str | None:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    return None
