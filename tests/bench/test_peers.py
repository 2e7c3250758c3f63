"""How `python -m bench peers` counts: a page is heard by a living asker, and a killed worker leaves nothing alive."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bench.peers import MEANINGS, PeersReport, _over
from bench.report import judge
from bench.rivals.rival import Workers
from bench.rivals.site import ChainSite, Tally

STEPS = 2
# Starts a child in a session of its own and outside this one's tree, as some queues' workers are.
ESCAPES = """
import os, subprocess, sys, time
child = [sys.executable, "-c", "import time; print('child', flush=True); time.sleep(600)"]
middle = f"import subprocess; subprocess.Popen({child!r}, start_new_session=True)"
subprocess.run([sys.executable, "-c", middle], check=True)
time.sleep(600)
"""


async def with_site(work: Callable[[ChainSite], Awaitable[None]]) -> Tally:
    """Let `work` ask a site of two steps a chain, and return what the site counts."""
    site = ChainSite(steps=STEPS, answer_s=0.2)
    async with AsyncExitStack() as closing:
        await site.start()
        closing.push_async_callback(site.stop)
        await work(site)
        return site.tally()


async def ask(site: ChainSite, step: int, *, dies: bool = False) -> None:
    """Ask for a step of the job `j`; who dies is gone before the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.origin.rpartition(":")[2]))
    writer.write(f"GET /t/j/{step} HTTP/1.1\r\n\r\n".encode())
    if dies:
        assert await site.reached("j", step, within_s=60)
    else:
        await reader.readuntil(b"</p>")
    writer.close()
    await writer.wait_closed()


async def test_page_answered_to_who_died_is_asked_for_again_and_not_twice_done() -> None:
    async def work(site: ChainSite) -> None:
        await ask(site, 0)
        await ask(site, 1, dies=True)
        await ask(site, 1)

    tally = await with_site(work)

    assert tally == Tally(done=1, twice_at_once=0, ended_again=0, asked_again=1, fetched_again=0)


async def test_chain_begun_anew_after_its_end_is_ended_again_but_never_at_once() -> None:
    async def work(site: ChainSite) -> None:
        for step in (0, 1, 0, 1):
            await ask(site, step)

    tally = await with_site(work)

    assert tally == Tally(done=1, twice_at_once=0, ended_again=1, asked_again=2, fetched_again=2)


async def test_two_living_askers_of_one_chain_are_twice_at_once() -> None:
    async def work(site: ChainSite) -> None:
        await asyncio.gather(ask(site, 0), ask(site, 0))

    tally = await with_site(work)

    assert tally == Tally(done=0, twice_at_once=1, ended_again=0, asked_again=1, fetched_again=0)


async def test_silence_ends_the_waiting_for_what_is_lost() -> None:
    async def work(site: ChainSite) -> None:
        await ask(site, 0)
        assert await _over(site, 1, quiet_s=0.01, until=site.moved_at + 600) == (False, True)

    await with_site(work)


@pytest.mark.skipif(sys.platform != "linux", reason="a worker's processes are found in /proc")
async def test_killed_worker_leaves_no_process_in_whatever_session(tmp_path: Path) -> None:
    workers = Workers(tmp_path, {})
    workers.start([sys.executable, "-c", ESCAPES])
    try:
        await workers.say("child", within_s=60)
        count_before = len(workers.alive(0))
    finally:
        workers.kill(0)

    assert count_before == 2
    assert workers.alive(0) == []


def test_every_figure_of_a_contender_is_shown_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    labels = ("ours", "celery_defaults", "dramatiq_defaults", "taskiq_defaults", "scrapyd")
    figures = {f"{label}_{name}": float(number) for label in labels for number, name in enumerate(MEANINGS)}

    PeersReport("peers", figures, judge(figures, {"ours_lost": "== 0"})).print_table()

    said = capsys.readouterr().out
    assert all(f" {name} " in said and f"\n{name}: " in said for name in MEANINGS)
    assert "NOT SO  ours_lost == 0" in said
