import asyncio
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from backend.core.embedded import (
    DataDirInUseError,
    DataDirLock,
    EmbeddedStores,
    EmbeddedValkey,
    StoreBinaryError,
    warn_of_memory_stores,
)
from backend.core.logs import captured_log
from tests.core.embedded.conftest import NewChildren, StartServer

if TYPE_CHECKING:
    import subprocess


def pids_of(server: "subprocess.Popen[str]") -> list[int]:
    assert server.stdout is not None
    word, *pids = server.stdout.readline().split()
    assert word == "UP"
    return [int(pid) for pid in pids]


def gone(pids: list[int]) -> bool:
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(processes, timeout=15)
    return not alive


async def test_both_start_within_the_promised_time(data_dir: Path) -> None:
    times_s = []
    for _ in range(2):
        stores = EmbeddedStores(data_dir)
        started_at = time.monotonic()
        await stores.start()
        times_s.append(time.monotonic() - started_at)
        await stores.stop()

    cold_s, warm_s = times_s
    assert (cold_s <= 6, warm_s <= 3) == (True, True), times_s


async def test_stop_leaves_no_process_and_frees_the_folder(data_dir: Path, new_children: NewChildren) -> None:
    stores = EmbeddedStores(data_dir)
    await stores.start()

    await stores.stop()
    await stores.stop()

    assert new_children() == []
    await DataDirLock(data_dir).acquire(wait_s=0)


async def test_second_server_is_refused_with_the_pid(data_dir: Path, start_server: StartServer) -> None:
    server = start_server(data_dir)
    pids_of(server)
    lock = DataDirLock(data_dir)

    with pytest.raises(DataDirInUseError) as caught:
        await lock.acquire(wait_s=0.1)

    assert caught.value.pid == server.pid


@pytest.mark.parametrize("bond", ["death_signal", "pipe"])
async def test_children_of_a_killed_server_end_and_free_the_folder(
    data_dir: Path, start_server: StartServer, bond: str
) -> None:
    server = start_server(data_dir, bond)
    pids = pids_of(server)
    family = [process.pid for process in psutil.Process(server.pid).children(recursive=True)]

    server.kill()
    lock = DataDirLock(data_dir)
    await lock.acquire(wait_s=15)

    assert set(pids) <= set(family)
    assert gone(family)
    lock.release()


def test_server_starts_again_right_after_it_was_killed(data_dir: Path, start_server: StartServer) -> None:
    server = start_server(data_dir)
    first = pids_of(server)

    server.kill()
    second = pids_of(start_server(data_dir))

    assert not set(first) & set(second)


def test_ctrl_c_in_the_terminal_reaches_the_server_alone(data_dir: Path, start_server: StartServer) -> None:
    server = start_server(data_dir)
    pids = pids_of(server)

    os.killpg(server.pid, signal.SIGINT)
    output, _ = server.communicate(timeout=30)

    assert output.split() == ["ANSWERED", "STOPPED"]
    assert gone(pids)


async def test_dead_store_is_started_again_while_supervised(data_dir: Path) -> None:
    stores = EmbeddedStores(data_dir)
    await stores.start()
    assert stores.valkey is not None
    first = stores.valkey.pid
    assert first is not None
    supervisor = asyncio.create_task(stores.supervise())

    with captured_log() as lines:
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(20):
            while stores.valkey.pid in {first, None}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    supervisor.cancel()
    await asyncio.wait({supervisor})
    await stores.stop()
    assert [line.rpartition("| ")[2] for line in lines] == ["valkey-server ended with code -9 and is started again"]


async def test_one_store_that_cannot_start_stops_the_other(data_dir: Path, new_children: NewChildren) -> None:
    stores = EmbeddedStores(data_dir)
    stores.valkey = EmbeddedValkey(data_dir, lock=stores.lock, binary=data_dir / "absent")

    with pytest.raises(StoreBinaryError, match="absent"):
        await stores.start()

    assert new_children() == []
    assert not stores.lock.is_held


async def test_store_with_a_url_is_not_started(data_dir: Path, new_children: NewChildren) -> None:
    stores = EmbeddedStores(data_dir, with_mongo=False)
    await stores.start()

    running = [process.name() for process in new_children()]

    await stores.stop()
    assert running == ["valkey-server"]


async def test_lock_of_the_container_is_left_to_it(data_dir: Path) -> None:
    lock = DataDirLock(data_dir)
    await lock.acquire()
    stores = EmbeddedStores(data_dir, lock=lock, with_mongo=False)
    await stores.start()

    await stores.stop()

    assert lock.is_held
    lock.release()


async def test_living_child_keeps_others_off_the_folder(data_dir: Path) -> None:
    stores = EmbeddedStores(data_dir, with_mongo=False)
    await stores.start()
    stores.lock.release()

    with pytest.raises(DataDirInUseError):
        await DataDirLock(data_dir).acquire(wait_s=0)

    await stores.stop()
    await DataDirLock(data_dir).acquire(wait_s=0)


def test_memory_stores_are_loud() -> None:
    with captured_log() as lines:
        warn_of_memory_stores()

    assert lines[0].endswith("| IN-MEMORY STORES: EVERYTHING IS LOST ON EXIT")
    assert " | WARNING  | " in lines[0]
