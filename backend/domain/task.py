"""A task and everything its record says. Times are aware UTC datetimes; the wire shapes are in api/."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from backend.domain.text import Text


class TaskStatus(StrEnum):
    """The states of lifecycle.md §2."""

    HELD = "held"
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    TIMED_OUT = "timed_out"

    @property
    def is_final(self) -> bool:
        """Whether the task has ended for good."""
        return self in FINAL_STATUSES


FINAL_STATUSES = frozenset(
    {
        TaskStatus.CANCELLED,
        TaskStatus.SUCCEEDED,
        TaskStatus.PARTIAL,
        TaskStatus.FAILED,
        TaskStatus.TIMED_OUT,
    }
)
ACTIVE_STATUSES = frozenset(TaskStatus) - FINAL_STATUSES
OWNED_STATUSES = frozenset({TaskStatus.RUNNING, TaskStatus.CANCELLING})


class TaskKind(StrEnum):
    """What a task does: collect, or create."""

    CRAWL = "crawl"
    GENERATE = "generate"


class StopReason(StrEnum):
    """Why a run is stopped; written down before its body is cancelled."""

    USER = "user"
    DEADLINE = "deadline"
    SHUTDOWN = "shutdown"
    LEASE_LOST = "lease_lost"


class Stage(StrEnum):
    """Where a running task is; `progress.stage` on the wire."""

    QUEUED = "queued"
    START = "start"
    FETCH = "fetch"
    STORE = "store"
    SUBMIT = "submit"
    POLL = "poll"
    DOWNLOAD = "download"
    RENDER = "render"
    NEEDS_PERSON = "needs_person"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is; `rate` is units per second, `eta_s` seconds to go, both None when unknown."""

    done: int = 0
    total: int | None = None
    unit: str = "page"
    rate: float | None = None
    eta_s: float | None = None
    stage: Stage = Stage.QUEUED


@dataclass(frozen=True, slots=True)
class Books:
    """The account of a task: requested = ok + empty + blocked + failed + skipped + aborted at its end (P5)."""

    requested: int = 0
    ok: int = 0
    empty: int = 0
    blocked: int = 0
    failed: int = 0
    skipped: int = 0
    aborted: int = 0
    stored: int = 0
    queued_left: int = 0
    skipped_by: Mapping[str, int] = field(default_factory=dict)
    reported_total: int | None = None
    fetched_unique: int | None = None
    balanced: bool | None = None

    @property
    def adds_up(self) -> bool:
        """Whether every unit ever taken up has exactly one outcome."""
        parts = self.ok + self.empty + self.blocked + self.failed + self.skipped + self.aborted
        return self.requested == parts and sum(self.skipped_by.values()) == self.skipped


@dataclass(frozen=True, slots=True)
class Released:
    """What a cancelled run let go of."""

    tasks: int = 0
    connections: int = 0
    children: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True)
class CancelRecord:
    """Who asked to cancel, and what came of it."""

    requested_at: datetime
    requested_by: str
    ended_at: datetime | None = None
    released: Released = field(default_factory=Released)
    saved: int = 0


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider's job. `cancel`: None | confirmed | refused | unsupported | unknown."""

    job_id: str | None = None
    status: str | None = None
    submits: int = 0
    cancel: str | None = None
    may_bill: bool = False


@dataclass(frozen=True, slots=True)
class SubmitIntent:
    """Written before a paid submit is sent: `key` is ours, `not_after` the latest moment it can arrive."""

    key: str
    n: int
    not_after: datetime


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task failed; `name` is a word of docs/glossary.md, `where` a stage."""

    name: str
    message: Text
    advice: Text | None
    retryable: bool
    at: datetime
    where: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know or do before the task can go on."""

    code: str
    message: Text
    action: Text | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of state."""

    at: datetime
    from_status: str | None
    to_status: str
    reason: str
    attempt: int
    worker_id: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a resumed run goes on; `state` belongs to the executor."""

    at: datetime
    note: str
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewTask:
    """A validated request for a task, before it has an id."""

    kind: TaskKind
    platform: str
    type: str
    params: Mapping[str, Any]
    title: str
    created_by: str = "local"
    labels: tuple[str, ...] = ()
    priority: int = 0
    run_at: datetime | None = None
    is_held: bool = False
    max_attempts: int = 3
    deadline_s: float = 86_400
    ignored: tuple[str, ...] = ()
    notice: Notice | None = None
    batch_id: str | None = None
    batch_title: str | None = None
    retry_of: str | None = None
    idempotency_key: str | None = None
    body_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One stored task: the record of api.md, and what the lifecycle needs (fence, lease, intent, after)."""

    task_id: str
    version: int
    kind: TaskKind
    platform: str
    type: str
    title: str
    status: TaskStatus
    params: Mapping[str, Any]
    created_by: str
    created_at: datetime
    updated_at: datetime
    run_at: datetime
    labels: tuple[str, ...] = ()
    batch_id: str | None = None
    batch_title: str | None = None
    schedule_id: str | None = None
    retry_of: str | None = None
    message: Text | None = None
    notice: Notice | None = None
    priority: int = 0
    ignored: tuple[str, ...] = ()
    attempt: int = 0
    max_attempts: int = 3
    lost: int = 0
    dead: bool = False
    deadline_s: float = 86_400
    deadline_at: datetime | None = None
    worker_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    progress: Progress = field(default_factory=Progress)
    books: Books = field(default_factory=Books)
    cancel: CancelRecord | None = None
    cancel_latency_ms: float | None = None
    upstream: Upstream | None = None
    upstream_open: bool = False
    intent: SubmitIntent | None = None
    error: TaskError | None = None
    checkpoint: Checkpoint | None = None
    history: tuple[HistoryEntry, ...] = ()
    fence: int = 0
    lease_until: datetime | None = None
    after: tuple[str, ...] = ()
    log_from: Mapping[str, int] = field(default_factory=dict)
    idempotency_key: str | None = None
    body_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a running task: every write of its run filters on these three (the fence)."""

    task_id: str
    worker_id: str
    fence: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, as its body or its supervisor says."""

    status: TaskStatus
    message: Text
    error: TaskError | None = None
