import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path

import psutil
import pymongo
import pytest

from backend.core.embedded import (
    DataDirInUseError,
    DataDirLock,
    EmbeddedMongo,
    EmbeddedStoreError,
    StoreStartError,
    managed,
    mongosh_line,
)
from tests.core.embedded.conftest import NewChildren

Client = pymongo.MongoClient[dict[str, object]]
AWKWARD_NAMES = ["with space", "数据-データ", "percent%20 #?&'\"@$+", "looks:like [a] host", "a,b"]
VERSION = 'if [ "$1" = --version ]; then echo db version v6.0.5; exit; fi'


async def file_appears(path: Path) -> None:
    async with asyncio.timeout(10):
        while not path.exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.001)


async def test_acknowledged_write_survives_kill_9(data_dir: Path) -> None:
    mongo = EmbeddedMongo(data_dir)
    uri = await mongo.start()
    assert mongo.pid is not None
    with Client(uri, journal=True) as client:
        client.test.items.insert_one({"_id": 1})
        os.kill(mongo.pid, 9)

        code = await mongo.wait_exit()
        restarted = await mongo.ensure_running()

        assert (code, restarted, mongo.uri) == (-9, True, uri)
        assert client.test.items.find_one() == {"_id": 1}
    await mongo.stop()


async def test_data_is_there_after_a_stop_and_a_start(data_dir: Path) -> None:
    for number in range(2):
        mongo = EmbeddedMongo(data_dir)
        with Client(await mongo.start()) as client:
            client.test.items.insert_one({"_id": number})
            count = client.test.items.count_documents({})
        await mongo.stop()

    assert count == 2


@pytest.mark.parametrize("name", AWKWARD_NAMES)
async def test_any_name_of_a_folder_will_do(data_dir: Path, name: str) -> None:
    mongo = EmbeddedMongo(data_dir / name)

    with Client(await mongo.start()) as client:
        assert client.admin.command("ping") == {"ok": 1.0}

    await mongo.stop()


async def test_path_too_long_for_a_socket_is_served_on_loopback(data_dir: Path) -> None:
    mongo = EmbeddedMongo(data_dir / ("x" * 120))

    with Client(await mongo.start()) as client:
        assert client.admin.command("ping") == {"ok": 1.0}
        assert mongo.pid is not None
        listening = {address.laddr.ip for address in psutil.Process(mongo.pid).net_connections("inet")}

    assert listening == {"127.0.0.1"}
    assert mongo.uri.startswith("mongodb://127.0.0.1:")
    await mongo.stop()


async def test_socket_is_for_our_user_alone_and_no_port_is_open(data_dir: Path) -> None:
    mongo = EmbeddedMongo(data_dir)
    await mongo.start()
    assert mongo.pid is not None

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (mongo.folder, mongo.folder / "mongod.sock")]
    connections = psutil.Process(mongo.pid).net_connections("all")

    assert modes == [0o700, 0o700]
    assert {str(one.laddr) for one in connections if one.laddr} == {str(mongo.folder / "mongod.sock")}
    await mongo.stop()


async def test_compressed_messages_are_off(data_dir: Path) -> None:
    mongo = EmbeddedMongo(data_dir)

    with Client(await mongo.start(), compressors="zlib") as client:
        assert "compression" not in client.admin.command("hello", compression=["zlib"])

    await mongo.stop()


async def test_disk_use_is_small(data_dir: Path) -> None:
    mongo = EmbeddedMongo(data_dir)
    await mongo.start()

    await mongo.stop()

    used_bytes = sum(path.stat().st_blocks * 512 for path in data_dir.rglob("*"))  # noqa: ASYNC240
    assert used_bytes < 40_000_000


async def test_second_owner_of_the_folder_is_refused_with_the_pid(data_dir: Path) -> None:
    first = EmbeddedMongo(data_dir)
    await first.start()

    with pytest.raises(DataDirInUseError) as caught:
        await EmbeddedMongo(data_dir, lock_wait_s=0).start()

    assert caught.value.pid == os.getpid()
    await first.stop()


