import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.secrets import KEY_FILE
from backend.domain.errors import BackupError, SchemaError
from backend.services.backup_archive import MAX_CHUNK_BYTES, ArchiveWriter
from backend.services.backup_restore import RestoreService
from backend.services.backup_service import BackupReport, BackupService
from backend.store.backup_documents import BackupDocuments
from backend.store.schema import Schema
from tests.fixtures import first_release

ROOT = Path(__file__).resolve().parents[2]
PICTURE = b"\x89PNG" + bytes(range(256)) * 40
SHA256 = hashlib.sha256(PICTURE).hexdigest()
Documents = dict[str, list[dict[str, Any]]]


@pytest.fixture
def other(mongo_url: str, clock: Clock, io_loop: tornado.ioloop.IOLoop) -> Iterator[Database]:
    """A second, empty database: where a backup is restored."""
    made = Database(mongo_url, f"test_{uuid.uuid4().hex[:12]}", clock=clock)
    io_loop.run_sync(made.connect)
    yield made

    async def drop_and_close() -> None:
        await made.do(made.collection("any").database.client.drop_database(made.name))
        await made.close()

    io_loop.run_sync(drop_and_close)


def backup_of(database: Database, clock: Clock, data_dir: Path) -> BackupService:
    schema = Schema(database, clock=clock, by="0.9.0")
    return BackupService(BackupDocuments(database), schema, data_dir=data_dir, clock=clock, by="0.9.0")


def restore_to(database: Database, clock: Clock, data_dir: Path) -> RestoreService:
    schema = Schema(database, clock=clock, by="0.9.0")
    return RestoreService(BackupDocuments(database), schema, data_dir=data_dir, clock=clock)


async def made(database: Database, clock: Clock, folder: Path, **more: bool) -> tuple[Path, BackupReport]:
    """Back up what release 0.1.0 wrote, with a sealed account and a picture, into `folder`/b.tar."""
    await first_release.load(database)
    await Schema(database, clock=clock, by="0.9.0").open()
    account = {"_id": "acc_1", "sealed": b"\x01\x00sealed", "session_version": 2**40, "at": clock.now()}
    await database.do(database.collection("accounts").insert_one(account))
    rows = [{"_id": f"a_{number}", "task_id": "t", "sha256": SHA256} for number in range(2)]
    await database.do(database.collection("artifacts").insert_many([*rows, {"_id": "a_gone", "sha256": "0" * 64}]))
    file = folder / "from" / "artifacts" / "artifacts" / SHA256[:2] / SHA256[2:]
    file.parent.mkdir(parents=True)
    file.write_bytes(PICTURE)
    (folder / "from" / KEY_FILE).write_bytes(b"the key\n")
    report = await backup_of(database, clock, folder / "from").write(
        folder / "b.tar", with_files=more.get("with_files", True), with_key=more.get("with_key", True)
    )
    return folder / "b.tar", report


async def restored(service: RestoreService, path: Path, *, replace: bool = False, hold: bool = True) -> int:
    source, size = opened(path)
    contents = service.check(source, size)
    await service.refuse_if_in_the_way(contents, replace=replace)
    return await service.restore(source, size, contents, hold=hold)


def opened(path: Path) -> tuple[io.BytesIO, int]:
    body = path.read_bytes()
    return io.BytesIO(body), len(body)


async def all_of(database: Database) -> Documents:
    names = await BackupDocuments(database).collections()
    return {name: await database.do(database.collection(name).find().sort("_id", 1).to_list(None)) for name in names}


def archive(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out, made_at_s=0)
    for name, body in members:
        writer.add(name, body)
    writer.end()
    return out.getvalue()


HEAD = ("backup.json", json.dumps({"format": 1, "version": "0.9.0", "made_at": "", "schema": {"tasks": 2}}).encode())
EMPTY = ("manifest.json", json.dumps({"collections": {}, "files": {"count": 0, "size_bytes": 0}}).encode())


HALF_A_TASK = b'{"_id": "t_1", "status": "running"}\n'


