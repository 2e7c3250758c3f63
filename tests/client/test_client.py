"""The client against a server that answers what the test wants, and breaks off where it wants."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import tornado.ioloop

from backend.client import (
    ApiError,
    AsyncClient,
    BadAnswerError,
    BrokenOffError,
    Client,
    ConflictError,
    NotFoundError,
    RequestRefusedError,
    ServerDownError,
    TimeUpError,
)
from tests.fixtures.socket_server import DroppedError, Request, SocketServer, write_head

Answer = tuple[int, Any] | type[DroppedError]
TASK = {"task_id": "t_1", "version": 1, "status": "running", "is_final": False}


class Scripted(SocketServer):
    """Gives its answers in turn; the last one again and again. Keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Answer] = []
        self.asked: list[Request] = []

    async def answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not isinstance(answer, tuple):
            raise answer
        status, body = answer
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        write_head(writer, status, {"Content-Length": str(len(data)), "Retry-After": "0"})
        writer.write(data)
        await writer.drain()


@pytest.fixture
def server(io_loop: tornado.ioloop.IOLoop) -> Iterator[Scripted]:
    made = Scripted()
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


def ok(data: Any) -> Answer:
    return 200, {"code": 0, "message": "ok", "data": data}


def error(status: int, name: str, **more: Any) -> Answer:
    detail = {"name": name, "retryable": False, "advice": None, "request_id": "r_1", **more}
    return status, {"code": status * 100 + 1, "message": "不行", "error": detail}


async def test_error_keeps_every_part_of_the_envelope(server: Scripted) -> None:
    field = {"path": "params.start_urls.0", "code": "PRIVATE_ADDRESS", "message": "内网地址"}
    server.answers = [error(422, "VALIDATION_FAILED", advice="换一个", fields=[field])]

    async with AsyncClient(server.origin) as client:
        with pytest.raises(RequestRefusedError) as caught:
            await client.create_task("web", {})

    told = caught.value
    assert (told.status, told.code, told.name, told.message) == (422, 42201, "VALIDATION_FAILED", "不行")
    assert (told.advice, told.request_id, told.retryable) == ("换一个", "r_1", False)
    assert [(one.path, one.code, one.message) for one in told.fields] == [tuple(field.values())]


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFoundError), (409, ConflictError), (500, ApiError), (418, ApiError)]
)
async def test_status_chooses_the_class(server: Scripted, status: int, kind: type[ApiError]) -> None:
    server.answers = [error(status, "X")]

    async with AsyncClient(server.origin) as client:
        with pytest.raises(ApiError) as caught:
            await client.get_task("t_1")

    assert type(caught.value) is kind


@pytest.mark.parametrize("answer", [(200, b"<html>"), (200, []), (200, {}), (302, b""), (502, b"Bad Gateway")])
async def test_answer_that_is_not_ours_is_named_so(server: Scripted, answer: Answer) -> None:
    server.answers = [answer]

    async with AsyncClient(server.origin) as client:
        with pytest.raises(BadAnswerError):
            await client.get_task("t_1")


async def test_read_is_sent_again_after_a_broken_connection(server: Scripted) -> None:
    server.answers = [DroppedError, error(503, "STORE_UNAVAILABLE"), ok(TASK)]

    async with AsyncClient(server.origin) as client:
        assert (await client.get_task("t_1"))["task_id"] == "t_1"

    assert len(server.asked) == 3


@pytest.mark.parametrize("answer", [DroppedError, error(503, "SHUTTING_DOWN")])
async def test_post_without_a_key_is_sent_once(server: Scripted, answer: Answer) -> None:
    server.answers = [answer]

    async with AsyncClient(server.origin) as client:
        for post in (client.create_task("web", {}), client.retry_task("t_1"), client.start_task("t_1")):
            with pytest.raises((BrokenOffError, ApiError)):
                await post

    assert [one.path.rpartition("/")[2] for one in server.asked] == ["tasks", "retry", "start"]


async def test_create_with_a_key_is_sent_again_with_the_same_key(server: Scripted) -> None:
    server.answers = [DroppedError, ok(TASK)]

    async with AsyncClient(server.origin) as client:
        await client.create_task("web", {"max_pages": 3}, title="露营", idempotency_key="k-1")

    assert [one.headers["idempotency-key"] for one in server.asked] == ["k-1", "k-1"]
    assert server.asked[1].json() == {"platform": "web", "params": {"max_pages": 3}, "title": "露营"}


async def test_nobody_listening_is_told_apart_from_a_broken_answer(server: Scripted) -> None:
    origin = server.origin
    await server.stop()

    async with AsyncClient(origin) as client:
        with pytest.raises(ServerDownError):
            await client.create_task("web", {})
    await server.start()


async def test_call_ends_when_its_time_is_up(io_loop: tornado.ioloop.IOLoop, server: Scripted) -> None:
    waiting = asyncio.Event()

    async def never(*_: Any) -> None:
        await waiting.wait()

    server.answer = never  # type: ignore[assignment, method-assign]
    async with AsyncClient(server.origin) as client:
        with pytest.raises(TimeUpError):
            await client.health(total_s=0.05)