async def test_stop_frees_the_lock_and_leaves_no_process(data_dir: Path, new_children: NewChildren) -> None:
    mongo = EmbeddedMongo(data_dir)
    await mongo.start()

    await mongo.stop()
    await mongo.stop()

    assert (mongo.pid, new_children()) == (None, [])
    lock = DataDirLock(mongo.folder)
    await lock.acquire(wait_s=0)
    lock.release()


async def test_cancelled_start_leaves_no_process_and_no_lock(data_dir: Path, new_children: NewChildren) -> None:
    mongo = EmbeddedMongo(data_dir)
    starting = asyncio.create_task(mongo.start())
    await file_appears(mongo.log_path)

    starting.cancel()
    await asyncio.wait({starting})

    assert starting.cancelled()
    assert new_children() == []
    await DataDirLock(mongo.folder).acquire(wait_s=0)


async def test_program_that_ends_at_once_is_quoted(data_dir: Path, fake_program: Callable[..., Path]) -> None:
    entry = '{"s":"F","msg":"Disk is full","attr":{"free":0}}'
    mongo = EmbeddedMongo(data_dir, binary=fake_program(f"{VERSION}\necho '{entry}'; exit 14"))

    with pytest.raises(StoreStartError) as caught:
        await mongo.start()

    assert str(caught.value) == (
        f'mongod ended with code 14: Disk is full {{"free": 0}}; its log: {mongo.folder}/mongod.log'
    )


async def test_data_of_another_version_is_named_as_the_reason(
    data_dir: Path, fake_program: Callable[..., Path]
) -> None:
    mongo = EmbeddedMongo(data_dir, binary=fake_program(f"{VERSION}\nexit 62"))

    with pytest.raises(StoreStartError, match="another version of MongoDB wrote it"):
        await mongo.start()


async def test_program_that_never_answers_is_killed(
    data_dir: Path, fake_program: Callable[..., Path], new_children: NewChildren
) -> None:
    mongo = EmbeddedMongo(data_dir, binary=fake_program(f"{VERSION}\nexec sleep 60"), start_timeout_s=0.2)

    with pytest.raises(StoreStartError, match=r"does not answer after 0\.2 s"):
        await mongo.start()

    assert new_children() == []


async def test_folder_remembers_the_version_that_wrote_it(data_dir: Path) -> None:
    mongo = EmbeddedMongo(data_dir)
    await mongo.start()
    await mongo.stop()
    (mongo.folder / "version").write_text("5.0.1\n", encoding="ascii")

    with pytest.raises(EmbeddedStoreError, match=r"written by MongoDB 5\.0\.1"):
        await mongo.start()


async def test_large_log_is_rotated_while_it_runs(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mongo = EmbeddedMongo(data_dir)
    await mongo.start()
    monkeypatch.setattr(managed, "LOG_MAX_BYTES", 1_000)

    await mongo.ensure_running()

    await file_appears(mongo.log_path)
    assert (mongo.folder / "mongod.log.1").stat().st_size > 1_000
    await mongo.stop()


async def test_ensure_running_does_nothing_after_the_stop(data_dir: Path) -> None:
    mongo = EmbeddedMongo(data_dir)
    await mongo.start()
    await mongo.stop()

    assert not await mongo.ensure_running()
    assert mongo.pid is None


@pytest.mark.parametrize(
    ("uri", "line"),
    [
        ("mongodb://%2Ftmp%2Fm.sock/?directConnection=true", "mongodb://%2Ftmp%2Fm.sock/media?directConnection=true"),
        ("mongodb://u:p@a,b:1/other?replicaSet=r", "mongodb://u:p@a,b:1/media?replicaSet=r"),
        ("mongodb://host", "mongodb://host/media"),
    ],
)
def test_mongosh_line_opens_the_database(uri: str, line: str) -> None:
    assert mongosh_line(uri, "media").replace("'", "") == f"mongosh {line}"