def packed(lines: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(lines) + packer.flush()


def link() -> bytes:
    out = io.BytesIO()
    info = tarfile.TarInfo("files/" + "a" * 64)
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    out.write(archive(HEAD)[:-1024])
    out.write(info.tobuf(tarfile.GNU_FORMAT))
    return out.getvalue() + archive(EMPTY)


def forged_schema() -> bytes:
    lines = b'{"_id": "_lock", "holder": "x"}\n'
    sums = {"documents": 1, "sha256": hashlib.sha256(lines).hexdigest()}
    manifest = {"collections": {"schema": sums}, "files": {"count": 0, "size_bytes": 0}}
    return archive(
        HEAD, ("data/schema/000000.jsonl.gz", packed(lines)), ("manifest.json", json.dumps(manifest).encode())
    )


def endless() -> bytes:
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(1_000_000)
    bomb = b"".join(packer.compress(zeros) for _ in range(MAX_CHUNK_BYTES // len(zeros) + 1)) + packer.flush()
    return archive(HEAD, ("data/tasks/000000.jsonl.gz", bomb), EMPTY)


async def test_backup_is_restored_document_by_document(
    database: Database, other: Database, clock: Clock, tmp_path: Path
) -> None:
    path, report = await made(database, clock, tmp_path)

    await restored(restore_to(other, clock, tmp_path / "to"), path, hold=False)

    assert await all_of(other) == await all_of(database)
    assert (report.documents["tasks"], report.files, report.files_missing, report.running) == (5, 1, 1, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_restored_data_is_opened_as_of_its_version(
    database: Database, other: Database, clock: Clock, tmp_path: Path
) -> None:
    path, _ = await made(database, clock, tmp_path)

    await restored(restore_to(other, clock, tmp_path / "to"), path)

    schema = Schema(other, clock=clock, by="0.9.0")
    assert (await schema.versions())["tasks"].version == 2
    assert await schema.open() == 0


async def test_unfinished_tasks_are_held_after_a_restore(
    database: Database, other: Database, clock: Clock, tmp_path: Path
) -> None:
    path, _ = await made(database, clock, tmp_path)

    held = await restored(restore_to(other, clock, tmp_path / "to"), path)

    task = await other.do(other.collection("tasks").find_one({"_id": first_release.RUNNING}))
    assert task is not None
    assert (held, task["status"], task["worker_id"], task["lease_until"], task["fence"]) == (1, "held", None, None, 2)
    assert (task["history"][-1]["reason"], task["attempt"]) == ("restored", 0)


async def test_files_and_key_come_back_where_they_belong(
    database: Database, other: Database, clock: Clock, tmp_path: Path
) -> None:
    path, _ = await made(database, clock, tmp_path)

    await restored(restore_to(other, clock, tmp_path / "to"), path)

    file = tmp_path / "to" / "artifacts" / "artifacts" / SHA256[:2] / SHA256[2:]
    assert file.read_bytes() == PICTURE
    assert (tmp_path / "to" / KEY_FILE).read_bytes() == b"the key\n"
    assert stat.S_IMODE((tmp_path / "to" / KEY_FILE).stat().st_mode) == 0o600
    assert [one.name for one in (tmp_path / "to").rglob("*") if one.suffix in {".part", ".new", ".lock"}] == []


async def test_key_and_files_are_inside_only_when_asked_for(database: Database, clock: Clock, tmp_path: Path) -> None:
    path, report = await made(database, clock, tmp_path, with_files=False, with_key=False)

    with tarfile.open(path) as plain:
        names = plain.getnames()

    assert not report.has_key
    assert [name for name in names if name.startswith(("files/", "secrets"))] == []
    assert names[0] == "backup.json"


async def test_file_that_exists_is_not_overwritten(database: Database, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(b"precious")

    with pytest.raises(BackupError, match="exists"):
        await made(database, clock, tmp_path)

    assert (tmp_path / "b.tar").read_bytes() == b"precious"


async def test_backup_that_fails_leaves_no_file(database: Database, clock: Clock, tmp_path: Path) -> None:
    def fail(_what: str, _number: int) -> None:
        raise OSError(28, "No space left on device")

    await first_release.load(database)

    with pytest.raises(OSError, match="No space"):
        await backup_of(database, clock, tmp_path).write(tmp_path / "b.tar", with_files=False, with_key=False, say=fail)

    assert not any(os.scandir(tmp_path))


async def test_restore_into_a_database_in_use_is_refused_without_replace(
    database: Database, other: Database, clock: Clock, tmp_path: Path
) -> None:
    path, _ = await made(database, clock, tmp_path)
    await other.do(other.collection("items").insert_one({"_id": "i_mine"}))

    with pytest.raises(BackupError, match="not empty"):
        await restored(restore_to(other, clock, tmp_path / "to"), path)

    assert await all_of(other) == {"items": [{"_id": "i_mine"}]}


async def test_replace_leaves_nothing_of_what_was_there_and_keeps_the_old_key(
    database: Database, other: Database, clock: Clock, tmp_path: Path
) -> None:
    path, _ = await made(database, clock, tmp_path)
    await other.do(other.collection("items").insert_one({"_id": "i_mine"}))
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / KEY_FILE).write_bytes(b"another\n")

    await restored(restore_to(other, clock, tmp_path / "to"), path, replace=True, hold=False)

    assert await all_of(other) == await all_of(database)
    assert [one.read_bytes() for one in (tmp_path / "to").glob(f"{KEY_FILE}.before-restore-*")] == [b"another\n"]


async def test_restore_cut_half_way_is_told_by_the_next_start_and_mended_by_another(
    database: Database, other: Database, clock: Clock, tmp_path: Path
) -> None:
    path, _ = await made(database, clock, tmp_path)
    service, schema = restore_to(other, clock, tmp_path / "to"), Schema(other, clock=clock, by="0.9.0")

    def cut(_what: str, _number: int) -> None:
        raise KeyboardInterrupt

    source, size = opened(path)
    contents = service.check(source, size)
    with pytest.raises(KeyboardInterrupt):
        await service.restore(source, size, contents, say=cut)
    with pytest.raises(SchemaError, match="cut half-way"):
        await schema.open()
    await restored(service, path, replace=True, hold=False)

    assert await schema.open() == 0
    assert await all_of(other) == await all_of(database)


async def test_backup_cut_anywhere_or_with_a_flipped_bit_is_refused(
    database: Database, other: Database, clock: Clock, tmp_path: Path
) -> None:
    path, _ = await made(database, clock, tmp_path)
    whole, service = path.read_bytes(), restore_to(other, clock, tmp_path / "to")

    for end in range(0, len(whole) - 1024, 1_009):
        with pytest.raises(BackupError):
            service.check(io.BytesIO(whole[:end]), end)
    with tarfile.open(path) as plain:
        bodies = [(one.offset_data, one.size) for one in plain.getmembers() if one.name.startswith(("data/", "files/"))]
    for start, size in bodies:
        spoilt = bytearray(whole)
        spoilt[start + size // 2] ^= 1
        with pytest.raises(BackupError):
            service.check(io.BytesIO(spoilt), len(spoilt))

    assert await all_of(other) == {}


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("NOT_A_BACKUP", lambda: b""),
        ("NOT_A_BACKUP", lambda: b"PK\x03\x04" + bytes(2_000)),
        ("NOT_A_BACKUP", lambda: archive(("manifest.json", b"{}"))),
        ("NOT_A_BACKUP", lambda: archive(("backup.json", b'{"schema": []}'), EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(("backup.json", b"[" * 100_000), EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("../../etc/passwd", b"x"), EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("/etc/passwd", b"x"), EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("files/../x", b"x"), EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("files/" + "a" * 64, b"not that"), EMPTY)),
        ("BACKUP_DAMAGED", link),
        ("BACKUP_DAMAGED", endless),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, HEAD, EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("data/tasks/000001.jsonl.gz", packed(b"{}\n")), EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("data/tasks/000000.jsonl.gz", packed(b'{"_id": 1}\n')), EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("data/tasks/000000.jsonl.gz", packed(b"[1]\n")), EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("data/tasks/000000.jsonl.gz", packed(b'{"a": 1}\n')), EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("data/tasks/000000.jsonl.gz", packed(b"[" * 9_000)), EMPTY)),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("data/tasks/000000.jsonl.gz", packed(HALF_A_TASK)), EMPTY)),
        ("BACKUP_DAMAGED", forged_schema),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("manifest.json", b'{"collections": [], "files": {}}'))),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("manifest.json", b'{"collections": {"a": 1}, "files": {}}'))),
        ("BACKUP_DAMAGED", lambda: archive(HEAD, ("manifest.json", b'{"collections": {}, "files": 1}'))),
        ("BACKUP_CUT", lambda: archive(HEAD)),
    ],
)
async def test_hostile_file_is_refused_by_name(
    other: Database, clock: Clock, tmp_path: Path, reason: str, body: Callable[[], bytes]
) -> None:
    spoilt = body()

    with pytest.raises(BackupError) as raised:
        restore_to(other, clock, tmp_path).check(io.BytesIO(spoilt), len(spoilt))

    assert raised.value.reason == reason


