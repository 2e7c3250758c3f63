"""Exports that do not get to their end: nothing half looks whole, and nothing of them is left."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.api.exports.handlers import ExportHandler
from backend.core.logs import captured_log
from backend.domain.errors import StoreUnavailableError
from backend.domain.item import Item
from backend.services.exports import workbook
from backend.store.item_reads import ItemFilter, ItemPlace, ItemReads
from tests.fixtures.api_server import ApiServer
from tests.fixtures.camping import post, put, searched
from tests.fixtures.hostile_server import until

FORMATS = ("json", "jsonl", "csv", "xlsx")


class HeldReads(ItemReads):
    """Gives the first page; the next one when `goes_on` is set, or `error` then."""

    def __init__(self, reads: ItemReads, *, error: Exception | None = None) -> None:
        self._reads = reads
        self._error = error
        self.is_waiting = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.count = reads.count  # type: ignore[method-assign]

    async def items(
        self, task_ids: Sequence[str], wanted: ItemFilter, *, behind: ItemPlace | None, limit: int
    ) -> tuple[Item, ...]:
        if behind is not None:
            self.is_waiting.set()
            await self.goes_on.wait()
            if self._error is not None:
                raise self._error
        return await self._reads.items(task_ids, wanted, behind=behind, limit=limit)


def hold(api: ApiServer, *, error: Exception | None = None) -> HeldReads:
    held = HeldReads(ItemReads(api.database), error=error)
    api.exports._reads = held
    return held


@asynccontextmanager
async def begun(api: ApiServer, format_: str) -> AsyncIterator[httpx.Response]:
    task_id = await searched(api, posts=80)
    async with api.client.stream("GET", f"/api/v1/tasks/{task_id}/export?format={format_}") as answer:
        yield answer


def is_nothing_left(api: ApiServer) -> bool:
    return (api.exports.live, api.children.live(), api.artifacts.part_files()) == (0, 0, 0)


@pytest.mark.parametrize("format_", FORMATS)
async def test_store_that_fails_in_the_middle_cuts_the_connection(api: ApiServer, format_: str) -> None:
    held = hold(api, error=StoreUnavailableError("gone"))

    with captured_log() as lines:
        async with begun(api, format_) as answer:
            assert answer.status_code == 200
            held.goes_on.set()
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await answer.aread()
        await until(lambda: is_nothing_left(api))

    said = [line for line in lines if "导出中断" in line]
    assert "STORE_UNAVAILABLE" in said[0]
    assert not [line for line in lines if "ERROR" in line]


async def test_reader_without_chunks_sees_a_reset_instead_of_an_end(api: ApiServer) -> None:
    held = hold(api, error=StoreUnavailableError("gone"))
    task_id = await searched(api, posts=80)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(f"GET /api/v1/tasks/{task_id}/export?format=csv HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())

    await held.is_waiting.wait()
    held.goes_on.set()

    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


@pytest.mark.parametrize("format_", FORMATS)
async def test_store_that_fails_at_once_is_a_typed_503(api: ApiServer, format_: str) -> None:
    task_id = await searched(api, posts=1)
    reads = hold(api)

    async def fail(*_: Any, **__: Any) -> tuple[Item, ...]:
        raise StoreUnavailableError("gone")

    reads.items = fail  # type: ignore[method-assign]

    answer = await api.client.get(f"/api/v1/tasks/{task_id}/export?format={format_}")

    assert (answer.status_code, answer.json()["code"]) == (503, 50301)
    assert answer.headers["Retry-After"]
    assert "Content-Disposition" not in answer.headers


@pytest.mark.parametrize("format_", FORMATS)
async def test_reader_that_leaves_ends_the_export_and_takes_its_files_along(api: ApiServer, format_: str) -> None:
    held = hold(api)

    async with begun(api, format_):
        await held.is_waiting.wait()
        assert not is_nothing_left(api)
        if format_ == "xlsx":
            assert api.children.live() == 1
            await until(lambda: api.artifacts.part_files() > 0)
    await until(lambda: is_nothing_left(api))


async def ask_for_much(api: ApiServer) -> asyncio.StreamWriter:
    """Ask for 24 MB, more than the sockets' buffers hold, and read none of it."""
    task_id = await searched(api, posts=0)
    text = "长" * 20_000
    await put(api, *(replace(post(task_id, number), text=text) for number in range(400)))
    _, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=4_096)
    writer.write(f"GET /api/v1/tasks/{task_id}/export?format=json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return writer


async def test_reader_that_takes_nothing_is_left(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExportHandler, "stalled_s", 0.05)

    with captured_log() as lines:
        writer = await ask_for_much(api)
        await until(lambda: any("导出中断" in line for line in lines))

    assert is_nothing_left(api)
    writer.close()


async def test_slow_reader_holds_up_the_reading(api: ApiServer) -> None:
    read = 0

    class CountedReads(ItemReads):
        async def items(self, *arguments: Any, **named: Any) -> tuple[Item, ...]:
            nonlocal read
            page = await super().items(*arguments, **named)
            read += len(page)
            return page

    api.exports._reads = CountedReads(api.database)
    writer = await ask_for_much(api)

    seen = -1
    while seen != read or read == 0:
        seen = read
        await asyncio.sleep(0.5)

    assert read < 300
    assert api.exports.live == 1
    writer.close()
    await until(lambda: is_nothing_left(api))


async def test_as_many_exports_as_there_may_be_leave_no_room_for_another(api: ApiServer) -> None:
    held = hold(api)

    async with begun(api, "json"), begun(api, "csv"), begun(api, "xlsx"):
        await held.is_waiting.wait()
        refused = await api.client.get("/api/v1/items/export?format=json")
        asked = await api.client.head("/api/v1/items/export?format=json")
    await until(lambda: is_nothing_left(api))
    held.goes_on.set()
    let_in = await api.client.get("/api/v1/items/export?format=json")

    assert (refused.status_code, refused.json()["code"], asked.status_code) == (429, 42901, 429)
    assert refused.json()["error"]["retryable"]
    assert refused.headers["Retry-After"]
    assert let_in.status_code == 200


async def test_server_that_leaves_ends_its_exports(api: ApiServer) -> None:
    held = hold(api)

    async with begun(api, "xlsx"):
        await held.is_waiting.wait()
        await api.exports.stop()

        assert is_nothing_left(api)


async def test_workbook_that_cannot_be_written_cuts_the_connection(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "full_disk.py"
    program.write_text("import sys; sys.stdin.read(); sys.exit('No space left on device')")
    monkeypatch.setattr(workbook, "_PROGRAM", str(program))

    with captured_log() as lines:
        async with begun(api, "xlsx") as answer:
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await answer.aread()
        await until(lambda: is_nothing_left(api))

    assert any("导出中断" in line and "No space left" in line for line in lines)