async def test_cancelled_calls_leave_the_client_usable(server: Scripted) -> None:
    entered = asyncio.Event()
    answer = server.answer

    async def stall(*_: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    async with AsyncClient(server.origin) as client:
        server.answer = stall  # type: ignore[assignment, method-assign]
        for _ in range(5):
            entered.clear()
            call = asyncio.create_task(client.get_task("t_1"))
            await entered.wait()
            call.cancel()
            await asyncio.wait({call})
        server.answer = answer  # type: ignore[method-assign]
        server.answers = [ok(TASK)]

        assert (await client.get_task("t_1"))["task_id"] == "t_1"


async def test_list_goes_on_to_the_last_page(server: Scripted) -> None:
    server.answers = [ok({"items": [TASK], "next_cursor": "c2"}), ok({"items": [TASK, TASK], "next_cursor": None})]

    async with AsyncClient(server.origin) as client:
        found = [task async for task in client.list_tasks(status=["active", "failed"], platform="web")]

    assert len(found) == 3
    assert "status=active%2Cfailed" in server.asked[0].path
    assert "cursor=c2" in server.asked[1].path


async def test_token_and_language_go_with_every_request(server: Scripted) -> None:
    server.answers = [ok(TASK)]

    async with AsyncClient(server.origin, token="tok-12345678", language="en") as client:
        await client.get_task("t_1")

    headers = server.asked[0].headers
    assert (headers["authorization"], headers["accept-language"]) == ("Bearer tok-12345678", "en")


@pytest.mark.parametrize("task_id", ["", "../system", "a/b", "t_1?purge=1", "任务"])
async def test_what_is_no_id_is_not_sent(server: Scripted, task_id: str) -> None:
    async with AsyncClient(server.origin) as client:
        with pytest.raises(ValueError, match="id of a task"):
            await client.cancel_task(task_id)

    assert server.asked == []


async def test_wait_beyond_what_the_api_takes_is_refused(server: Scripted) -> None:
    async with AsyncClient(server.origin) as client:
        with pytest.raises(ValueError, match="wait_s"):
            await client.get_task("t_1", wait_s=31)


class Streaming(Scripted):
    """Answers each /stream with the next of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []

    async def answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not request.path.startswith("/api/v1/stream"):
            await super().answer(request, reader, writer)
            return
        self.asked.append(request)
        write_head(writer, 200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        part = self.parts.pop(0)
        # Ended in order, as a server does that leaves: a reset would take what the reader has not read yet.
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(part), part))
        await writer.drain()


@pytest.fixture
def stream(io_loop: tornado.ioloop.IOLoop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Streaming]:
    monkeypatch.setattr("backend.client.streaming.RETRY_S", 0.0)
    made = Streaming()
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


def frame(number: int, *, final: bool = False) -> bytes:
    task = {**TASK, "version": number, "is_final": final}
    return f"id: c{number}\nevent: task.updated\ndata: {json.dumps({'task': task, 'final': final})}\n\n".encode()


async def test_stream_goes_on_behind_the_last_event_seen(stream: Streaming) -> None:
    stream.parts = [frame(1) + frame(2), frame(3)]

    async with AsyncClient(stream.origin) as client:
        events = client.events("tasks", "logs:t_1", after="c0")
        seen = [(await anext(events)).cursor for _ in range(3)]
        await events.aclose()

    assert seen == ["c1", "c2", "c3"]
    assert [one.headers["last-event-id"] for one in stream.asked] == ["c0", "c2"]
    assert "topics=tasks%2Clogs%3At_1" in stream.asked[0].path


async def test_followed_task_ends_with_its_final_state_over_a_break(stream: Streaming) -> None:
    stream.answers = [ok({**TASK, "version": 2})]
    stream.parts = [frame(1) + frame(3), frame(4) + frame(5, final=True) + frame(6)]

    async with AsyncClient(stream.origin) as client:
        seen = [task["version"] async for task in client.follow_task("t_1")]

    # 1 is older than what was read when the stream opened; so is the 2 that is read when it opens again.
    assert seen == [2, 3, 4, 5]


async def test_stream_gives_up_when_nobody_comes_back(server: Scripted) -> None:
    origin = server.origin
    await server.stop()

    async with AsyncClient(origin) as client:
        with pytest.raises(ServerDownError):
            await anext(client.events("tasks", give_up_s=0))
    await server.start()


async def test_client_without_a_loop_works_beside_one(server: Scripted) -> None:
    server.answers = [ok({"items": [TASK, TASK], "next_cursor": None})]

    def use() -> list[str]:
        with Client(server.origin) as client:
            return [task["task_id"] for task in client.list_tasks()]

    assert await asyncio.get_running_loop().run_in_executor(None, use) == ["t_1", "t_1"]


def test_client_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="with"):
        Client("http://127.0.0.1:1").get_task("t_1")


def test_client_loads_nothing_of_the_server() -> None:
    import subprocess
    import sys

    look = (
        "import sys, backend.client;"
        "print([m for m in sys.modules if m.startswith('backend.') and m.split('.')[1] not in ('client', 'core')],"
        " [m for m in ('motor', 'pymongo', 'tornado', 'redis') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, encoding="utf-8", check=True)

    assert done.stdout.split("]")[1:] == [" [", "\n"]