async def test_backup_of_newer_data_is_refused(other: Database, clock: Clock, tmp_path: Path) -> None:
    head = json.dumps({"format": 1, "version": "7.0.0", "made_at": "", "schema": {"tasks": 99}}).encode()
    newer = archive(("backup.json", head), EMPTY)

    with pytest.raises(SchemaError, match=r"tasks 99 > 2; by 7\.0\.0"):
        restore_to(other, clock, tmp_path).check(io.BytesIO(newer), len(newer))


@pytest.mark.slow
async def test_commands_back_up_and_restore(
    database: Database, other: Database, mongo_url: str, tmp_path: Path, io_loop: tornado.ioloop.IOLoop
) -> None:
    await first_release.load(database)

    def command(name: str, *more: str) -> "subprocess.CompletedProcess[str]":
        own = {"MONGODB_URL": mongo_url, "MONGODB_DATABASE": name, "DATA_DIR": str(tmp_path / "data")}
        return subprocess.run(
            [sys.executable, "-m", "backend.cli", *more],
            cwd=ROOT,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    file = str(tmp_path / "b.tar")
    saved = await io_loop.run_in_executor(None, command, database.name, "backup", file)
    brought = await io_loop.run_in_executor(None, command, other.name, "restore", file, "--resume")
    again = await io_loop.run_in_executor(None, command, other.name, "restore", file, "--replace")

    assert saved.returncode == brought.returncode == 0, saved.stderr + brought.stderr
    assert "5 tasks" in saved.stdout
    assert "secrets.key" in saved.stdout
    assert (again.returncode, "nothing was changed" in again.stderr) == (1, True)
    assert await all_of(other) == await all_of(database)
