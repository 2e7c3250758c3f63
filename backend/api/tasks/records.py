"""A task as it is shown: the whole record, and the shorter one of lists."""

from collections.abc import Sequence
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from backend.api.artifacts.schemas import ArtifactOut, artifact_out
from backend.api.language import Speech
from backend.api.wire import stamp, stamp_or_none
from backend.domain.generation import Artifact
from backend.domain.log import LogLine
from backend.domain.task import (
    Books,
    CancelRecord,
    HistoryEntry,
    Notice,
    Progress,
    Task,
    TaskError,
    Upstream,
)
from backend.store.events import LogPage
from backend.store.task_queries import TaskPage

Status = Literal[
    "held",
    "pending",
    "running",
    "waiting",
    "cancelling",
    "cancelled",
    "succeeded",
    "partial",
    "failed",
    "timed_out",
]
Level = Literal["debug", "info", "warning", "error"]


class NoticeOut(TypedDict):
    """Something a person should know or do before the task can go on."""

    code: str
    message: str
    action: str | None


class ProgressOut(TypedDict):
    """How far a task is; `rate` is units per second, `eta_s` seconds to go."""

    done: int
    total: int | None
    unit: str
    rate: float | None
    eta_s: float | None
    stage: Literal["queued", "start", "fetch", "store", "submit", "poll", "download", "render", "needs_person", "done"]


class BooksOut(TypedDict):
    """The account of a task: requested = ok + empty + blocked + failed + skipped + aborted at its end."""

    requested: int
    ok: int
    empty: int
    blocked: int
    failed: int
    skipped: int
    aborted: int
    stored: int
    queued_left: int
    skipped_by: dict[str, int]
    reported_total: int | None
    fetched_unique: int | None
    balanced: bool | None


class ReleasedOut(TypedDict):
    """What a cancelled run let go of."""

    tasks: int
    connections: int
    children: int
    files: int


class CancelOut(TypedDict):
    """Who asked to cancel, and what came of it."""

    requested_at: str
    requested_by: str
    ended_at: str | None
    released: ReleasedOut
    saved: int


class UpstreamOut(TypedDict):
    """A provider's job."""

    job_id: str | None
    status: str | None
    submits: int
    cancel: Literal["confirmed", "refused", "unsupported", "unknown"] | None
    may_bill: bool


class CostOut(TypedDict):
    """Money as decimal strings."""

    currency: str
    estimated: str
    reserved: str
    spent: str


class TaskErrorOut(TypedDict):
    """Why a task failed."""

    name: str
    message: str
    advice: str | None
    retryable: bool
    at: str
    where: str
    url: str | None


class CheckpointOut(TypedDict):
    """Where a resumed run goes on."""

    at: str
    note: str


# `from` is a keyword: only this form can name the key.
HistoryOut = TypedDict(
    "HistoryOut",
    {
        "at": str,
        "from": Status | None,
        "to": Status,
        "reason": str,
        "attempt": int,
        "worker_id": str | None,
        "by": str | None,
    },
)


class _Outcome(TypedDict):
    cancel: CancelOut | None
    cancel_latency_ms: float | None
    upstream: UpstreamOut | None
    cost: CostOut | None
    error: TaskErrorOut | None


class TaskSummary(_Outcome):
    """A task in a list."""

    task_id: str
    version: int
    kind: Literal["crawl", "generate"]
    platform: str
    type: str
    title: str
    labels: list[str]
    batch_id: str | None
    schedule_id: str | None
    retry_of: str | None
    created_by: str
    status: Status
    is_final: bool
    message: str | None
    notice: NoticeOut | None
    priority: int
    attempt: int
    max_attempts: int
    dead: bool
    deadline_s: float
    worker_id: str | None
    created_at: str
    updated_at: str
    run_at: str
    started_at: str | None
    ended_at: str | None
    progress: ProgressOut
    books: BooksOut


class TaskRecord(TaskSummary):
    """The whole record of a task."""

    params: dict[str, Any]
    ignored: list[str]
    artifacts: list[ArtifactOut]
    checkpoint: CheckpointOut | None
    history: list[HistoryOut]


class Purged(TypedDict):
    """A task that is gone."""

    task_id: str
    purged: Literal[True]


class Facets(TypedDict):
    """How many of the tasks that match there are of each."""

    status: dict[str, int]
    kind: dict[str, int]
    platform: dict[str, int]


class TaskList(TypedDict):
    """A page of tasks; `total` counts to 1,000 at most, `stream_cursor` is null while there is no stream."""

    items: list[TaskSummary]
    next_cursor: str | None
    total: int
    total_is_capped: bool
    stream_cursor: str | None
    facets: NotRequired[Facets]


class LogLineOut(TypedDict):
    """A line of a task's log."""

    seq: int
    at: str
    level: Level
    message: str
    fields: dict[str, Any]


class LogList(TypedDict):
    """Lines in ascending order, and the first and last seq there are."""

    items: list[LogLineOut]
    next_cursor: None
    first_seq: int | None
    last_seq: int | None


class HistoryList(TypedDict):
    """Every change of state, oldest first."""

    items: list[HistoryOut]
    next_cursor: None


