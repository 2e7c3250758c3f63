"""Restores a backup: all of the file is read and judged first, and only then is anything written.

From the first write to the last a note in the database says that it is not whole, and no server starts on it: a restore
that was killed is begun again with `replace`. Tasks come last; what was to run or running is held.
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from backend.core.clock import Clock
from backend.core.secrets import KEY_FILE
from backend.domain.errors import BackupError
from backend.domain.text import Text
from backend.services.backup_archive import FORMAT, HEAD, KEY, MANIFEST, ArchiveReader, Member, damaged, not_a_backup
from backend.services.backup_service import Say, Sums
from backend.store.artifact_files import ArtifactFiles
from backend.store.backup_documents import BackupDocuments, on_hold, read_lines
from backend.store.migrations import FIRST_VERSION
from backend.store.schema import COLLECTIONS, SCHEMA, CollectionVersion, Schema


@dataclass(frozen=True, slots=True)
class Contents:
    """What a whole and undamaged backup holds. `versions` is by collection."""

    made_by: str
    made_at: str
    versions: Mapping[str, int]
    documents: Mapping[str, int]
    files: int
    key: bytes | None = field(repr=False)


class RestoreService:
    """Reads backups into one installation: its database, and DATA_DIR."""

    def __init__(self, documents: BackupDocuments, schema: Schema, *, data_dir: Path, clock: Clock) -> None:
        self._documents = documents
        self._schema = schema
        self._data_dir = data_dir
        self._clock = clock

    def check(self, source: BinaryIO, size: int, *, say: Say = lambda _what, _n: None) -> Contents:
        """Read all of a backup and believe none of it; return what is in it. Nothing is written.

        Raises BackupError NOT_A_BACKUP, BACKUP_CUT, BACKUP_DAMAGED, BACKUP_NEWER.
        """
        reader = ArchiveReader(source, size)
        judge = _Judge(reader, self._schema, say)
        for member in reader.members():
            judge.see(member)
        return judge.contents()

    async def refuse_if_in_the_way(self, contents: Contents, *, replace: bool) -> None:
        """Raise BackupError NOT_EMPTY or KEY_DIFFERS when something here would be lost and `replace` is not asked."""
        if replace:
            return
        if await self._schema.is_half_restored() or not await self._documents.is_empty():
            raise BackupError("NOT_EMPTY", _NOT_EMPTY, advice=_NOT_EMPTY_ADVICE)
        if contents.key is not None and self._own_key() not in (None, contents.key):
            raise BackupError("KEY_DIFFERS", _KEY_DIFFERS, advice=_NOT_EMPTY_ADVICE)

    async def restore(
        self, source: BinaryIO, size: int, contents: Contents, *, hold: bool = True, say: Say = lambda _what, _n: None
    ) -> int:
        """Put everything in the place of what is there; return how many tasks were held. `check` it before.

        Files and key first, tasks last. Raises BackupError, StoreUnavailableError, OSError: then the database is not
        whole, says so to the next start, and the restore is to be run again with --replace.
        """
        await self._schema.begin_restore()
        await self._documents.clear()
        if contents.key is not None:
            self._put_key(contents.key)
        reader, held = ArchiveReader(source, size), 0
        for is_last in (False, True):
            for member in reader.members():
                if member.sha256 is not None and not is_last:
                    await self._put_file(reader, member)
                elif member.collection is not None and (member.collection == "tasks") is is_last:
                    held += await self._put_documents(reader, member, hold=hold and is_last)
                    say(member.collection, member.number)
        versions = {name: contents.versions.get(name, FIRST_VERSION) for name in COLLECTIONS}
        await self._schema.end_restore(versions)
        return held

    async def _put_documents(self, reader: ArchiveReader, member: Member, *, hold: bool) -> int:
        collection = member.collection or ""
        rows = read_lines(collection, reader.documents(member))
        stored = [on_hold(row, now=self._clock.now()) for row in rows] if hold else rows
        await self._documents.insert(collection, stored)
        return sum(after is not before for before, after in zip(rows, stored, strict=True))

    async def _put_file(self, reader: ArchiveReader, member: Member) -> None:
        files = ArtifactFiles(self._data_dir / "artifacts")
        try:
            with files.part(".bin") as part:
                _write(part, reader, member)
                sha256, _ = await files.seal(part)
                if sha256 != member.sha256:
                    raise damaged(member.name)
                await files.place(part, sha256, at=self._clock.now())
        finally:
            files.close()

    def _own_key(self) -> bytes | None:
        try:
            return (self._data_dir / KEY_FILE).read_bytes()
        except FileNotFoundError:
            return None

    def _put_key(self, key: bytes) -> None:
        """Put the backup's key in its place; another one that is there is kept beside it."""
        path = self._data_dir / KEY_FILE
        if self._own_key() == key:
            return
        self._data_dir.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{KEY_FILE}.{secrets.token_hex(4)}.new")
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(key)
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileNotFoundError):
            path.replace(path.with_name(f"{KEY_FILE}.before-restore-{self._clock.now():%Y%m%dT%H%M%S}"))
        made.replace(path)


