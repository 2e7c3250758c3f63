"""Makes one file of all data, while the server runs or not, and restores it into an empty database.

What a backup made under load is: every document as it was at one moment between begin and end, each collection read
once, tasks first. A task that had ended by then is whole, with all its results; one that was running goes on from
about there (a crawl may miss links that were found meanwhile). Nothing is locked, nothing waits.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from backend.core.clock import Clock
from backend.core.secrets import KEY_FILE
from backend.domain.errors import BackupError
from backend.domain.text import Text
from backend.services.backup_archive import CHUNK_BYTES, FORMAT, HEAD, KEY, MANIFEST, ArchiveWriter
from backend.store.artifact_files import ArtifactFiles
from backend.store.backup_documents import BackupDocuments
from backend.store.schema import Schema

Say = Callable[[str, int], None]


@dataclass(slots=True)
class Sums:
    """What the manifest says of a collection: documents, and the SHA-256 of all its lines."""

    documents: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def shown(self) -> dict[str, Any]:
        """Return it as the manifest has it."""
        return {"documents": self.documents, "sha256": self.digest.hexdigest()}


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What is in the file. `files_missing`: named by artifacts and not on this machine's disk."""

    documents: Mapping[str, int]
    files: int
    files_bytes: int
    files_missing: int
    has_key: bool
    size_bytes: int
    running: int


class BackupService:
    """Writes backups of one installation: its database, and what is in DATA_DIR."""

    def __init__(self, documents: BackupDocuments, schema: Schema, *, data_dir: Path, clock: Clock, by: str) -> None:
        self._documents = documents
        self._schema = schema
        self._data_dir = data_dir
        self._clock = clock
        self._by = by

    async def write(
        self, path: Path, *, with_files: bool, with_key: bool, say: Say = lambda _what, _n: None
    ) -> BackupReport:
        """Write the backup beside `path` as `*.part`, force it to the disk, then give it its name.

        A kill leaves the part, never half a backup under the name. Raises BackupError FILE_EXISTS (a file is never
        overwritten), SchemaError when the data is newer than this program, StoreUnavailableError, OSError.
        """
        _refuse_taken(path)
        versions = await self._schema.versions()
        self._schema.refuse_newer(versions)
        running = await self._documents.count_unfinished()
        now = self._clock.now()
        with _part_of(path) as out:
            writer = ArchiveWriter(out, made_at_s=int(now.timestamp()))
            head = {
                **{"format": FORMAT, "product": "mediacrawer-pro", "version": self._by, "made_at": now.isoformat()},
                "schema": {name: row.version for name, row in versions.items()},
            }
            writer.add(HEAD, _json(head))
            sums = {name: await self._add_collection(writer, name, say) for name in await self._documents.collections()}
            files = await self._add_files(writer, say) if with_files else _Files()
            has_key = with_key and self._add_key(writer)
            manifest = {"collections": {name: one.shown() for name, one in sums.items()}, "files": asdict(files)}
            writer.add(MANIFEST, _json(manifest))
            writer.end()
        counts = {name: one.documents for name, one in sums.items()}
        return BackupReport(counts, files.count, files.size_bytes, files.missing, has_key, _size_of(path), running)

    async def _add_collection(self, writer: ArchiveWriter, name: str, say: Say) -> Sums:
        sums, chunk = Sums(), bytearray()
        async for lines in self._documents.lines(name):
            for line in lines:
                # One document alone may be larger than a chunk: then it is a chunk of its own.
                if chunk and len(chunk) + len(line) > CHUNK_BYTES:
                    writer.add_documents(name, bytes(chunk))
                    chunk.clear()
                chunk += line
                sums.documents += 1
                sums.digest.update(line)
            say(name, sums.documents)
        if chunk:
            writer.add_documents(name, bytes(chunk))
        return sums

    async def _add_files(self, writer: ArchiveWriter, say: Say) -> "_Files":
        found, files = _Files(), ArtifactFiles(self._data_dir / "artifacts")
        async for sha256 in _without_repeats(self._documents.contents()):
            try:
                file = files.path_of(sha256).open("rb")
            except FileNotFoundError:
                # Purged since its record was read, or on another server.
                found.missing += 1
                continue
            with file:
                size = os.fstat(file.fileno()).st_size
                writer.add_file(sha256, file, size)
            found.count += 1
            found.size_bytes += size
            say("files", found.count)
        return found

    def _add_key(self, writer: ArchiveWriter) -> bool:
        try:
            writer.add(KEY, (self._data_dir / KEY_FILE).read_bytes())
        except FileNotFoundError:
            return False
        return True


@dataclass(slots=True)
class _Files:
    count: int = 0
    size_bytes: int = 0
    missing: int = 0


async def _without_repeats(batches: AsyncIterator[list[str]]) -> AsyncIterator[str]:
    last = ""
    async for hashes in batches:
        for one in hashes:
            if one != last:
                yield one
            last = one


def _refuse_taken(path: Path) -> None:
    if path.exists():
        raise BackupError("FILE_EXISTS", Text(f"文件已存在: {path}", f"The file exists: {path}"))


def _size_of(path: Path) -> int:
    return path.stat().st_size


@contextlib.contextmanager
def _part_of(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to: it becomes `path` when all went well, and goes when it did not. 0600: it has secrets."""
    part = path.with_name(f"{path.name}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(fd, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
