"""The client for programs without an event loop: the same one, on a loop of its own in a thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack

from backend.client import wire
from backend.client.aio import EXPORT_S, PAGE, AsyncClient
from backend.client.streaming import GIVE_UP_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from backend.api.items.schemas import ItemOut
    from backend.api.platforms.schemas import PlatformOut
    from backend.api.system.schemas import HealthOut
    from backend.api.tasks.records import LogList, Purged, TaskList, TaskRecord, TaskSummary
    from backend.api.tasks.set_records import SetCancelledOut
    from backend.client.events import Event
    from backend.client.options import ExportOptions, LogOptions, PageOptions, TaskFilters, TaskOptions
    from backend.client.target import Target

T = TypeVar("T")


class Client:
    """Talks to one server: `with Client(url) as client`. Arguments, results and errors are those of AsyncClient.

    It works beside a running event loop too (a notebook). Ctrl+C in a call cancels the request. Not for two threads at
    once.
    """

    def __init__(self, url: str | None = None, *, token: str | None = None, language: str | None = None) -> None:
        self._client = AsyncClient(url, token=token, language=language)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def target(self) -> Target:
        """The server it talks to."""
        return self._client.target

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=self._turn, args=(started,), name="mediacrawer-client", daemon=True)
        self._thread.start()
        started.wait()
        self._run(self._client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is None or self._thread is None:
            return
        self._run(self._client.__aexit__(kind, error, trace))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop = None

    def health(self, *, total_s: float = wire.CALL_S) -> HealthOut:
        """Return how the server is; one that is down says so too."""
        return self._run(self._client.health(total_s=total_s))

    def platforms(self) -> list[PlatformOut]:
        """Return every crawl platform and generation provider."""
        return self._run(self._client.platforms())

    def create_task(
        self,
        platform: str,
        params: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        require_available: bool = False,
        **options: Unpack[TaskOptions],
    ) -> TaskRecord:
        """Make a task; the same `idempotency_key` and values give the first one."""
        return self._run(
            self._client.create_task(
                platform, params, idempotency_key=idempotency_key, require_available=require_available, **options
            )
        )

    def get_task(self, task_id: str, *, wait_s: float = 0, until: Literal["final", "changed"] = "final") -> TaskRecord:
        """Return the record, at once or when it has ended or changed."""
        return self._run(self._client.get_task(task_id, wait_s=wait_s, until=until))

    def wait_for_end(self, task_id: str) -> TaskRecord:
        """Return the record once the task is final, however long that takes."""
        return self._run(self._client.wait_for_end(task_id))

    def task_page(self, **options: Unpack[PageOptions]) -> TaskList:
        """Return one page of the list."""
        return self._run(self._client.task_page(**options))

    def list_tasks(
        self, *, sort: str | None = None, page_size: int = PAGE, **filters: Unpack[TaskFilters]
    ) -> Iterator[TaskSummary]:
        """Yield every task that matches."""
        return self._each(self._client.list_tasks(sort=sort, page_size=page_size, **filters))

    def cancel_task(self, task_id: str, *, wait_s: float = 0) -> TaskRecord:
        """Cancel; with `wait_s` return when it has ended."""
        return self._run(self._client.cancel_task(task_id, wait_s=wait_s))

    def cancel_tasks(self, **filters: Unpack[TaskFilters]) -> SetCancelledOut:
        """Cancel all that match; at least one filter is needed."""
        return self._run(self._client.cancel_tasks(**filters))

    def purge_task(self, task_id: str) -> Purged:
        """Remove a final task with all its results."""
        return self._run(self._client.purge_task(task_id))

    def start_task(self, task_id: str) -> TaskRecord:
        """Let a held task run."""
        return self._run(self._client.start_task(task_id))

    def resume_task(self, task_id: str) -> TaskRecord:
        """Let a waiting task go on."""
        return self._run(self._client.resume_task(task_id))

    def retry_task(self, task_id: str) -> TaskRecord:
        """Make a new task from a final one."""
        return self._run(self._client.retry_task(task_id))

    def logs(self, task_id: str, **options: Unpack[LogOptions]) -> LogList:
        """Return lines of a task's log."""
        return self._run(self._client.logs(task_id, **options))

    def items(self, task_id: str, *, page_size: int = PAGE, raw: bool = False) -> Iterator[ItemOut]:
        """Yield what a task found."""
        return self._each(self._client.items(task_id, page_size=page_size, raw=raw))

    def export_task(
        self,
        task_id: str,
        path: Path,
        *,
        overwrite: bool = False,
        total_s: float = EXPORT_S,
        **options: Unpack[ExportOptions],
    ) -> Path:
        """Write what a task found to a file, or into a folder, and return the file's path."""
        return self._run(self._client.export_task(task_id, path, overwrite=overwrite, total_s=total_s, **options))

    def events(self, *topics: str, after: str | None = None, give_up_s: float = GIVE_UP_S) -> Iterator[Event]:
        """Yield the events of `topics` as they happen, over reconnects."""
        return self._each(self._client.events(*topics, after=after, give_up_s=give_up_s))

    def follow_task(self, task_id: str, *, give_up_s: float = GIVE_UP_S) -> Iterator[TaskSummary]:
        """Yield the task as it is now and at each change; ends with the final one."""
        return self._each(self._client.follow_task(task_id, give_up_s=give_up_s))

    def _turn(self, started: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(started.set)
            self._loop.run_forever()

    def _run(self, doing: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            doing.close()
            raise RuntimeError("the client is not open: use it in a `with` block")
        done = asyncio.run_coroutine_threadsafe(doing, self._loop)
        try:
            return done.result()
        finally:
            # Ctrl+C arrives in this thread: the request must not go on behind it.
            done.cancel()

    def _each(self, source: AsyncGenerator[T, None]) -> Iterator[T]:
        try:
            while (found := self._run(_next(source))) is not None:
                yield found
        finally:
            self._run(source.aclose())


async def _next(source: AsyncGenerator[T, None]) -> T | None:
    # Nothing that is iterated here is ever None.
    return await anext(source, None)
