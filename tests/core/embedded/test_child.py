import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import tornado.ioloop

from backend.core.embedded import DataDirLock
from backend.core.embedded.child import LAUNCHER, Bond, Child
from backend.core.embedded.launch import PARENT_GONE

BONDS: list[Bond] = ["death_signal", "pipe"]


@pytest.fixture
def lock(data_dir: Path, io_loop: tornado.ioloop.IOLoop) -> Iterator[DataDirLock]:
    lock = DataDirLock(data_dir)
    io_loop.run_sync(lock.acquire)
    yield lock
    lock.release()


def start(lock: DataDirLock, script: str, bond: Bond = "death_signal") -> Child:
    return Child(["/bin/sh", "-c", script], lock_fd=lock.fd, output=lock.data_dir / "out", bond=bond)


async def wait_for_output(lock: DataDirLock, text: str) -> None:
    async with asyncio.timeout(10):
        while text not in (lock.data_dir / "out").read_text("utf-8"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("bond", BONDS)
async def test_exit_code_is_the_programs(lock: DataDirLock, bond: Bond) -> None:
    child = start(lock, "exit 7", bond)

    assert await child.wait() == 7
    child.kill()


@pytest.mark.parametrize("bond", BONDS)
async def test_stop_lets_the_program_end_cleanly(lock: DataDirLock, bond: Bond) -> None:
    child = start(lock, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done", bond)
    await wait_for_output(lock, "up")

    await child.stop(timeout_s=10)

    assert (child.exit_code, (lock.data_dir / "out").read_text("utf-8")) == (0, "up\nbye\n")


@pytest.mark.parametrize("bond", BONDS)
async def test_program_that_ignores_the_stop_is_killed_with_all_it_started(lock: DataDirLock, bond: Bond) -> None:
    child = start(lock, "trap '' TERM; sleep 60 & echo up; while :; do sleep 0.01; done", bond)
    await wait_for_output(lock, "up")
    family = psutil.Process(child.pid).children(recursive=True)

    await child.stop(timeout_s=0.05)

    assert child.exit_code == -9
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


async def test_cancelled_stop_kills(lock: DataDirLock) -> None:
    child = start(lock, "trap '' TERM; echo up; while :; do sleep 0.01; done")
    await wait_for_output(lock, "up")

    stopping = asyncio.create_task(child.stop(timeout_s=60))
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait({stopping})

    assert stopping.cancelled()
    assert child.exit_code == -9


async def test_cancelled_wait_leaves_the_program_and_no_descriptor(lock: DataDirLock) -> None:
    child = start(lock, "exec sleep 60")
    before = psutil.Process().num_fds()

    waiting = asyncio.create_task(child.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})

    assert (child.exit_code, psutil.Process().num_fds()) == (None, before)
    child.kill()


async def test_program_has_a_session_of_its_own(lock: DataDirLock) -> None:
    child = start(lock, "exec sleep 60")

    assert os.getsid(child.pid) == child.pid
    child.kill()


async def test_other_threads_may_not_start_a_child(lock: DataDirLock) -> None:
    with pytest.raises(RuntimeError, match="main thread"):
        await asyncio.to_thread(start, lock, "exit 0")


def test_program_whose_parent_is_gone_already_is_not_run() -> None:
    not_our_pid = 2**22 + 1

    done = subprocess.run(
        [sys.executable, "-I", "-S", LAUNCHER, str(not_our_pid), "/bin/echo", "ran"], capture_output=True, check=False
    )

    assert (done.returncode, done.stdout) == (PARENT_GONE, b"")


def test_starting_a_child_does_not_hold_the_loop(lock: DataDirLock) -> None:
    started_at = time.monotonic()
    child = start(lock, "exec sleep 60")

    assert time.monotonic() - started_at < 0.5
    child.kill()
