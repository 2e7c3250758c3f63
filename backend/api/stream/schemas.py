"""What is asked of the stream, and the data of each of its events."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from backend.api.query import QueryModel
from backend.api.shapes import Cursor
from backend.api.tasks.records import LogLineOut, TaskSummary

MAX_TOPICS = 50

Topic = Annotated[str, Field(pattern=r"^(tasks|(task|logs):[A-Za-z0-9_-]{1,40})$")]


class StreamQuery(QueryModel):
    """What to follow, and from where on."""

    topics: tuple[Topic, ...] = Field(
        ("tasks",), max_length=MAX_TOPICS, description="tasks, task:ID and logs:ID, parted by commas"
    )
    after: Cursor | None = Field(None, description="stream_cursor, or the id of the last event seen")


class TaskEventData(TypedDict):
    """Of task.created and task.updated; `final` is true once per task, in its last event."""

    task: TaskSummary
    final: bool


class LogEventData(TypedDict):
    """Of task.log."""

    task_id: str
    lines: list[LogLineOut]


class ItemsEventData(TypedDict):
    """Of task.items: how many were added since the last one, and how many there are."""

    task_id: str
    added: int
    stored: int


class SystemEventData(TypedDict):
    """Of system; each count goes to 1,000 at most."""

    running: int
    pending: int
    waiting: int
    status: Literal["ok", "degraded", "down"]
    version: str


class ResyncEventData(TypedDict):
    """Of resync: read anew, then go on from `stream_cursor` (null while there is none)."""

    reason: Literal["cursor_too_old", "unknown_cursor", "slow_reader", "flushed"]
    stream_cursor: str | None


StreamEventData = TaskEventData | LogEventData | ItemsEventData | SystemEventData | ResyncEventData
