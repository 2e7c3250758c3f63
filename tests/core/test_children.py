import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import psutil
import pytest
import tornado.ioloop

from backend.core.children import Children

SH = "/bin/sh"


@pytest.fixture
def children(io_loop: tornado.ioloop.IOLoop) -> Iterator[Children]:
    before = own_children()
    keeper = Children()
    io_loop.run_sync(keeper.start)
    yield keeper
    io_loop.run_sync(keeper.stop)
    assert keeper.live() == 0
    assert own_children() == before


def own_children() -> set[int]:
    return {one.pid for one in psutil.Process().children(recursive=True)}


class Line:
    """The first line a child prints, as something to wait for."""

    def __init__(self) -> None:
        self.seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def __call__(self, line: str) -> None:
        if not self.seen.done():
            self.seen.set_result(line)


async def test_run_returns_what_the_program_printed(children: Children) -> None:
    finished = await children.run([SH, "-c", "echo out; echo err >&2; exit 3"])

    assert (finished.returncode, finished.stdout, finished.stderr_tail) == (3, b"out\n", "err\n")


async def test_stdin_reaches_the_program(children: Children) -> None:
    finished = await children.run(["/bin/cat"], stdin="分镜".encode() * 50_000)

    assert finished.stdout == "分镜".encode() * 50_000


async def test_program_that_reads_nothing_does_not_break_the_feed(children: Children) -> None:
    finished = await children.run(["/bin/true"], stdin=b"x" * 1_000_000)

    assert finished.returncode == 0


async def test_output_is_kept_only_up_to_its_limit(children: Children) -> None:
    finished = await children.run([SH, "-c", "head -c 300000 /dev/zero"], max_output_bytes=1000)

    assert (len(finished.stdout), finished.is_truncated, finished.returncode) == (1000, True, 0)


async def test_stderr_keeps_only_its_end(children: Children) -> None:
    finished = await children.run([SH, "-c", "head -c 100000 /dev/zero >&2; echo last words >&2"])

    assert len(finished.stderr_tail) == 8192
    assert finished.stderr_tail.endswith("last words\n")


async def test_lines_are_handed_over_one_by_one(children: Children) -> None:
    lines: list[str] = []

    finished = await children.run([SH, "-c", "printf 'a=1\\nb=2\\n'"], on_line=lines.append)

    assert (lines, finished.stdout) == (["a=1", "b=2"], b"")


async def test_cancel_kills_the_whole_group_and_reaps_it(children: Children) -> None:
    line = Line()
    run = asyncio.create_task(children.run([SH, "-c", "trap '' TERM; sleep 60 & echo $!; wait"], on_line=line))
    grandchild = int(await line.seen)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert children.live() == 0
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


async def test_cancel_before_the_program_has_started_leaves_no_child(children: Children) -> None:
    run = asyncio.create_task(children.run(["/bin/sleep", "60"]))
    await asyncio.sleep(0)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert children.live() == 0


async def test_second_cancel_leaves_the_reaping_to_the_keeper(children: Children) -> None:
    line = Line()
    run = asyncio.create_task(children.run([SH, "-c", "echo up; exec sleep 60"], on_line=line))
    await line.seen

    run.cancel()
    await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await children.stop()

    assert children.live() == 0


async def test_gentle_cancel_asks_before_it_kills(children: Children, tmp_path: Path) -> None:
    line, said = Line(), tmp_path / "said"
    script = f"trap 'echo bye > {said}; exit 0' TERM; echo up; while :; do sleep 0.01; done"
    run = asyncio.create_task(children.run([SH, "-c", script], on_line=line, kill_first=False))
    await line.seen

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert said.read_text() == "bye\n"


async def test_deadline_kills_the_child(children: Children) -> None:
    with pytest.raises(TimeoutError, match="sleep took longer"):
        await children.run(["/bin/sleep", "60"], timeout_s=0.05)

    assert children.live() == 0


async def test_killed_child_shows_its_signal(children: Children) -> None:
    finished = await children.run([SH, "-c", "kill -9 $$"])

    assert finished.returncode == -signal.SIGKILL


async def test_missing_program_is_named(children: Children) -> None:
    with pytest.raises(FileNotFoundError, match="/no/such/program"):
        await children.run(["/no/such/program"])


async def test_stop_kills_what_is_left() -> None:
    children = Children()
    await children.start()
    line = Line()
    run = asyncio.create_task(children.run([SH, "-c", "echo up; exec sleep 60"], on_line=line))
    await line.seen

    await children.stop()

    assert (await run).returncode == -signal.SIGKILL
    assert children.live() == 0


async def test_nothing_starts_after_stop() -> None:
    children = Children()

    with pytest.raises(RuntimeError, match="after close"):
        await children.run(["/bin/true"])


async def test_niceness_is_the_childs_own(children: Children) -> None:
    finished = await children.run(["/usr/bin/nice"], niceness=5)

    assert int(finished.stdout) == os.nice(0) + 5


async def test_fds_and_threads_are_as_before_after_many_children(children: Children) -> None:
    process = psutil.Process()
    await children.run(["/bin/true"])
    before = process.num_fds()

    for _ in range(5):
        await children.run(["/bin/true"])

    assert process.num_fds() == before


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
async def test_child_dies_with_a_server_that_was_killed(children: Children) -> None:
    server = (
        "import asyncio; from backend.core.children import Children\n"
        "async def main():\n"
        "    children = Children(); await children.start()\n"
        "    await children.run(['/bin/sh', '-c', 'echo $$; exec sleep 60'], on_line=lambda l: print(l, flush=True))\n"
        "asyncio.run(main())"
    )
    line = Line()
    run = asyncio.create_task(children.run([sys.executable, "-c", server], on_line=line, cwd=Path.cwd()))
    orphan = psutil.Process(int(await line.seen))

    orphan.parent().kill()  # type: ignore[union-attr]
    await run

    assert orphan.wait(timeout=5) is not False


async def test_child_reads_what_is_made_while_it_reads(children: Children) -> None:
    async def numbers() -> AsyncGenerator[bytes, None]:
        for number in range(1_000):
            yield f"{number}\n".encode() * 100

    finished = await children.run(["/usr/bin/wc", "-l"], stdin=numbers())

    assert finished.stdout.split() == [b"100000"]


async def test_no_more_is_made_than_a_child_reads(children: Children) -> None:
    made = 0

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal made
        while True:
            made += 1
            yield b"x" * 65_536

    finished = await children.run([SH, "-c", "read line </dev/null; exit 0"], stdin=endless())

    assert finished.returncode == 0
    assert made < 20


async def test_feed_that_waits_is_closed_when_its_child_ends(children: Children) -> None:
    is_closed = asyncio.Event()

    async def stuck() -> AsyncGenerator[bytes, None]:
        try:
            yield b"first\n"
            await asyncio.Event().wait()
        finally:
            is_closed.set()

    finished = await children.run([SH, "-c", "read line; exit 4"], stdin=stuck())

    assert finished.returncode == 4
    assert is_closed.is_set()


async def test_feed_that_waits_is_closed_when_its_child_is_cancelled(children: Children) -> None:
    is_waiting, is_closed = asyncio.Event(), asyncio.Event()

    async def stuck() -> AsyncGenerator[bytes, None]:
        try:
            yield b"first\n"
            is_waiting.set()
            await asyncio.Event().wait()
        finally:
            is_closed.set()

    run = asyncio.create_task(children.run(["/bin/cat"], stdin=stuck()))
    await is_waiting.wait()
    run.cancel()
    await asyncio.wait({run})

    assert run.cancelled()
    assert is_closed.is_set()
