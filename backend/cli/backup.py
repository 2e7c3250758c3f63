"""`mediacrawer backup` and `mediacrawer restore`."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer
from loguru import logger
from rich.console import Console

import backend
from backend.cli.db import embedded_uri
from backend.cli.opened import opened
from backend.cli.refusal import read_settings, refuse
from backend.core.server_file import ServerFile
from backend.core.settings import Settings
from backend.domain.errors import MediaCrawerError

if TYPE_CHECKING:
    from backend.services.backup_restore import Contents, RestoreService
    from backend.services.backup_service import BackupReport, BackupService

_TIMEOUT_S = 60.0
_FAILED = 1
_MB = 1_000_000

BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="备份文件 / the file, such as backup-20261122.tar")]
Replace = Annotated[bool, typer.Option("--replace", help="清空现有数据再恢复 / drop what is in the database first.")]
Yes = Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="未完成的任务恢复后照常执行 / let unfinished tasks run; they are held if not.")
]


@dataclass(frozen=True, slots=True)
class _Parts:
    backup: "BackupService"
    restore: "RestoreService"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    file: BackupFile,
    *,
    with_files: Annotated[bool, typer.Option("--with-files", help="连同图片和视频 / artifacts too.")] = False,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="连同 secrets.key：拿到文件的人能打开账号 / the key of the accounts too.")
    ] = False,
) -> None:
    """备份全部数据，不必停止服务器 / Back up all data, running or not."""

    async def work(parts: _Parts) -> None:
        with _progress() as say:
            report = await parts.backup.write(file.resolve(), with_files=with_files, with_key=with_key, say=say)
        _tell_backup(file, report, with_files=with_files, with_key=with_key)

    _run(work, is_exclusive=False)


def restore(
    file: BackupFile,
    *,
    replace: Replace = False,
    yes: Yes = False,
    resume: Resume = False,
) -> None:
    """从备份恢复到空数据库，先停止服务器 / Restore a backup into an empty database; stop the server first."""

    async def work(parts: _Parts) -> None:
        with _progress() as say:
            contents = parts.restore.check(source, size, say=say)
        _tell_contents(contents)
        await parts.restore.refuse_if_in_the_way(contents, replace=replace)
        if replace and not yes:
            _ask()
        with _progress() as say:
            held = await parts.restore.restore(source, size, contents, hold=not resume, say=say)
        print(f"✅ 已恢复 / restored: {sum(contents.documents.values())} documents, {contents.files} files")
        if held:
            print(f"⏸ {held} 个未完成的任务已暂停，请手动开始 / unfinished tasks are on hold: start them by hand")

    # Before any store is started.
    with _opened(file) as source:
        size = file.stat().st_size
        _run(work, is_exclusive=True)


def _run(work: Callable[[_Parts], Awaitable[None]], *, is_exclusive: bool) -> None:
    # It brings the driver; `--help` answers without.
    from backend.core.embedded import EmbeddedStoreError  # noqa: PLC0415

    settings = read_settings()
    if settings.stores == "memory":
        refuse("STORES=memory: 没有可备份的数据 / nothing is kept that could be backed up or restored")

    async def main() -> None:
        async with _opened_parts(settings, is_exclusive=is_exclusive) as parts:
            await work(parts)

    # What the command says is for a person; the log is the server's.
    logger.disable("backend")
    try:
        asyncio.run(main())
    except EmbeddedStoreError as error:
        refuse(error.message.both())
    except MediaCrawerError as error:
        advice = "" if error.advice is None else f"; {error.advice.both()}"
        refuse(f"{error.message.both()}{advice}", code=_FAILED)
    except OSError as error:
        refuse(f"{error.filename or ''}: {error.strerror or type(error).__name__}", code=_FAILED)
    finally:
        logger.enable("backend")


@asynccontextmanager
async def _opened_parts(settings: Settings, *, is_exclusive: bool) -> AsyncIterator[_Parts]:
    # They bring the driver; `--help` answers without.
    from backend.services.backup_restore import RestoreService  # noqa: PLC0415
    from backend.services.backup_service import BackupService  # noqa: PLC0415
    from backend.store.backup_documents import BackupDocuments  # noqa: PLC0415

    is_embedded_up = settings.mongodb_url is None and embedded_uri(settings.data_dir) is not None
    if is_exclusive and (is_embedded_up or ServerFile(settings.data_dir).running() is not None):
        refuse("服务器正在运行，请先停止 / the server is running: stop it first (mediacrawer stop)")
    async with opened(settings, timeout_s=_TIMEOUT_S) as data:
        documents, folder = BackupDocuments(data.database), settings.data_dir
        yield _Parts(
            BackupService(documents, data.schema, data_dir=folder, clock=data.clock, by=backend.__version__),
            RestoreService(documents, data.schema, data_dir=folder, clock=data.clock),
        )


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    """Give what shows how far it is: one line of a terminal, nothing elsewhere."""
    with Console(stderr=True).status("...") as status:
        yield lambda what, number: status.update(f"{what} {number}")


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        refuse(f"{file}: {error.strerror or type(error).__name__}", code=_FAILED)


def _ask() -> None:
    question = "现有数据将被删除，输入 yes 继续 / what is in the database will be dropped; type yes to go on"
    if not sys.stdin.isatty() or typer.prompt(question) != "yes":
        refuse("未作任何改动 / nothing was changed (add --yes to answer beforehand)", code=_FAILED)


def _tell_backup(file: Path, report: "BackupReport", *, with_files: bool, with_key: bool) -> None:
    print(f"✅ {file} ({report.size_bytes / _MB:.1f} MB): " + _counted(report.documents))
    if with_files:
        lost = f", {report.files_missing} 个不在本机 / not on this machine" if report.files_missing else ""
        print(f"   文件 / files: {report.files} ({report.files_bytes / _MB:.1f} MB){lost}")
    else:
        print("   不含图片和视频，加 --with-files 一并备份 / without artifacts: add --with-files for them")
    if report.has_key:
        print("   🔑 含 secrets.key，请妥善保管 / holds secrets.key: whoever has this file can open the accounts")
    elif with_key:
        print("   没有 secrets.key / there is no secrets.key")
    else:
        print(
            "   不含 secrets.key，账号需要它才能打开，请另外保存 / without secrets.key: keep it apart, accounts need it"
        )
    if report.running:
        print(f"   备份时 {report.running} 个任务正在运行 / tasks were running: they are inside as they were just then")


def _tell_contents(contents: "Contents") -> None:
    print(f"📦 {contents.made_at} v{contents.made_by}: {_counted(contents.documents)}, {contents.files} files")
    if contents.key is None and contents.documents.get("accounts"):
        print("   🔑 账号需要原来的 secrets.key / the accounts in it need the secrets.key of where it was made")


def _counted(documents: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in documents.items() if number) or "0"
