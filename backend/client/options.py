"""What can be said of a task, a list or a file besides its name: the names of the API, all optional."""

from collections.abc import Sequence
from typing import Literal, TypedDict

ExportFormat = Literal["json", "jsonl", "csv", "xlsx"]


class TaskOptions(TypedDict, total=False):
    """Of a new task; `run_at` is an RFC 3339 time with its zone, `deadline_s` seconds."""

    type: str | None
    title: str | None
    labels: Sequence[str] | None
    priority: int | None
    run_at: str | None
    start: Literal["now", "manual"] | None
    max_attempts: int | None
    deadline_s: float | None


class TaskFilters(TypedDict, total=False):
    """Which tasks. `status`: words, or "active" for all that are not final; times are RFC 3339 with their zone."""

    status: Sequence[str] | None
    kind: str | None
    platform: str | None
    type: str | None
    q: str | None
    ids: Sequence[str] | None
    batch_id: str | None
    label: str | None
    created_by: str | None
    created_from: str | None
    created_to: str | None
    schedule_id: str | None


class PageOptions(TaskFilters, total=False):
    """Which page of the list, in which order (`-created_at` is newest first); `facets` counts too."""

    sort: str | None
    cursor: str | None
    limit: int | None
    facets: bool | None


class LogOptions(TypedDict, total=False):
    """Lines after or before a seq, else the newest; `level` is a minimum."""

    after: int | None
    before: int | None
    limit: int | None
    level: Literal["debug", "info", "warning", "error"] | None


class ExportOptions(TypedDict, total=False):
    """How a file is made; `distinct` keeps the newest row of each item, `tz` names a time zone."""

    format: ExportFormat
    columns: Sequence[str] | None
    distinct: bool | None
    tz: str | None
    lang: Literal["zh", "en"] | None
