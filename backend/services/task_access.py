"""Whose tasks a caller may see and change: a team shares what it sees; the maker or an admin changes a task."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal, Protocol

from backend.domain.errors import FieldProblem, ForbiddenError, TaskNotFoundError, ValidationFailedError
from backend.domain.task import NewTask, Task
from backend.domain.text import Text
from backend.domain.user import Caller
from backend.store.task_queries import TaskQuery

Visibility = Literal["team", "own"]
Sees = Callable[[str], Awaitable[bool]]

# The parameter that names a task whose results another one reads.
_SOURCE = "from_task"
_NO_SUCH_TASK = Text("没有这个任务", "There is no such task")
_NOT_YOURS = Text("只有任务的创建者或管理员可以这样做", "Only the task's maker or an admin may do this")


class TaskReader(Protocol):
    """Finds a task."""

    async def get(self, task_id: str) -> Task | None:
        """Return the task, or None."""


class TaskAccess:
    """The rules. With visibility `own` another's task is one that does not exist, but to an admin."""

    def __init__(self, tasks: TaskReader, *, visibility: Visibility = "team") -> None:
        self._tasks = tasks
        self._is_own = visibility == "own"

    def sees_all(self, caller: Caller) -> bool:
        """Tell whether there is nothing this caller may not see."""
        return caller.is_admin or not self._is_own

    async def check(self, task_id: str, caller: Caller, *, is_change: bool) -> None:
        """Raise TaskNotFoundError for what the caller may not see, ForbiddenError for what they may not change."""
        if caller.is_admin or (self.sees_all(caller) and not is_change):
            return
        task = await self._tasks.get(task_id)
        is_mine = task is not None and task.created_by == caller.name
        if task is None or (self._is_own and not is_mine):
            raise TaskNotFoundError(task_id)
        if is_change and not is_mine:
            raise ForbiddenError(_NOT_YOURS)

    async def sees(self, task_id: str, caller: Caller) -> bool:
        """Tell whether the caller may see what belongs to this task."""
        if self.sees_all(caller):
            return True
        task = await self._tasks.get(task_id)
        return task is not None and task.created_by == caller.name

    def eyes_of(self, caller: Caller) -> Sees:
        """Return what tells whether this caller may see what belongs to a task."""

        async def sees(task_id: str) -> bool:
            return await self.sees(task_id, caller)

        return sees

    def seen(self, query: TaskQuery, caller: Caller) -> TaskQuery:
        """Return the query for what the caller may see of its tasks."""
        return query if self.sees_all(caller) else replace(query, only_by=caller.name)

    def changeable(self, query: TaskQuery, caller: Caller) -> TaskQuery:
        """Return the query for what the caller may change of its tasks: all, or those they made."""
        return query if caller.is_admin else replace(query, only_by=caller.name)


async def refuse_hidden_source(new: NewTask, sees: Sees) -> None:
    """Raise ValidationFailedError when a new task would read the results of one that its maker may not see."""
    source = new.params.get(_SOURCE)
    if source is not None and not await sees(str(source)):
        raise ValidationFailedError([FieldProblem(f"params.{_SOURCE}", "NOT_FOUND", _NO_SUCH_TASK)])


async def sees_everything(_task_id: str) -> bool:
    """Tell of whoever is no caller: this process itself may read everything."""
    return True
