import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backend.core.embedded import DataDirInUseError, DataDirLock, EmbeddedStoreError
from backend.core.embedded import lock as lock_module
from backend.core.embedded.lock import LOCK_NAME
from backend.core.settings import ROOT

HOLD_AND_LEAVE = """
import asyncio, subprocess, sys
from pathlib import Path
from backend.core.embedded import DataDirLock
lock = DataDirLock(Path(sys.argv[1]))
asyncio.run(lock.acquire())
child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.fd,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
lock.note_child("sleep", child.pid)
print(child.pid)
"""


def open_descriptors() -> int:
    return psutil.Process().num_fds()


async def test_second_owner_is_refused_with_the_pid_of_the_first(data_dir: Path) -> None:
    first, second = DataDirLock(data_dir), DataDirLock(data_dir)
    await first.acquire()

    with pytest.raises(DataDirInUseError) as caught:
        await second.acquire(wait_s=0)

    assert str(caught.value) == f"{data_dir}/ is in use by process {os.getpid()}"
    assert caught.value.pid == os.getpid()
    first.release()


async def test_folder_below_the_root_is_shown_short(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "ROOT", data_dir)
    first = DataDirLock(data_dir / "data")
    await first.acquire()

    with pytest.raises(DataDirInUseError, match=rf"^data/ is in use by process {os.getpid()}$"):
        await DataDirLock(data_dir / "data").acquire(wait_s=0)

    first.release()


async def test_waiting_owner_gets_the_lock_of_a_dying_one(data_dir: Path) -> None:
    first, second = DataDirLock(data_dir), DataDirLock(data_dir)
    await first.acquire()

    asyncio.get_running_loop().call_later(0.05, first.release)
    await second.acquire(wait_s=5)

    assert second.is_held
    second.release()


async def test_released_lock_can_be_taken_again(data_dir: Path) -> None:
    lock = DataDirLock(data_dir)

    for _ in range(2):
        await lock.acquire(wait_s=0)
        lock.release()
        lock.release()

    assert not lock.is_held


@pytest.fixture
def surviving_child(data_dir: Path) -> Iterator[int]:
    """The pid of a process that inherited the lock of one that is gone."""
    done = subprocess.run(
        [sys.executable, "-c", HOLD_AND_LEAVE, str(data_dir)], cwd=ROOT, capture_output=True, check=True, timeout=30
    )
    yield int(done.stdout)
    os.kill(int(done.stdout), signal.SIGKILL)


async def test_child_that_outlives_its_owner_holds_the_lock_and_is_named(data_dir: Path, surviving_child: int) -> None:
    with pytest.raises(DataDirInUseError) as caught:
        await DataDirLock(data_dir).acquire(wait_s=0)

    assert caught.value.pid == surviving_child


async def test_garbage_in_the_lock_file_is_no_pid(data_dir: Path) -> None:
    first = DataDirLock(data_dir)
    await first.acquire()
    (data_dir / LOCK_NAME).write_text("²\nx\n", encoding="utf-8")

    with pytest.raises(DataDirInUseError, match=r"process \?") as caught:
        await DataDirLock(data_dir).acquire(wait_s=0)

    assert caught.value.pid is None
    first.release()


async def test_cancelled_wait_leaves_no_descriptor(data_dir: Path) -> None:
    first = DataDirLock(data_dir)
    await first.acquire()
    before = open_descriptors()

    waiting = asyncio.create_task(DataDirLock(data_dir).acquire(wait_s=60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})

    assert waiting.cancelled()
    assert open_descriptors() == before
    first.release()


async def test_folder_that_is_a_file_is_refused_by_name(data_dir: Path) -> None:
    (data_dir / "data").write_text("", encoding="utf-8")

    with pytest.raises(EmbeddedStoreError, match=r"the data folder cannot be used: .*data"):
        await DataDirLock(data_dir / "data").acquire()
