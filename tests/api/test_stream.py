"""`GET /api/v1/stream` over a real socket."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from backend.api.stream import broadcast, readers
from backend.domain.execution import TaskContext
from backend.domain.task import Books, Ending, Stage
from tests.fixtures.api_server import ApiServer, StartApi
from tests.fixtures.scripted import DONE, hang

STREAM = "/api/v1/stream"
_WITHIN_S = 30


@dataclass(frozen=True)
class Event:
    name: str
    data: Any
    id: str | None

    @property
    def seen(self) -> tuple[str, str, int, bool]:
        task = self.data["task"]
        return (task["task_id"], task["status"], task["version"], self.data["final"])


class Feed:
    """An open stream, parsed by the rules of the specification."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.comments = 0
        self.retry: str | None = None
        self._lines = answer.aiter_lines()

    async def next(self) -> Event:
        fields: dict[str, str] = {}
        async with asyncio.timeout(_WITHIN_S):
            while True:
                line = await anext(self._lines)
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "data" in fields:
                    return Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
                else:
                    self.retry = fields.pop("retry", self.retry)

    async def of(self, *names: str) -> Event:
        """Return the next event with one of these names."""
        while (event := await self.next()).name not in names:
            pass
        return event

    async def until_final(self) -> list[Event]:
        found: list[Event] = []
        while not found or not found[-1].data["final"]:
            found.append(await self.of("task.created", "task.updated"))
        return found

    async def comment(self) -> None:
        before = self.comments
        async with asyncio.timeout(_WITHIN_S):
            while self.comments == before:
                self.comments += (await anext(self._lines)).startswith(":")


@asynccontextmanager
async def feed(api: ApiServer, topics: str = "tasks", **given: Any) -> AsyncIterator[Feed]:
    params = {"topics": topics, **{name: value for name, value in given.items() if name == "after" and value}}
    async with api.client.stream("GET", STREAM, params=params, headers=given.get("headers", {})) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield Feed(answer)


async def cursor_of(api: ApiServer) -> str:
    cursor = (await api.client.get("/api/v1/tasks")).json()["data"]["stream_cursor"]
    assert isinstance(cursor, str)
    return cursor


