"""What is told of a task to whoever follows it: the events of the stream, before they are words on a wire."""

from dataclasses import dataclass

from backend.domain.log import LogLine
from backend.domain.task import Task


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task as it is now. `is_final` is true for the last event of a task alone.

    A task that was cancelled between two runs is told twice: at once, and for good when its books are counted.
    """

    task: Task
    is_new: bool = False
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class LinesAdded:
    """Lines that were added to a task's log."""

    task_id: str
    lines: tuple[LogLine, ...]


@dataclass(frozen=True, slots=True)
class ItemsAdded:
    """How many items a task has found since it was last told, and how many it has."""

    task_id: str
    added: int
    stored: int


TaskEvent = TaskChanged | LinesAdded | ItemsAdded