class _Judge:
    """Sees every member once, in order, and says at the end whether they are what the manifest says."""

    def __init__(self, reader: ArchiveReader, schema: Schema, say: Say) -> None:
        self._reader = reader
        self._schema = schema
        self._say = say
        self._head: dict[str, Any] = {}
        self._manifest: dict[str, Any] = {}
        self._key: bytes | None = None
        self._sums: dict[str, Sums] = {}
        self._next: dict[str, int] = {}
        self._files = self._files_bytes = 0

    def see(self, member: Member) -> None:
        """Judge one member. Raises BackupError."""
        if member.name == HEAD:
            self._read_head(member)
        elif member.name == MANIFEST:
            self._manifest = self._note(member)
        elif member.name == KEY:
            self._key = self._reader.note(member)
        elif member.sha256 is not None:
            self._see_file(member)
        else:
            self._see_documents(member)

    def contents(self) -> Contents:
        """Return what was seen. Raises BackupError when it is not what the manifest says."""
        found = {name: one.shown() for name, one in self._sums.items()}
        collections, files = self._manifest.get("collections"), self._manifest.get("files")
        if not (isinstance(collections, dict) and isinstance(files, dict)):
            raise damaged(MANIFEST)
        said = {name: one for name, one in collections.items() if one != Sums().shown()}
        if found != said or (files.get("count"), files.get("size_bytes")) != (self._files, self._files_bytes):
            raise damaged(MANIFEST)
        documents = {name: one.documents for name, one in self._sums.items()}
        made_by, made_at = str(self._head.get("version")), str(self._head.get("made_at"))
        return Contents(made_by, made_at, self._head["schema"], documents, self._files, self._key)

    def _read_head(self, member: Member) -> None:
        if self._head:
            raise damaged(HEAD)
        self._head = self._note(member)
        versions = self._head.get("schema")
        if not isinstance(versions, dict) or not all(type(one) is int for one in versions.values()):
            raise not_a_backup()
        if self._head.get("format") != FORMAT:
            raise BackupError("BACKUP_NEWER", _newer(str(self._head.get("version"))))
        by = str(self._head.get("version"))
        self._schema.refuse_newer({name: CollectionVersion(name, one, None, by) for name, one in versions.items()})

    def _see_documents(self, member: Member) -> None:
        name = member.collection or ""
        # Of what shape the data is, is said by the head, and judged there.
        if member.number != self._next.get(name, 0) or name == SCHEMA:
            raise damaged(member.name)
        self._next[name] = member.number + 1
        lines = self._reader.documents(member)
        sums = self._sums.setdefault(name, Sums())
        sums.digest.update(lines)
        sums.documents += len(read_lines(name, lines))
        self._say(name, sums.documents)

    def _see_file(self, member: Member) -> None:
        digest = hashlib.sha256()
        for piece in self._reader.pieces(member):
            digest.update(piece)
        if digest.hexdigest() != member.sha256:
            raise damaged(member.name)
        self._files += 1
        self._files_bytes += member.size

    def _note(self, member: Member) -> dict[str, Any]:
        try:
            found = json.loads(self._reader.note(member))
        except (ValueError, RecursionError):
            raise damaged(member.name) from None
        if not isinstance(found, dict):
            raise damaged(member.name)
        return found


def _write(part: Path, reader: ArchiveReader, member: Member) -> None:
    with part.open("wb") as out:
        for piece in reader.pieces(member):
            out.write(piece)


def _newer(by: str) -> Text:
    return Text(
        f"备份由更新的版本 ({by}) 写入，请用那个版本恢复",
        f"a newer version ({by}) made this backup: restore it with that",
    )


_NOT_EMPTY = Text(
    "数据库不是空的，恢复会覆盖现有数据", "The database is not empty; a restore would replace what is there"
)
_NOT_EMPTY_ADVICE = Text("先备份，再加上 --replace", "Make a backup first, then add --replace")
_KEY_DIFFERS = Text(
    "备份里的 secrets.key 与 DATA_DIR 里的不同", "The secrets.key of the backup is not the one in DATA_DIR"
)
