"""`/tasks`: make, list, read, cancel, start, resume, retry and purge tasks; read their logs and files."""

import re
from collections.abc import Awaitable

from backend.api.artifacts.schemas import ArtifactList, artifact_out
from backend.api.base import OK, ApiHandler
from backend.api.openapi import Operation, Route
from backend.api.query import NoQuery
from backend.api.shapes import PageQuery
from backend.api.tasks.records import (
    HistoryList,
    LogList,
    Purged,
    TaskList,
    TaskRecord,
    history_out,
    list_out,
    log_out,
    record_out,
)
from backend.api.tasks.schemas import (
    CancelQuery,
    CreateQuery,
    DeleteQuery,
    GetQuery,
    ListQuery,
    LogQuery,
    TaskBulk,
    TaskCreate,
    read_bulk,
    read_entry,
    read_key,
    read_request,
)
from backend.api.tasks.set_records import BatchOut, SetCancelledOut, batch_out, cancelled_out, facets_out
from backend.domain.errors import TaskNotFoundError
from backend.domain.task import Task, TaskStatus
from backend.domain.text import Text

_READS = frozenset({"GET", "HEAD"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_CREATED = Text("任务创建成功", "Task created")
_CANCEL_ACCEPTED = Text("取消请求已受理", "Cancel accepted")
_CANCELLED = Text("任务已取消", "Task cancelled")
_PURGED = Text("任务已删除", "Task purged")
_STARTED = Text("任务已开始", "Task started")
_RESUMED = Text("任务已继续", "Task resumed")


class TaskPartHandler(ApiHandler):
    """A handler below `/tasks/{id}`: nobody gets to one whose task they may not see, or would change and may not."""

    def prepare(self) -> Awaitable[None] | None:
        """Let in who may come in, and to this task."""
        checking = super().prepare()
        if not self.path_args or self.request.method == "OPTIONS" or self.caller.is_admin:
            return checking
        return self._check_access(self.path_args[0])

    async def _check_access(self, task_id: str) -> None:
        self.check_id(task_id)
        is_change = self.request.method not in _READS
        await self.services.access.check(task_id, self.caller, is_change=is_change)

    async def find_task(self, task_id: str) -> Task:
        """Return the task. Raises TaskNotFoundError, also for what cannot be an id."""
        self.check_id(task_id)
        return await self.services.tasks.get(task_id)

    def check_id(self, task_id: str) -> None:
        """Raise TaskNotFoundError for what cannot be an id."""
        if not _ID.fullmatch(task_id):
            raise TaskNotFoundError(task_id[:40])

    async def write_task(self, task: Task, message: Text = OK) -> None:
        """Finish with the whole record."""
        artifacts = await self.services.artifacts.of_task(task.task_id)
        self.write_data(record_out(task, artifacts, self.speech), message)


class TasksHandler(TaskPartHandler):
    """All tasks."""

    async def post(self) -> None:
        """Make a task; the same Idempotency-Key and body give the first one."""
        query = self.read_query(CreateQuery)
        key = read_key(self.request.headers.get("Idempotency-Key"))
        request = read_request(self.read_body())
        made = await self.services.tasks.create_task(
            request,
            by=self.caller.name,
            sees=self.services.access.eyes_of(self.caller),
            idempotency_key=key,
            require_available=query.require_available,
        )
        if made.is_replay:
            self.set_header("Idempotent-Replay", "true")
            await self.write_task(made.task, _CREATED)
        else:
            # A task of this moment has no files yet.
            self.write_data(record_out(made.task, (), self.speech), _CREATED)

    async def get(self) -> None:
        """List tasks; with `?facets=1` also how many there are of each status, kind and platform."""
        query = self.read_query(ListQuery)
        asked = self.services.access.seen(query.to_query(), self.caller)
        # Before the list: what changes while it is read comes on the stream.
        cursor = self.services.events.cursor
        page = list_out(await self.services.tasks.list(asked), self.speech, stream_cursor=cursor)
        if query.facets:
            page["facets"] = facets_out(await self.services.tasks.facets(asked))
        self.write_data(page)

    async def delete(self) -> None:
        """Cancel all that match the filters, whether or not the caller stays to hear of it; of members, their own."""
        query = self.services.access.changeable(self.read_query(CancelQuery).to_query(), self.caller)
        self.write_data(cancelled_out(await self.services.sets.cancel(query, by=self.caller.name)), _CANCEL_ACCEPTED)

    def on_connection_close(self) -> None:
        """Go on with a cancel: begun on many tasks it is not left half-way, and a server that leaves waits for it."""
        if self.request.method != "DELETE":
            super().on_connection_close()


class TaskBulkHandler(ApiHandler):
    """Many tasks."""

    async def post(self) -> None:
        """Make a task of each good entry; the same Idempotency-Key and body give the first ones."""
        query = self.read_query(CreateQuery)
        key = read_key(self.request.headers.get("Idempotency-Key"))
        title, entries = read_bulk(self.read_body())
        batch = await self.services.batches.create(
            *(entries, read_entry),
            by=self.caller.name,
            sees=self.services.access.eyes_of(self.caller),
            batch_title=title,
            idempotency_key=key,
            require_available=query.require_available,
        )
        if batch.is_replay:
            self.set_header("Idempotent-Replay", "true")
        self.write_data(batch_out(batch, self.speech, self.request_id), _CREATED)


class TaskHandler(TaskPartHandler):
    """One task."""

    async def get(self, task_id: str) -> None:
        """Read it; `?wait=` waits for its end or its next change."""
        query = self.read_query(GetQuery)
        task = await self.find_task(task_id)
        if query.wait and not task.status.is_final:
            wait = self.services.tasks.wait(task_id, until=query.until, version=task.version, timeout_s=query.wait)
            task = await self.while_connected(wait)
        await self.write_task(task)

    async def delete(self, task_id: str) -> None:
        """Cancel it, or with `?purge=1` remove it when it is final."""
        query = self.read_query(DeleteQuery)
        self.check_id(task_id)
        if query.purge:
            await self.services.tasks.purge(task_id, by=self.caller.name)
            self.write_data({"task_id": task_id, "purged": True}, _PURGED)
            return
        task = await self.services.tasks.cancel_task(task_id, by=self.caller.name, wait_s=query.wait)
        await self.write_task(task, _CANCELLED if task.status is TaskStatus.CANCELLED else _CANCEL_ACCEPTED)


class TaskStartHandler(TaskPartHandler):
    """A held task."""

    async def post(self, task_id: str) -> None:
        """Let it run."""
        self.read_query(NoQuery)
        self.check_id(task_id)
        await self.write_task(await self.services.tasks.start(task_id, by=self.caller.name), _STARTED)


class TaskResumeHandler(TaskPartHandler):
    """A waiting task."""

    async def post(self, task_id: str) -> None:
        """Let it go on."""
        self.read_query(NoQuery)
        self.check_id(task_id)
        await self.write_task(await self.services.tasks.resume(task_id, by=self.caller.name), _RESUMED)


class TaskRetryHandler(TaskPartHandler):
    """A final task."""

    async def post(self, task_id: str) -> None:
        """Make a new task from it."""
        self.read_query(NoQuery)
        self.check_id(task_id)
        await self.write_task(await self.services.tasks.retry(task_id, by=self.caller.name), _CREATED)


class TaskArtifactsHandler(TaskPartHandler):
    """The files of a task."""

    async def get(self, task_id: str) -> None:
        """List them, oldest first, in one page."""
        self.read_query(PageQuery)
        await self.find_task(task_id)
        artifacts = await self.services.artifacts.of_task(task_id)
        self.write_data({"items": [artifact_out(one) for one in artifacts], "next_cursor": None})


class TaskLogsHandler(TaskPartHandler):
    """The log of a task."""

    async def get(self, task_id: str) -> None:
        """Read lines after or before a seq, or the newest."""
        query = self.read_query(LogQuery)
        self.check_id(task_id)
        self.write_data(log_out(await self.services.tasks.logs(task_id, **query.model_dump())))


class TaskHistoryHandler(TaskPartHandler):
    """The history of a task."""

    async def get(self, task_id: str) -> None:
        """List every change of state, oldest first."""
        self.read_query(PageQuery)
        task = await self.find_task(task_id)
        self.write_data({"items": [history_out(one) for one in task.history], "next_cursor": None})


_REQUEST = ("UNKNOWN_PLATFORM", "UNKNOWN_TYPE", "IDEMPOTENCY_CONFLICT", "PLATFORM_UNAVAILABLE", "SHUTTING_DOWN")
_MISSING = ("TASK_NOT_FOUND",)
_CHANGE = ("TASK_NOT_FOUND", "STATE_CONFLICT", "SHUTTING_DOWN")
_PATH = "/api/v1/tasks/{task_id}"

ROUTES = (
    Route(
        "/api/v1/tasks",
        TasksHandler,
        {
            "post": Operation(
                "Create a task",
                TaskRecord,
                query=CreateQuery,
                body=TaskCreate,
                errors=_REQUEST,
                headers={"Idempotency-Key": "The same key and body return the first task; another body is 409"},
                answer_headers={"Idempotent-Replay": "true when the task was there already"},
            ),
            "get": Operation("List tasks", TaskList, query=ListQuery, errors=("BAD_CURSOR",)),
            "delete": Operation(
                "Cancel all tasks that match; a member: of those they made",
                SetCancelledOut,
                query=CancelQuery,
                errors=("FILTER_REQUIRED", "SHUTTING_DOWN"),
            ),
        },
    ),
    Route(
        "/api/v1/tasks/bulk",
        TaskBulkHandler,
        {
            "post": Operation(
                "Create up to 1,000 tasks; a bad one does not spoil the others",
                BatchOut,
                query=CreateQuery,
                body=TaskBulk,
                errors=("IDEMPOTENCY_CONFLICT", "SHUTTING_DOWN"),
                headers={"Idempotency-Key": "Of the whole call: the same key and body return the first tasks"},
                answer_headers={"Idempotent-Replay": "true when all the tasks were there already"},
            ),
        },
    ),
    Route(
        _PATH,
        TaskHandler,
        {
            "get": Operation("Read a task", TaskRecord, query=GetQuery, errors=_MISSING),
            "delete": Operation(
                "Cancel a task, or remove it with ?purge=1", TaskRecord | Purged, query=DeleteQuery, errors=_CHANGE
            ),
        },
    ),
    *(
        Route(f"{_PATH}/{verb}", handler, {"post": Operation(summary, TaskRecord, errors=_CHANGE)})
        for verb, handler, summary in (
            ("start", TaskStartHandler, "Start a held task"),
            ("resume", TaskResumeHandler, "Resume a waiting task"),
            ("retry", TaskRetryHandler, "Make a new task from a final one"),
        )
    ),
    Route(
        f"{_PATH}/artifacts",
        TaskArtifactsHandler,
        {"get": Operation("List the files of a task", ArtifactList, query=PageQuery, errors=_MISSING)},
    ),
    Route(
        f"{_PATH}/logs",
        TaskLogsHandler,
        {"get": Operation("Read the log of a task", LogList, query=LogQuery, errors=_MISSING)},
    ),
    Route(
        f"{_PATH}/history",
        TaskHistoryHandler,
        {"get": Operation("List the changes of a task's state", HistoryList, query=PageQuery, errors=_MISSING)},
    ),
)
