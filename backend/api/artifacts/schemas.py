"""The shape of an artifact."""

from typing import Literal

from typing_extensions import TypedDict

from backend.domain.generation import Artifact

ARTIFACTS_PATH = "/api/v1/artifacts"


class ArtifactOut(TypedDict):
    """A file of a task."""

    artifact_id: str
    task_id: str
    name: str
    role: Literal["output", "poster", "media", "screenshot"]
    media_type: str
    size_bytes: int
    sha256: str
    width: int | None
    height: int | None
    duration_s: float | None
    fps: float | None
    url: str
    poster_url: str | None


class ArtifactList(TypedDict):
    """All files of a task."""

    items: list[ArtifactOut]
    next_cursor: str | None


def artifact_out(one: Artifact) -> ArtifactOut:
    """Return an artifact as it is shown."""
    return {
        "artifact_id": one.artifact_id,
        "task_id": one.task_id,
        "name": one.name,
        "role": one.role,  # type: ignore[typeddict-item] # the store keeps no other words
        "media_type": one.media_type,
        "size_bytes": one.size_bytes,
        "sha256": one.sha256,
        "width": one.width,
        "height": one.height,
        "duration_s": one.duration_s,
        "fps": one.fps,
        "url": f"{ARTIFACTS_PATH}/{one.artifact_id}",
        "poster_url": None if one.poster_id is None else f"{ARTIFACTS_PATH}/{one.poster_id}",
    }
