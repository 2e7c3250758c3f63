"""Keeping the results of a generation: download, check, probe, poster, record."""

from collections.abc import Iterable
from pathlib import Path

from backend.domain.execution import TaskContext
from backend.domain.generation import Artifact
from backend.domain.task import Task
from backend.generate import media
from backend.generate.download import Download, LinkExpired, fetch
from backend.generate.media import MediaFacts
from backend.generate.provider import GenerateTools
from backend.generate.remote import RemoteTraits
from backend.store.artifacts import ArtifactStore

SUFFIXES = {
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
}
# Films often begin in black.
_POSTER_AT_S = 1.0


class OutputKeeper:
    """Turns a result's link into an artifact; what an earlier attempt kept is not fetched again."""

    def __init__(
        self, context: TaskContext, tools: GenerateTools, traits: RemoteTraits, *, own_origin: str | None
    ) -> None:
        self._context = context
        self._tools = tools
        self._traits = traits
        self._own_origin = own_origin

    async def keep(self, url: str, index: int) -> Artifact | None:
        """Return the artifact of the result at `url`; None when the link has expired.

        Raises TaskFailedError: the error names of the gate, HTTP_STATUS, CONTENT_TYPE, PARSE_FAILED, DISK_FULL.
        """
        context = self._context
        artifacts = context.reach(self._tools.artifacts)
        stem = self._traits.media if index == 0 else f"{self._traits.media}_{index + 1}"
        kept = _output_named(stem, await artifacts.of_task(context.task.task_id))
        if kept is not None:
            return kept
        async with artifacts.part(".bin") as part:
            with context.hold("files"):
                download = Download(
                    *(self._tools.gate, url, part),
                    title=self._traits.title,
                    media=self._traits.media,
                    own_origin=self._own_origin,
                )
                fetched = await fetch(context, download, pause_s=self._traits.poll_s)
                return None if isinstance(fetched, LinkExpired) else await self._adopt(part, stem)

    async def stored(self, context: TaskContext) -> int:
        """Return how many outputs of the task are stored."""
        return await stored_outputs(context.reach(self._tools.artifacts), context.task)

    async def _adopt(self, part: Path, stem: str) -> Artifact:
        with self._context.hold("children"):
            facts = await media.probe(self._context.reach(self._tools.children), part)
        poster_at_s = min(_POSTER_AT_S, (facts.duration_s or 0.0) / 2)
        return await adopt_output(self._context, self._tools, part, facts, stem=stem, poster_at_s=poster_at_s)


async def adopt_output(
    context: TaskContext, tools: GenerateTools, file: Path, facts: MediaFacts, *, stem: str, poster_at_s: float
) -> Artifact:
    """Take `file` over as an output named `stem`; a video gets the frame at `poster_at_s` as its poster.

    Raises TaskFailedError: PARSE_FAILED when no frame can be had, DISK_FULL.
    """
    artifacts = context.reach(tools.artifacts)
    poster_id = None
    if facts.media_type.startswith("video/"):
        poster_id = await _adopt_poster(context, tools, file, stem=stem, at_s=poster_at_s)
    context.check()
    return await artifacts.adopt(
        context.lease,
        file,
        task_id=context.task.task_id,
        name=stem + SUFFIXES[facts.media_type],
        role="output",
        media_type=facts.media_type,
        width=facts.width,
        height=facts.height,
        duration_s=facts.duration_s,
        fps=facts.fps,
        poster_id=poster_id,
    )


async def _adopt_poster(
    context: TaskContext, tools: GenerateTools, video: Path, *, stem: str, at_s: float
) -> str | None:
    artifacts, children = context.reach(tools.artifacts), context.reach(tools.children)
    context.check()
    async with artifacts.part(".jpg") as part:
        with context.hold("children"):
            if not await media.poster(children, video, part, at_s=at_s):
                return None
            facts = await media.probe(children, part)
        context.check()
        artifact = await artifacts.adopt(
            context.lease,
            part,
            task_id=context.task.task_id,
            name=f"{stem}.jpg",
            role="poster",
            media_type=facts.media_type,
            width=facts.width,
            height=facts.height,
        )
        return artifact.artifact_id


async def stored_outputs(artifacts: ArtifactStore, task: Task) -> int:
    """Return how many outputs of the task are stored: the truth its books are counted from."""
    return count_outputs(await artifacts.of_task(task.task_id))


def count_outputs(artifacts: Iterable[Artifact]) -> int:
    """Return how many of a task's files are outputs."""
    return sum(one.role == "output" for one in artifacts)


def _output_named(stem: str, artifacts: list[Artifact]) -> Artifact | None:
    return next((one for one in artifacts if one.role == "output" and Path(one.name).stem == stem), None)
