"""Artifacts: the files of tasks, kept by content, each with a record in MongoDB."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.threads import in_thread
from backend.domain.generation import Artifact
from backend.domain.task import Lease
from backend.store.artifact_files import ArtifactFiles, full_disk_named

Document = dict[str, Any]
ROLES = frozenset({"output", "poster", "media", "screenshot"})
_MADE_ONCE = frozenset({"output", "poster"})
_SPARE = timedelta(hours=1)
_MAX_PER_TASK = 10_000
_MAX_NAME_CHARS = 120


class ArtifactStore:
    """Collection `artifacts`, and the files under `root`.

    A document has the fields of `domain.generation.Artifact`, `_id` for artifact_id, and the `fence` of its writer.
    Indexes: of a task {task_id, created_at, _id} · who names a file {sha256}.
    """

    def __init__(self, database: Database, root: Path, clock: Clock) -> None:
        self._db = database
        self._files = ArtifactFiles(root)
        self._clock = clock
        self._next_prefix = 0

    async def ensure_indexes(self) -> None:
        """Make the indexes that are missing."""
        artifacts = self._db.collection("artifacts")
        await self._db.do(
            artifacts.create_index([("task_id", ASCENDING), ("created_at", ASCENDING), ("_id", ASCENDING)])
        )
        await self._db.do(artifacts.create_index([("sha256", ASCENDING)]))

    async def close(self) -> None:
        """Give up the folder of unfinished files; call it after every task has ended."""
        self._files.close()

    # -- unfinished files ----------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def part(self, suffix: str) -> AsyncIterator[Path]:
        """Give a path to write an unfinished file to (`suffix`: .mp4); `adopt` it, or it is removed at the exit.

        Nothing is awaited at the exit, so no second cancel can cut the removal short. A full disk met inside becomes
        TaskFailedError DISK_FULL.
        """
        with self._files.part(suffix) as path:
            yield path

    @contextlib.asynccontextmanager
    async def work_folder(self) -> AsyncIterator[Path]:
        """Give an empty folder for intermediate files; it is removed with all it holds at the exit.

        What a kill -9 leaves goes with `sweep_parts` of the next start.
        """
        with self._files.work_folder() as path:
            yield path

    def part_files(self) -> int:
        """Return how many unfinished files of this process exist now, for /system."""
        return self._files.part_count()

    async def sweep_parts(self) -> int:
        """Remove what processes that are gone left unfinished; return how many files. Called at start."""
        return await in_thread(self._files.sweep_parts)

    # -- artifacts -----------------------------------------------------------------------------------------------

    async def adopt(
        self,
        lease: Lease,
        part_path: Path,
        *,
        task_id: str,
        name: str,
        role: str,
        media_type: str,
        width: int | None = None,
        height: int | None = None,
        duration_s: float | None = None,
        fps: float | None = None,
        poster_id: str | None = None,
    ) -> Artifact:
        """Take over a finished part: hash it, force it to the disk, rename it, then write its record.

        The id follows from task, role, name and content: a resumed task stores nothing twice. Cancelled while it
        hashes, nothing is stored; from the rename on it is stored whole, whatever is cancelled.
        Raises TaskFailedError DISK_FULL, StoreUnavailableError.
        """
        if role not in ROLES:
            raise ValueError(f"not a role: {role!r}")
        with full_disk_named():
            sha256, size_bytes = await self._files.seal(part_path)
            name = _plain_name(name)
            document = {
                **{"_id": _id_of(task_id, role, name, sha256), "task_id": task_id, "name": name, "role": role},
                **{"media_type": media_type, "size_bytes": size_bytes, "sha256": sha256},
                **{"width": width, "height": height, "duration_s": duration_s, "fps": fps, "poster_id": poster_id},
            }
            return await self._db.do(self._commit(part_path, document, lease.fence))

    async def get(self, artifact_id: str) -> Artifact | None:
        """Return the artifact, or None."""
        document = await self._db.do(self._db.collection("artifacts").find_one({"_id": artifact_id}))
        return None if document is None else _artifact_of(document)

    async def of_task(self, task_id: str) -> list[Artifact]:
        """Return a task's artifacts, oldest first.

        Of outputs and posters of one name only the writes of the highest fence count: a run that had lost its lease
        may have left another.
        """
        cursor = self._db.collection("artifacts").find({"task_id": task_id}).sort([("created_at", 1), ("_id", 1)])
        documents = await self._db.do(cursor.to_list(_MAX_PER_TASK))
        return [_artifact_of(one) for one in _without_superseded(documents)]

    async def of_tasks(self, task_ids: Sequence[str]) -> Mapping[str, list[Artifact]]:
        """Return the artifacts of those of the tasks that have any, as `of_task` does, with one read."""
        cursor = self._db.collection("artifacts").find({"task_id": {"$in": list(task_ids)}})
        documents = await self._db.do(cursor.sort([("created_at", 1), ("_id", 1)]).to_list(None))
        by_task: dict[str, list[Document]] = {}
        for one in documents:
            by_task.setdefault(one["task_id"], []).append(one)
        return {key: [_artifact_of(one) for one in _without_superseded(some)] for key, some in by_task.items()}

    def path_of(self, artifact: Artifact) -> Path:
        """Return where its file is; the name a person gave plays no part in it."""
        return self._files.path_of(artifact.sha256)

    # -- removal -------------------------------------------------------------------------------------------------

    async def delete_of(self, task_id: str) -> int:
        """Remove a task's records, then the files nobody else names; return how many records went.

        A file linked within the hour stays until `sweep_files`: another task may be about to name it.
        """
        artifacts = self._db.collection("artifacts")
        hashes = await self._db.do(artifacts.distinct("sha256", {"task_id": task_id}))
        result = await self._db.do(artifacts.delete_many({"task_id": task_id}))
        await self._remove_unnamed(hashes)
        return result.deleted_count

    async def sweep_files(self) -> int:
        """Look through one 256th of the files and remove those nobody names; return how many. Call it now and then."""
        prefix = f"{self._next_prefix:02x}"
        self._next_prefix = (self._next_prefix + 1) % 256
        return await self._remove_unnamed(await in_thread(lambda: self._files.contents(prefix)))

    async def _commit(self, part: Path, document: Document, fence: int) -> Artifact:
        now = self._clock.now()
        await self._files.place(part, document["sha256"], at=now)
        update = {"$setOnInsert": {**_without_id(document), "created_at": now}, "$max": {"fence": fence}}
        try:
            stored = await self._upsert(document["_id"], update)
        except DuplicateKeyError:
            # Two upserts of one id at once: the other one has inserted it.
            stored = await self._upsert(document["_id"], update)
        return _artifact_of(stored)

    async def _upsert(self, artifact_id: str, update: Document) -> Document:
        artifacts = self._db.collection("artifacts")
        stored = await self._db.do(
            artifacts.find_one_and_update(
                {"_id": artifact_id}, update, upsert=True, return_document=ReturnDocument.AFTER
            )
        )
        return dict(stored)

    async def _remove_unnamed(self, hashes: Sequence[str]) -> int:
        if not hashes:
            return 0
        artifacts = self._db.collection("artifacts")
        named = set(await self._db.do(artifacts.distinct("sha256", {"sha256": {"$in": list(hashes)}})))
        unnamed = [one for one in hashes if one not in named]
        return await in_thread(lambda: sum(self._remove_old(one) for one in unnamed))

    def _remove_old(self, sha256: str) -> bool:
        linked_at = self._files.linked_at(sha256)
        if linked_at is None or self._clock.now() - linked_at < _SPARE:
            return False
        self._files.path_of(sha256).unlink(missing_ok=True)
        return True


def _id_of(task_id: str, role: str, name: str, sha256: str) -> str:
    return "a_" + hashlib.sha256("\n".join((task_id, role, name, sha256)).encode()).hexdigest()[:32]


def _plain_name(name: str) -> str:
    """Return a name for people: no folders, no control characters, not too long."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(one for one in last if one.isprintable()).strip(" .")
    return plain[-_MAX_NAME_CHARS:] or "file"


def _without_id(document: Mapping[str, Any]) -> Document:
    return {name: value for name, value in document.items() if name != "_id"}


def _without_superseded(documents: Sequence[Document]) -> list[Document]:
    newest: dict[tuple[str, str], int] = {}
    for one in documents:
        key = (one["role"], one["name"])
        newest[key] = max(newest.get(key, 0), one["fence"])
    # A crawl's pictures may share a name: only what a generation makes is made once.
    return [
        one for one in documents if one["role"] not in _MADE_ONCE or one["fence"] == newest[one["role"], one["name"]]
    ]


def _artifact_of(document: Mapping[str, Any]) -> Artifact:
    known = {one.name for one in fields(Artifact)}
    values = {name: value for name, value in document.items() if name in known}
    return Artifact(artifact_id=document["_id"], **values)
