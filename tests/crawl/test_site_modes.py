"""A crawl without a mongod, and one whose connection never comes about."""

import asyncio
import socket
import threading
from dataclasses import replace
from typing import Any

import pytest

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.http import HttpGate, NetworkPolicy
from backend.crawl import patience
from backend.domain.errors import StoreUnavailableError
from backend.domain.task import StopReason, TaskStatus
from backend.store.frontier import FrontierStore
from backend.store.items import ItemStore
from tests.fixtures.crawls import Crawl
from tests.fixtures.hostile_server import NO_CA
from tests.fixtures.site import page, redirect


async def test_crawl_in_memory_mode_finds_the_same(crawl: Crawl, clock: Clock) -> None:
    memory = Database("", "test", clock=clock, is_memory=True)
    await memory.connect()
    items, frontier = ItemStore(memory), FrontierStore(memory, clock=clock)
    await items.ensure_indexes()
    await frontier.ensure_indexes()
    crawl.tools = replace(crawl.tools, items=items, frontier=frontier)
    crawl.site.add({"/": ["/a", "/old"], "/a": ["/b"], "/b": []})
    crawl.site.pages |= {"/old": redirect("/b"), "/b": page("/gone", statuses=(503,))}

    ended = await crawl.run()
    await memory.close()

    assert ended.ending is not None
    assert ended.ending.status is TaskStatus.PARTIAL
    assert ended.books is not None
    assert (ended.books.stored, ended.books.failed, ended.books.adds_up) == (3, 1, True)


async def test_cancel_while_connecting_aborts_the_page(crawl: Crawl) -> None:
    loop, is_asked, let_go = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def never(*arguments: Any) -> list[Any]:
        loop.call_soon_threadsafe(is_asked.set)
        let_go.wait(10)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    gate = HttpGate(policy=NetworkPolicy(), user_agent="test/1", verify=NO_CA, lookup=never)
    await gate.start()
    crawl.tools = replace(crawl.tools, gate=gate)
    context = crawl.context({"start_urls": ["http://name.example/"]})
    running = asyncio.ensure_future(crawl.carry_out(context))
    await is_asked.wait()

    context.stop(StopReason.USER)
    books = (await running).books
    live = gate.live()
    let_go.set()
    await gate.stop()

    assert books is not None
    assert (books.requested, books.aborted, books.adds_up) == (1, 1, True)
    assert (live.requests, live.sockets) == (0, 0)


@pytest.mark.parametrize("step", ["take", "add_many", "upsert_many", "finish", "books"])
async def test_store_that_is_away_for_a_moment_costs_nothing(
    crawl: Crawl, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl.site.add({"/": [f"/{number}" for number in range(20)], **{f"/{number}": [] for number in range(20)}})
    store = crawl.tools.items if step == "upsert_many" else crawl.tools.frontier
    real, calls = getattr(store, step), 0

    async def answer_lost(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        done = await real(*arguments, **named)
        if calls == 2:
            raise StoreUnavailableError
        return done

    monkeypatch.setattr(store, step, answer_lost)
    monkeypatch.setattr(patience, "_REPEAT_S", 0.01)
    ended = await crawl.run({"max_pages": 15})
    monkeypatch.undo()

    assert ended.ending is not None
    assert ended.ending.status is TaskStatus.SUCCEEDED
    assert ended.books is not None
    assert (ended.books.ok, ended.books.stored, ended.books.adds_up) == (15, 15, True)
