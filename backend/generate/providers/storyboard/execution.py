"""One attempt of a storyboard task: scenes, film, poster, artifact, books."""

from pathlib import Path

from backend.domain.errors import NeedsPersonError, TaskFailedError
from backend.domain.execution import TaskContext
from backend.domain.task import Books, Ending, Stage, StopReason, TaskStatus
from backend.domain.text import Text
from backend.generate.fonts import FontFile
from backend.generate.media import find_ffmpeg, probe
from backend.generate.outputs import adopt_output, stored_outputs
from backend.generate.provider import GenerateTools
from backend.generate.providers.storyboard.cards import CardPainter
from backend.generate.providers.storyboard.film import Film
from backend.generate.providers.storyboard.params import StoryboardParams
from backend.generate.providers.storyboard.scenes import scenes_of
from backend.generate.providers.storyboard.studio import Studio
from backend.store.artifacts import ArtifactStore

STEM = "storyboard"


class StoryboardExecution:
    """Renders the film and keeps it; what an earlier attempt kept is not rendered again."""

    def __init__(self, context: TaskContext, tools: GenerateTools, *, font: FontFile) -> None:
        self._context = context
        self._tools = tools
        self._font = font
        self._is_taken_up = False

    async def run(self) -> Ending:
        """Render, store, succeed. Raises TaskFailedError: RENDER_FAILED, DISK_FULL."""
        artifacts: ArtifactStore = self._context.reach(self._tools.artifacts)
        if await stored_outputs(artifacts, self._context.task):
            return Ending(TaskStatus.SUCCEEDED, Text("视频已在先前生成", "The video had been made before"))
        ffmpeg = find_ffmpeg()
        if ffmpeg is None:
            raise NeedsPersonError("NO_FFMPEG", Text("找不到 ffmpeg", "There is no ffmpeg"))
        self._is_taken_up = True
        self._context.progress(done=0, unit="frame", stage=Stage.START, books=Books(requested=1))
        missing = await self._make(artifacts, ffmpeg)
        self._context.progress(stage=Stage.DONE, books=Books(requested=1, ok=1, stored=1))
        return Ending(TaskStatus.SUCCEEDED, _what_was_made(missing))

    async def conclude(self, context: TaskContext, reason: StopReason | None) -> Books:
        """Return the books by what is stored: one film was asked for, and it is ok, failed, aborted or left."""
        stored = await stored_outputs(context.reach(self._tools.artifacts), context.task)
        if stored:
            return Books(requested=1, ok=1, stored=stored)
        if not self._is_taken_up or reason is StopReason.SHUTDOWN:
            return Books(queued_left=1)
        return Books(requested=1, failed=1) if reason is None else Books(requested=1, aborted=1)

    async def _make(self, artifacts: ArtifactStore, ffmpeg: Path) -> int:
        """Render and store; return how many pictures are missing in it."""
        context = self._context
        params = StoryboardParams.model_validate(dict(context.task.params))
        scenes = await scenes_of(params, context.reach(self._tools.items), context)
        width, height = params.width_height
        frames = max(1, round(params.seconds_per_scene * params.fps))
        film = Film(width, height, params.fps, scene_frames=frames, scene_count=len(scenes))
        painter = CardPainter(self._font, width=width, height=height, title=params.title)
        async with artifacts.work_folder() as folder:
            with context.hold("files"):
                studio = Studio(context, self._tools, ffmpeg=ffmpeg, folder=folder, film=film, painter=painter)
                video = await studio.render(scenes)
                await self._keep(video, poster_at_s=frames / params.fps / 2)
        return studio.missing_pictures

    async def _keep(self, video: Path, *, poster_at_s: float) -> None:
        context = self._context
        context.progress(stage=Stage.STORE)
        context.check()
        with context.hold("children"):
            facts = await probe(context.reach(self._tools.children), video)
        if not facts.width or not facts.height:
            raise _unplayable()
        await adopt_output(context, self._tools, video, facts, stem=STEM, poster_at_s=poster_at_s)


def _what_was_made(missing_pictures: int) -> Text:
    if not missing_pictures:
        return Text("视频已生成", "The video is made")
    return Text(
        f"视频已生成，{missing_pictures} 张图片不可用，已改用文字卡",
        f"The video is made; {missing_pictures} pictures could not be had and are text cards",
    )


def _unplayable() -> TaskFailedError:
    return TaskFailedError(
        "RENDER_FAILED", Text("渲染结果无法读取", "The rendered file cannot be read"), where=Stage.RENDER
    )
