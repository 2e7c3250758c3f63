"""Pictures from outside: fetched through the gate, decoded in a child, never trusted. Any failure means a text card."""

from pathlib import Path

import httpx

from backend.core.http import error_name
from backend.core.threads import in_thread
from backend.domain.execution import TaskContext
from backend.generate.media import DEMUXERS, sniff
from backend.generate.provider import GenerateTools
from backend.generate.providers.storyboard.film import Film, picture_order
from backend.store.artifact_files import disk_full

MAX_BYTES = 20 << 20
MAX_PIXELS = 50_000_000
_FETCH_LIMIT_S = 20.0
_DECODE_LIMIT_S = 20.0
_NICENESS = 10
_OK = 200
# What ffmpeg says of a full disk, a full quota, a file over its limit.
FULL_DISK_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")


class PictureFetcher:
    """Makes raw backgrounds of URLs. Never raises for what is wrong with a picture: it logs, and there is none."""

    def __init__(self, context: TaskContext, tools: GenerateTools, *, ffmpeg: Path, film: Film) -> None:
        self._context = context
        self._client = context.reach(tools.gate.outside)
        self._children = context.reach(tools.children)
        self._ffmpeg = ffmpeg
        self._film = film
        self.failed = 0

    async def background(self, url: str, out: Path) -> bool:
        """Fetch the picture and write it to `out` (raw RGB of `film.large`); False when that was not possible.

        At most 20 MB, 50 million pixels, 20 s for each of the two steps. Raises TaskFailedError DISK_FULL only.
        """
        content = await self._fetched(url)
        if content is None:
            return False
        demuxer = DEMUXERS.get(sniff(content) or "", "")
        source = out.with_suffix(".picture")
        await in_thread(lambda: source.write_bytes(content))
        problem = await self._decoded(demuxer, source, out)
        await in_thread(lambda: source.unlink(missing_ok=True))
        if problem:
            self._give_up(url, problem)
        return not problem

    async def _fetched(self, url: str) -> bytes | None:
        self._context.check()
        limits = {"total_s": _FETCH_LIMIT_S, "max_body_bytes": MAX_BYTES}
        try:
            with self._context.hold("connections"):
                response = await self._client.get(url, headers={"Accept": "image/*"}, extensions=limits)
        except httpx.HTTPError as error:
            self._give_up(url, error_name(error))
            return None
        if response.status_code != _OK:
            self._give_up(url, f"HTTP {response.status_code}")
            return None
        if not (sniff(response.content) or "").startswith("image/"):
            self._give_up(url, "CONTENT_TYPE")
            return None
        return response.content

    async def _decoded(self, demuxer: str, source: Path, out: Path) -> str | None:
        """Return what went wrong, or None."""
        order = picture_order(
            self._ffmpeg, self._film, demuxer=demuxer, source=source.name, out=out.name, max_pixels=MAX_PIXELS
        )
        try:
            with self._context.hold("children"):
                finished = await self._children.run(
                    order, cwd=out.parent, timeout_s=_DECODE_LIMIT_S, niceness=_NICENESS
                )
        except TimeoutError:
            return "DEADLINE"
        if any(words in finished.stderr_tail for words in FULL_DISK_WORDS):
            raise disk_full()
        width, height = self._film.large
        if finished.returncode != 0 or await in_thread(lambda: _size_of(out)) != width * height * 3:
            return "PARSE_FAILED"
        return None

    def _give_up(self, url: str, reason: str) -> None:
        self.failed += 1
        self._context.log("warning", f"图片不可用，改用文字卡: {reason}", url=url)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