def record_out(task: Task, artifacts: Sequence[Artifact], speech: Speech) -> TaskRecord:
    """Return the whole record."""
    checkpoint = task.checkpoint
    return {
        **summary_out(task, speech),
        "params": dict(task.params),
        "ignored": list(task.ignored),
        "artifacts": [artifact_out(one) for one in artifacts],
        "checkpoint": None if checkpoint is None else {"at": stamp(checkpoint.at), "note": checkpoint.note},
        "history": [history_out(one) for one in task.history],
    }


def summary_out(task: Task, speech: Speech) -> TaskSummary:
    """Return the record as lists show it."""
    return {
        "task_id": task.task_id,
        "version": task.version,
        "kind": task.kind.value,
        "platform": task.platform,
        "type": task.type,
        "title": task.title,
        "labels": list(task.labels),
        "batch_id": task.batch_id,
        "schedule_id": task.schedule_id,
        "retry_of": task.retry_of,
        "created_by": task.created_by,
        "status": task.status.value,
        "is_final": task.status.is_final,
        "message": speech.tell(task.message),
        "notice": _notice(task.notice, speech),
        "priority": task.priority,
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "dead": task.dead,
        "deadline_s": task.deadline_s,
        "worker_id": task.worker_id,
        "created_at": stamp(task.created_at),
        "updated_at": stamp(task.updated_at),
        "run_at": stamp(task.run_at),
        "started_at": stamp_or_none(task.started_at),
        "ended_at": stamp_or_none(task.ended_at),
        "progress": _progress(task.progress),
        "books": _books(task.books),
        **_outcome(task, speech),
    }


def list_out(page: TaskPage, speech: Speech, *, stream_cursor: str | None) -> TaskList:
    """Return a page of tasks, and where the stream was before it was read."""
    return {
        "items": [summary_out(task, speech) for task in page.items],
        "next_cursor": page.next_cursor,
        "total": page.total,
        "total_is_capped": page.total_is_capped,
        "stream_cursor": stream_cursor,
    }


def log_out(page: LogPage) -> LogList:
    """Return lines of a task's log."""
    lines = [line_out(one) for one in page.lines]
    return {"items": lines, "next_cursor": None, "first_seq": page.first_seq, "last_seq": page.last_seq}


def history_out(one: HistoryEntry) -> HistoryOut:
    """Return one change of state."""
    return {
        "at": stamp(one.at),
        "from": one.from_status,  # type: ignore[typeddict-item] # the store keeps no other words
        "to": one.to_status,  # type: ignore[typeddict-item]
        "reason": one.reason,
        "attempt": one.attempt,
        "worker_id": one.worker_id,
        "by": one.by,
    }


def _outcome(task: Task, speech: Speech) -> _Outcome:
    return {
        "cancel": _cancel(task.cancel),
        "cancel_latency_ms": task.cancel_latency_ms,
        "upstream": _upstream(task.upstream),
        "cost": None,
        "error": _error(task.error, speech),
    }


def line_out(one: LogLine) -> LogLineOut:
    """Return a line of a task's log."""
    return {
        "seq": one.seq,
        "at": stamp(one.at),
        "level": one.level,  # type: ignore[typeddict-item]
        "message": one.message,
        "fields": dict(one.fields),
    }


def _notice(one: Notice | None, speech: Speech) -> NoticeOut | None:
    if one is None:
        return None
    return {"code": one.code, "message": speech.tell(one.message) or "", "action": speech.tell(one.action)}


def _progress(one: Progress) -> ProgressOut:
    return {
        "done": one.done,
        "total": one.total,
        "unit": one.unit,
        "rate": one.rate,
        "eta_s": one.eta_s,
        "stage": one.stage.value,
    }


def _books(one: Books) -> BooksOut:
    return {
        "requested": one.requested,
        "ok": one.ok,
        "empty": one.empty,
        "blocked": one.blocked,
        "failed": one.failed,
        "skipped": one.skipped,
        "aborted": one.aborted,
        "stored": one.stored,
        "queued_left": one.queued_left,
        "skipped_by": dict(one.skipped_by),
        "reported_total": one.reported_total,
        "fetched_unique": one.fetched_unique,
        "balanced": one.balanced,
    }


def _cancel(one: CancelRecord | None) -> CancelOut | None:
    if one is None:
        return None
    held = one.released
    return {
        "requested_at": stamp(one.requested_at),
        "requested_by": one.requested_by,
        "ended_at": stamp_or_none(one.ended_at),
        "released": {
            "tasks": held.tasks,
            "connections": held.connections,
            "children": held.children,
            "files": held.files,
        },
        "saved": one.saved,
    }


def _upstream(one: Upstream | None) -> Any:
    if one is None:
        return None
    return {
        "job_id": one.job_id,
        "status": one.status,
        "submits": one.submits,
        "cancel": one.cancel,
        "may_bill": one.may_bill,
    }


def _error(one: TaskError | None, speech: Speech) -> TaskErrorOut | None:
    if one is None:
        return None
    return {
        "name": one.name,
        "message": speech.tell(one.message) or "",
        "advice": speech.tell(one.advice),
        "retryable": one.retryable,
        "at": stamp(one.at),
        "where": one.where,
        "url": one.url,
    }