async def until(is_so: Callable[[], object]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(_WITHIN_S):
        while not is_so():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


async def cancel(api: ApiServer, task_id: str) -> None:
    answer = await api.client.delete(f"/api/v1/tasks/{task_id}")
    assert answer.status_code == 200


async def test_life_of_a_task_is_told_and_ends_with_the_one_final_event(api: ApiServer) -> None:
    async with feed(api, after=await cursor_of(api)) as reader:
        made = await api.create()
        await cancel(api, made["task_id"])
        events = await reader.until_final()

    assert [event.name for event in events] == ["task.created", "task.updated"]
    assert [event.seen for event in events] == [
        (made["task_id"], "held", 1, False),
        (made["task_id"], "cancelled", 2, True),
    ]
    assert all(event.id for event in events)
    assert reader.retry == "1000"


async def test_event_shows_a_task_as_the_list_does_in_the_language_of_its_reader(api: ApiServer) -> None:
    async with feed(api, headers={"Accept-Language": "en"}, after=await cursor_of(api)) as reader:
        made = await api.create()
        event = await reader.of("task.created")

    headers = {"Accept-Language": "en"}
    listed = (await api.client.get("/api/v1/tasks", headers=headers)).json()["data"]["items"]
    assert event.data["task"] == listed[0]
    assert event.data["task"]["task_id"] == made["task_id"]


async def test_headers_say_that_nobody_may_keep_or_collect_it(api: ApiServer) -> None:
    async with feed(api) as reader:
        headers = reader.answer.headers

    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")


@pytest.mark.parametrize("way", ["after", "Last-Event-ID"])
async def test_reconnect_replays_without_gap_or_repeat(api: ApiServer, way: str) -> None:
    async with feed(api, after=await cursor_of(api)) as reader:
        first = await api.create()
        await reader.of("task.created")
        await cancel(api, first["task_id"])
        seen = await reader.of("task.updated")
    second = await api.create()
    await cancel(api, second["task_id"])
    given = {"after": seen.id} if way == "after" else {"headers": {"Last-Event-ID": seen.id}}

    async with feed(api, **given) as reader:
        events = await reader.until_final()

    assert [event.seen[0] for event in events] == [second["task_id"]] * 2
    assert [event.seen[2] for event in events] == [1, 2]


async def test_browser_that_connects_again_goes_on_after_the_last_event_it_saw(api: ApiServer) -> None:
    first_address = await cursor_of(api)
    async with feed(api, after=first_address) as reader:
        await api.create()
        seen = await reader.of("task.created")
    second = await api.create()

    # A browser keeps the address it was given, and sends what it saw last beside it.
    async with feed(api, after=first_address, headers={"Last-Event-ID": seen.id}) as reader:
        event = await reader.of("task.created")

    assert event.seen[0] == second["task_id"]


async def test_reconnect_to_a_restarted_server_replays_without_gap_or_repeat(start_api: StartApi) -> None:
    before = await start_api()
    cursor = await cursor_of(before)
    made = await before.create()
    after = await start_api()
    await cancel(after, made["task_id"])

    async with feed(after, after=cursor) as reader:
        events = await reader.until_final()

    assert [event.seen[1:] for event in events] == [("held", 1, False), ("cancelled", 2, True)]


@pytest.mark.parametrize("cursor", ["nonsense", "0123456789ab.1-2"])
async def test_cursor_that_is_not_known_gets_a_resync_and_goes_on(api: ApiServer, cursor: str) -> None:
    async with feed(api, after=cursor) as reader:
        first = await reader.of("resync")
        await api.create()
        then = await reader.of("task.created")

    assert first.data == {"reason": first.data["reason"], "stream_cursor": first.id}
    assert first.data["reason"] in {"unknown_cursor", "flushed"}
    assert then.seen[1] == "held"


async def test_flush_gets_every_open_stream_a_resync(api: ApiServer) -> None:
    async with feed(api) as one, feed(api, topics="task:t_1") as other:
        await api.log._door.ask(lambda redis: redis.delete(f"{api.log._base}:state", api.log._base))
        found = [await reader.of("resync") for reader in (one, other)]

    assert [event.data["reason"] for event in found] == ["flushed", "flushed"]


async def test_topic_of_a_task_tells_of_it_alone(api: ApiServer) -> None:
    one, other = await api.create(), await api.create()

    async with feed(api, topics=f"task:{one['task_id']}") as reader:
        await cancel(api, other["task_id"])
        await cancel(api, one["task_id"])
        event = await reader.next()

    assert event.seen == (one["task_id"], "cancelled", 2, True)


async def test_event_on_two_chosen_topics_comes_once(api: ApiServer) -> None:
    # Before the task: what is announced of it may come at any time after.
    cursor = await cursor_of(api)
    made = await api.create()
    topics = f"tasks,task:{made['task_id']},logs:{made['task_id']}"

    async with feed(api, topics=topics, after=cursor) as reader:
        await cancel(api, made["task_id"])
        await api.create()
        events = [await reader.of("task.created", "task.updated") for _ in range(3)]

    assert [event.name for event in events] == ["task.created", "task.updated", "task.created"]


async def test_progress_lines_and_items_come_without_an_id_and_lines_come_once(api: ApiServer) -> None:
    going = asyncio.Event()

    async def work(context: TaskContext) -> Ending:
        await going.wait()
        for number in range(3):
            context.log("info", f"line {number}")
        context.progress(done=2, total=4, stage=Stage.FETCH, books=Books(requested=2, ok=2, stored=2))
        await asyncio.Event().wait()
        return DONE

    api.bench.executor.script = work
    api.bench.executor.books = Books(requested=2, ok=2, stored=2)
    made = await api.create(start="now")
    task_id = made["task_id"]
    wanted = {"task.log", "task.items", "progress"}
    found: dict[str, list[Event]] = {}

    async with feed(api, topics=f"task:{task_id},logs:{task_id}") as reader:
        going.set()
        while wanted - found.keys():
            event = await reader.next()
            name = "progress" if event.name == "task.updated" and event.id is None else event.name
            found.setdefault(name, []).append(event)
        await cancel(api, task_id)
        while not (event := await reader.next()).data.get("final"):
            found.setdefault(event.name, []).append(event)

    lines = [line["message"] for event in found["task.log"] for line in event.data["lines"]]
    assert lines == ["line 0", "line 1", "line 2"]
    assert [event.data for event in found["task.items"]] == [{"task_id": task_id, "added": 2, "stored": 2}]
    assert found["progress"][0].data["task"]["progress"]["done"] == 2
    assert not any(event.id for name in ("task.log", "task.items") for event in found[name])


async def test_system_event_says_how_the_server_is(api: ApiServer) -> None:
    async with feed(api) as reader:
        event = await reader.of("system")

    assert event.data == {"running": 0, "pending": 0, "waiting": 0, "status": "ok", "version": api.system.version}
    assert event.id is None


async def test_silent_stream_has_a_heartbeat(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "HEARTBEAT_S", 0.1)

    async with feed(api, topics="task:t_1") as reader:
        await reader.comment()
        await reader.comment()

    assert reader.comments == 2


@pytest.fixture
def slow(api: ApiServer) -> Iterator[socket.socket]:
    """An open stream that nobody reads."""
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.connect(("127.0.0.1", api.port))
        made.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        yield made


async def test_slow_reader_is_dropped_and_slows_nobody(
    api: ApiServer, slow: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "MAX_FRAMES", 60)
    monkeypatch.setattr(broadcast, "_LAST_WORD_S", 0.1)
    made = await api.create()
    row = await api.database.do(api.database.collection("tasks").find_one({"_id": made["task_id"]}))
    assert row is not None
    count = 600

    async with feed(api, after=await cursor_of(api)) as reader:
        await until(lambda: len(api.app.streams) == 2)
        telling = asyncio.create_task(_tell(api, {**row, "title": "x" * 20_000}, count))
        versions = [(await reader.of("task.updated")).seen[2] for _ in range(count)]
        await telling
        await until(lambda: len(api.app.streams) == 1)

    assert versions == list(range(2, count + 2))
    await until(lambda: not api.app.streams._parting)


async def _tell(api: ApiServer, row: dict[str, Any], count: int) -> None:
    """Tell of many changes, as fast as a reader that reads takes them."""
    streams = api.app.streams
    for version in range(2, count + 2):
        api.announcer.changed({**row, "version": version})
        if version % 20 == 0:
            await api.announcer.idle()
            await until(lambda: all(one.is_busy or one.position == streams._log.end for one in streams._readers))


async def test_stream_ends_at_once_when_the_server_leaves(api: ApiServer) -> None:
    api.bench.executor.script = hang
    async with feed(api) as reader:
        await reader.of("system")
        assert not api.app.answering._handlers

        await api.app.streams.close()

        with pytest.raises(StopAsyncIteration):
            await reader.of("none")


async def test_server_that_leaves_opens_no_stream(api: ApiServer) -> None:
    api.system.mark_draining()

    answer = await api.client.get(STREAM)

    assert (answer.status_code, answer.json()["code"]) == (503, 50302)
    assert "retry-after" in answer.headers


async def test_stream_asks_for_the_token_as_every_route_does(start_api: StartApi) -> None:
    api = await start_api(auth_token="a" * 40)

    answer = await api.client.get(STREAM)

    assert (answer.status_code, answer.json()["code"]) == (401, 40101)


async def test_origin_of_another_site_gets_no_stream(api: ApiServer) -> None:
    answer = await api.client.get(STREAM, headers={"Origin": "https://evil.example"})

    assert answer.json()["code"] == 40302


@pytest.mark.parametrize(
    "topics", ["foo", "task:", "task:a/b", "tasks,logs:ü", ",".join(f"task:{n}" for n in range(51))]
)
async def test_topic_that_is_none_is_named(api: ApiServer, topics: str) -> None:
    answer = await api.client.get(STREAM, params={"topics": topics})

    assert answer.json()["code"] == 42201
    assert answer.json()["error"]["fields"][0]["path"].startswith("topics")


async def test_one_stream_too_many_is_refused(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "MAX_READERS", 1)
    async with feed(api) as reader:
        await reader.of("system")
        answer = await api.client.get(STREAM)

    assert (answer.status_code, answer.json()["code"]) == (429, 42901)


async def test_readers_who_leave_are_forgotten(api: ApiServer) -> None:
    async with feed(api) as reader:
        await reader.of("system")

    await until(lambda: len(api.app.streams) == 0)


async def test_streams_that_broke_down_do_not_go_on_breaking_down(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks: list[None] = []

    async def broken() -> Any:
        breaks.append(None)
        raise KeyError

    monkeypatch.setattr(broadcast, "_AGAIN_S", 60.0)
    monkeypatch.setattr(api.app.streams, "_pulse", broken)
    async with feed(api):
        await until(lambda: breaks)
        for _ in range(5):
            await api.client.get("/api/v1/tasks")

    assert len(breaks) == 1


async def test_http_1_0_reader_gets_plain_bytes(api: ApiServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(f"GET {STREAM} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
    async with asyncio.timeout(_WITHIN_S):
        head = await reader.readuntil(b"\r\n\r\n")
        first = await reader.readuntil(b"\n\n")
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()

    assert b"chunked" not in head
    assert first == b"retry: 1000\n\n"


async def test_head_opens_nothing(api: ApiServer) -> None:
    answer = await api.client.head(STREAM)

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert len(api.app.streams) == 0


async def test_wait_on_a_server_that_does_not_run_the_task_is_answered_at_its_end(start_api: StartApi) -> None:
    runner, other = await start_api(), await start_api()
    runner.bench.executor.script = hang
    made = await runner.create(start="now")
    started = runner.clock.elapsed()

    waiting = asyncio.create_task(other.client.get(f"/api/v1/tasks/{made['task_id']}", params={"wait": "25"}))
    await until(lambda: other.hub._watchers)
    await cancel(runner, made["task_id"])
    record = (await waiting).json()["data"]

    assert record["status"] == "cancelled"
    assert runner.clock.elapsed() - started < 20


async def test_stream_cursor_was_read_before_the_list(api: ApiServer) -> None:
    cursor = api.hub.cursor
    made = await api.create()
    await api.announcer.idle()

    async with feed(api, after=cursor) as reader:
        event = await reader.of("task.created")

    assert event.data["task"]["task_id"] == made["task_id"]
