"""The client for programs with an event loop."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, cast

from backend.client import wire
from backend.client.events import HEARTBEAT, OPENED, Event
from backend.client.part_file import PartFile, is_folder, name_in
from backend.client.streaming import GIVE_UP_S, read_events
from backend.client.target import Target, find_target
from backend.client.transport import STREAM_TOTAL_S, Transport, pieces
from backend.client.wire import MAX_WAIT_S, SPARE_S, Call, create_call, data_of, get, wait_query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from types import TracebackType

    import httpx

    # The shapes alone: nothing of the server is loaded.
    from backend.api.items.schemas import ItemOut
    from backend.api.platforms.schemas import PlatformOut
    from backend.api.system.schemas import HealthOut
    from backend.api.tasks.records import LogList, Purged, TaskList, TaskRecord, TaskSummary
    from backend.api.tasks.set_records import SetCancelledOut
    from backend.client.options import ExportOptions, LogOptions, PageOptions, TaskFilters, TaskOptions

PAGE = 200
EXPORT_S = 3_600.0


class AsyncClient:
    """Talks to one server, on the event loop that opened it: `async with AsyncClient(url) as client`.

    `url` and `token` default to MEDIACRAWER_URL, and MEDIACRAWER_TOKEN or else AUTH_TOKEN; `language` ("zh", "en") is
    that of messages, both when None. Connections are the product's own (httpx's pool dies of cancelled requests), so
    every call may be cancelled. Every method raises ClientError; what is sent again after a broken connection: reads,
    cancels, and a create with an `idempotency_key`. Raises ValueError for a URL that is none.
    """

    def __init__(self, url: str | None = None, *, token: str | None = None, language: str | None = None) -> None:
        self.target: Target = find_target(url, token)
        self._transport = Transport(self.target, language=language)

    async def __aenter__(self) -> Self:
        await self._transport.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.stop()

    async def health(self, *, total_s: float = wire.CALL_S) -> HealthOut:
        """Return how the server is; one that is down says so too. Without its token only the states."""
        call = Call("GET", "/health", total_s=total_s, is_repeatable=True, is_root=True)
        return cast("HealthOut", wire.bare_of(await self._transport.send(call)))

    async def platforms(self) -> list[PlatformOut]:
        """Return every crawl platform and generation provider, with the JSON Schema of their parameters."""
        return cast("list[PlatformOut]", (await self._data(get("/platforms")))["items"])

    async def create_task(
        self,
        platform: str,
        params: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        require_available: bool = False,
        **options: Unpack[TaskOptions],
    ) -> TaskRecord:
        """Make a task. The same `idempotency_key` and values give the first one, also after a broken connection."""
        body = {"platform": platform, "params": dict(params), **options}
        return await self._record(
            create_call(body, idempotency_key=idempotency_key, require_available=require_available)
        )

    async def get_task(
        self, task_id: str, *, wait_s: float = 0, until: Literal["final", "changed"] = "final"
    ) -> TaskRecord:
        """Return the record; with `wait_s` (30 at most) when it has ended or changed, or when that time is up."""
        query = {"wait": wait_query(wait_s), "until": until if wait_s else None}
        return await self._record(get(_task(task_id), query, total_s=wait_s + SPARE_S))

    async def wait_for_end(self, task_id: str) -> TaskRecord:
        """Return the record once the task is final, however long that takes: the caller's own timeout bounds it."""
        while True:
            record = await self.get_task(task_id, wait_s=MAX_WAIT_S)
            if record["is_final"]:
                return record

    async def task_page(self, **options: Unpack[PageOptions]) -> TaskList:
        """Return one page of the list, with its counts and the cursor of the next."""
        return cast("TaskList", await self._data(get("/tasks", options)))

    async def list_tasks(
        self, *, sort: str | None = None, page_size: int = PAGE, **filters: Unpack[TaskFilters]
    ) -> AsyncGenerator[TaskSummary, None]:
        """Yield every task that matches, newest first unless `sort` says otherwise, page by page."""
        cursor = None
        while True:
            page = await self.task_page(sort=sort, cursor=cursor, limit=page_size, **filters)
            for task in page["items"]:
                yield task
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def cancel_task(self, task_id: str, *, wait_s: float = 0) -> TaskRecord:
        """Cancel; with `wait_s` (30 at most) return when it has ended. Cancelling twice changes nothing."""
        query = {"wait": wait_query(wait_s)}
        return await self._record(
            Call("DELETE", _task(task_id), query=query, total_s=wait_s + SPARE_S, is_repeatable=True)
        )

    async def cancel_tasks(self, **filters: Unpack[TaskFilters]) -> SetCancelledOut:
        """Cancel all that match; at least one filter is needed."""
        call = Call("DELETE", "/tasks", query=filters, total_s=10 * wire.CALL_S, is_repeatable=True)
        return cast("SetCancelledOut", await self._data(call))

    async def purge_task(self, task_id: str) -> Purged:
        """Remove a final task with all its results."""
        return cast("Purged", await self._data(Call("DELETE", _task(task_id), query={"purge": True})))

    async def start_task(self, task_id: str) -> TaskRecord:
        """Let a held task run."""
        return await self._record(Call("POST", f"{_task(task_id)}/start"))

    async def resume_task(self, task_id: str) -> TaskRecord:
        """Let a waiting task go on."""
        return await self._record(Call("POST", f"{_task(task_id)}/resume"))

    async def retry_task(self, task_id: str) -> TaskRecord:
        """Make a new task from a final one; never sent twice, for it would be two."""
        return await self._record(Call("POST", f"{_task(task_id)}/retry"))

    async def logs(self, task_id: str, **options: Unpack[LogOptions]) -> LogList:
        """Return lines of a task's log, in ascending order."""
        return cast("LogList", await self._data(get(f"{_task(task_id)}/logs", options)))

    async def items(self, task_id: str, *, page_size: int = PAGE, raw: bool = False) -> AsyncGenerator[ItemOut, None]:
        """Yield what a task found, page by page."""
        cursor = None
        while True:
            query = {"cursor": cursor, "limit": page_size, "raw": True if raw else None}
            page = await self._data(get(f"{_task(task_id)}/items", query))
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def export_task(
        self,
        task_id: str,
        path: Path,
        *,
        overwrite: bool = False,
        total_s: float = EXPORT_S,
        **options: Unpack[ExportOptions],
    ) -> Path:
        """Write what a task found to `path` (a folder: under the server's name for it) and return the file's path.

        xlsx unless `format` says otherwise. It is written as `*.part` and named when it is whole. Raises
        FileExistsError unless `overwrite`, OSError.
        """
        query: ExportOptions = {"format": "xlsx", **options}
        call = get(f"{_task(task_id)}/export", query, total_s=total_s)
        async with self._transport.streamed(call) as response:
            named = name_in(response.headers.get("Content-Disposition", ""), otherwise=f"{task_id}.{query['format']}")
            with PartFile(path / named if is_folder(path) else path, overwrite=overwrite) as file:
                async with aclosing(pieces(response)) as chunks:
                    async for chunk in chunks:
                        file.write(chunk)
        return file.path

    async def events(
        self, *topics: str, after: str | None = None, give_up_s: float = GIVE_UP_S
    ) -> AsyncGenerator[Event, None]:
        """Yield the events of `topics` ("tasks", "task:ID", "logs:ID") as they happen, after `after` when given.

        A broken connection is opened again and goes on behind the last event, also over a restart of the server;
        `resync` means that this could not be: read anew. Raises ServerDownError and its like after `give_up_s` without
        a connection.
        """
        async with aclosing(self._stream(topics, after=after, give_up_s=give_up_s)) as happenings:
            async for event in happenings:
                if event.name not in {OPENED, HEARTBEAT}:
                    yield event

    async def follow_task(self, task_id: str, *, give_up_s: float = GIVE_UP_S) -> AsyncGenerator[TaskSummary, None]:
        """Yield the task as it is now and at each change of what is shown; ends with the final one.

        The stream tells of changes; the record is read when it opens, and every 15 s, so that the end is seen while the
        server's Redis is down too.
        """
        last = -1
        async with aclosing(self._stream((f"task:{task_id}",), after=None, give_up_s=give_up_s)) as happenings:
            async for event in happenings:
                task = await self._task_in(event, task_id)
                if task is None or task["version"] < last:
                    continue
                last = task["version"]
                yield task
                if task["is_final"]:
                    return

    async def _task_in(self, event: Event, task_id: str) -> TaskSummary | None:
        if event.name == "task.updated":
            return cast("TaskSummary", event.data["task"])
        return await self.get_task(task_id) if event.name in {OPENED, HEARTBEAT, "resync"} else None

    def _stream(self, topics: Sequence[str], *, after: str | None, give_up_s: float) -> AsyncGenerator[Event, None]:
        def connect(cursor: str | None) -> AbstractAsyncContextManager[httpx.Response]:
            headers = {} if cursor is None else {"Last-Event-ID": cursor}
            call = get("/stream", {"topics": topics or None}, total_s=STREAM_TOTAL_S)
            return self._transport.streamed(call, headers=headers)

        return read_events(connect, after=after, give_up_s=give_up_s)

    async def _record(self, call: Call) -> TaskRecord:
        return cast("TaskRecord", await self._data(call))

    async def _data(self, call: Call) -> Any:
        return data_of(await self._transport.send(call))


def _task(task_id: str) -> str:
    # An id goes into the path: what is none would ask for something else.
    if not task_id.replace("_", "").replace("-", "").isalnum() or not task_id.isascii():
        raise ValueError(f"not the id of a task: {task_id!r}")
    return f"/tasks/{task_id}"
