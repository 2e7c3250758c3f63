"""Films scenes in a work folder: card, segment, card, segment, ... then one file."""

from collections.abc import Callable, Sequence
from pathlib import Path

from backend.core.crash_points import crash_point
from backend.core.threads import in_thread
from backend.domain.errors import TaskFailedError
from backend.domain.execution import TaskContext
from backend.domain.task import Stage
from backend.domain.text import Text
from backend.generate.provider import GenerateTools
from backend.generate.providers.storyboard.cards import CardPainter
from backend.generate.providers.storyboard.film import (
    Card,
    Film,
    gradient,
    joining_order,
    listing_of,
    segment_order,
)
from backend.generate.providers.storyboard.pictures import FULL_DISK_WORDS, PictureFetcher
from backend.generate.providers.storyboard.scenes import Scene
from backend.store.artifact_files import disk_full

# The server answers first, whatever is being filmed.
_NICENESS = 10
_MAX_TAIL_CHARS = 600


class Studio:
    """Renders one film. All its files are in `folder`, named relative to it; its owner removes the folder."""

    def __init__(
        self,
        context: TaskContext,
        tools: GenerateTools,
        *,
        ffmpeg: Path,
        folder: Path,
        film: Film,
        painter: CardPainter,
    ) -> None:
        self._context = context
        self._children = context.reach(tools.children)
        self._ffmpeg = ffmpeg
        self._folder = folder
        self._film = film
        self._painter = painter
        self._pictures = PictureFetcher(context, tools, ffmpeg=ffmpeg, film=film)

    @property
    def missing_pictures(self) -> int:
        """How many pictures could not be had; their scenes are text cards."""
        return self._pictures.failed

    async def render(self, scenes: Sequence[Scene]) -> Path:
        """Return the finished film. Raises TaskFailedError RENDER_FAILED or DISK_FULL."""
        self._context.progress(done=0, total=self._film.frames, unit="frame", stage=Stage.RENDER)
        segments: list[str] = []
        before: Card | None = None
        for number, scene in enumerate(scenes):
            card = await self._draw(number, scene)
            segments.append(await self._render_segment(card, before))
            if before is not None:
                await self._discard(before)
            before = card
        return await self._join(segments)

    async def _draw(self, number: int, scene: Scene) -> Card:
        background, words = f"{number:03d}.rgb", f"{number:03d}.rgba"
        place = self._folder / background
        has_picture = scene.image is not None and await self._pictures.background(scene.image, place)
        size = self._film.large
        if not has_picture:
            pixels, size = gradient(number)
            await in_thread(lambda: place.write_bytes(pixels))
        steps = self._painter.paint(scene, self._folder / words, has_picture=has_picture)
        is_done = False
        while not is_done:
            self._context.check()
            is_done = await in_thread(lambda: next(steps, _END) is _END)
        return Card(number, background, size, words)

    async def _render_segment(self, card: Card, before: Card | None) -> str:
        name = f"{card.number:03d}.mp4"
        base, limit = card.number * self._film.scene_frames, self._film.scene_frames

        def note(line: str) -> None:
            key, _, value = line.partition("=")
            if key == "frame" and value.strip().isdecimal():
                crash_point("mid_render")
                self._context.progress(done=base + min(int(value), limit))

        await self._run(segment_order(self._ffmpeg, self._film, card, before=before, out=name), on_line=note)
        self._context.progress(done=base + limit)
        return name

    async def _join(self, segments: list[str]) -> Path:
        listing, film = self._folder / "film.ffconcat", self._folder / "film.mp4"
        text = listing_of(self._film, segments)
        await in_thread(lambda: listing.write_text(text, encoding="utf-8"))
        await self._run(joining_order(self._ffmpeg, listing=listing.name, out=film.name))
        return film

    async def _run(self, order: list[str], *, on_line: Callable[[str], None] | None = None) -> None:
        self._context.check()
        with self._context.hold("children"):
            finished = await self._children.run(order, on_line=on_line, cwd=self._folder, niceness=_NICENESS)
        if any(words in finished.stderr_tail for words in FULL_DISK_WORDS):
            raise disk_full()
        if finished.returncode != 0:
            raise _render_failed(finished.returncode, finished.stderr_tail)

    async def _discard(self, card: Card) -> None:
        for name in (card.background, card.words):
            place = self._folder / name
            await in_thread(place.unlink)


_END = object()


def _render_failed(returncode: int, stderr_tail: str) -> TaskFailedError:
    # A signal is somebody's doing (the kernel's, for want of memory): another attempt may go better.
    is_killed = returncode < 0
    said = stderr_tail.strip()[-_MAX_TAIL_CHARS:] or "-"
    how = f"killed by signal {-returncode}" if is_killed else f"exit code {returncode}"
    return TaskFailedError(
        "RENDER_FAILED",
        Text("视频渲染失败", "The video could not be rendered"),
        where=Stage.RENDER,
        advice=Text(f"ffmpeg {how}: {said}", f"ffmpeg {how}: {said}"),
        can_retry=is_killed,
    )
