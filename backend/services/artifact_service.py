"""The files of tasks: their records, and their bytes in bounded pieces read off the loop."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backend.core.threads import in_thread
from backend.domain.errors import NotFoundError
from backend.domain.generation import Artifact
from backend.domain.text import Text
from backend.store.artifacts import ArtifactStore

# One read of this size from a cold disk stays well under the 50 ms that `in_thread` asks for.
CHUNK_BYTES = 262_144

_ELSEWHERE = Text(
    "文件可能在生成它的另一台服务器上，请访问那台服务器，或让各服务器共享 DATA_DIR/artifacts",
    "It may lie on the server that made it: ask there, or let the servers share DATA_DIR/artifacts",
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An artifact whose file is there; `size_bytes` is the file's own."""

    artifact: Artifact
    path: Path
    size_bytes: int

    def chunks(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from `start` to before `end`, at most 256 KB at a time."""
        return file_chunks(self.path, start, end)


class ArtifactService:
    """Finds artifacts by task and by id."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def of_task(self, task_id: str) -> list[Artifact]:
        """Return the task's artifacts, oldest first."""
        return await self._artifacts.of_task(task_id)

    async def file(self, artifact_id: str) -> StoredFile:
        """Return the artifact with its file. Raises NotFoundError when either is missing.

        A file lies on the server that made it: others have it only when they share DATA_DIR/artifacts.
        """
        artifact = await self._artifacts.get(artifact_id)
        if artifact is None:
            raise no_such_file(artifact_id)
        path = self._artifacts.path_of(artifact)
        size_bytes = await in_thread(lambda: _size_of(path))
        if size_bytes is None:
            raise no_such_file(artifact_id, advice=_ELSEWHERE)
        return StoredFile(artifact, path, size_bytes)


async def file_chunks(path: Path, start: int, end: int) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file from `start` to before `end`, at most 256 KB at a time, read off the loop."""
    file = await in_thread(lambda: _open_at(path, start))
    try:
        left = end - start
        while left > 0 and (chunk := await in_thread(lambda: file.read(min(CHUNK_BYTES, left)))):  # noqa: B023
            left -= len(chunk)
            yield chunk
    finally:
        file.close()


def no_such_file(artifact_id: str, *, advice: Text | None = None) -> NotFoundError:
    """Return what is said of a file that is not there, or not there for this caller."""
    return NotFoundError(Text(f"文件不存在: {artifact_id}", f"No such file: {artifact_id}"), advice=advice)


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _open_at(path: Path, start: int) -> BinaryIO:
    file = path.open("rb")
    file.seek(start)
    return file
