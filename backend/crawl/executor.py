"""The executor of crawl tasks: finds the platform, and refuses what cannot run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError

from backend.crawl.platform import CrawlPlatform, CrawlTools
from backend.domain.errors import MediaCrawerError, NeedsPersonError, TaskFailedError
from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability
from backend.domain.task import Books, Ending, Stage, StopReason, Task
from backend.domain.text import Text


class CrawlExecutor:
    """Makes the executions of crawl tasks, and counts the books of those that nobody runs."""

    def __init__(self, platforms: Mapping[str, CrawlPlatform], tools: CrawlTools) -> None:
        self._platforms = platforms
        self._tools = tools

    def begin(self, context: TaskContext) -> Execution:
        """Return the execution of this attempt; one that cannot start says so when it is run."""
        try:
            return self._runnable(context.task).begin(context, self._tools)
        except MediaCrawerError as error:
            return _Unstarted(error, self, context.task)

    async def recount(self, task: Task) -> Books:
        """Return the books counted from rows and items; rows taken up and not ended count as aborted.

        Those of a task that has ended are aborted in the store too, so that nothing late changes the count.
        """
        if task.status.is_final:
            await self._tools.frontier.abort_left([task.task_id])
        books = await self._tools.frontier.books(task.task_id, is_over=True)
        stored = await self._tools.items.count(task.task_id)
        return replace(books, stored=stored, fetched_unique=stored, reported_total=task.books.reported_total)

    async def recount_many(self, tasks: Sequence[Task]) -> Mapping[str, Books]:
        """Return the same of many tasks, by their ids, with two writes and two reads in all."""
        ids = [task.task_id for task in tasks]
        await self._tools.frontier.abort_left([task.task_id for task in tasks if task.status.is_final])
        books = await self._tools.frontier.books_of(ids, is_over=True)
        stored = await self._tools.items.count_of(ids)
        reported = {task.task_id: task.books.reported_total for task in tasks}
        return {
            one: replace(books[one], stored=stored[one], fetched_unique=stored[one], reported_total=reported[one])
            for one in ids
        }

    async def abandon(self, task: Task, context: TaskContext) -> None:
        """Do nothing: a crawl has nothing open anywhere else."""

    def _runnable(self, task: Task) -> CrawlPlatform:
        if task.platform not in self._platforms:
            raise _not_startable(Text(f"没有这个平台: {task.platform}", f"No such platform: {task.platform}"))
        platform = self._platforms[task.platform]
        kind = platform.info.type(task.type)
        if kind is None:
            raise _not_startable(Text(f"没有这个类型: {task.type}", f"No such type: {task.type}"))
        try:
            kind.model.model_validate(dict(task.params))
        except ValidationError as error:
            raise _not_startable(_what_is_wrong(error)) from None
        availability = platform.availability()
        if not availability.available:
            raise _needs_person(availability)
        return platform


class _Unstarted:
    """The execution of a task that cannot start: running it raises the reason, and nothing was done."""

    def __init__(self, error: MediaCrawerError, executor: CrawlExecutor, task: Task) -> None:
        self._error = error
        self._executor = executor
        self._task = task

    async def run(self) -> Ending:
        """Raise why."""
        raise self._error

    async def conclude(self, context: TaskContext, reason: StopReason | None) -> Books:
        """Return the books of what earlier attempts did."""
        del context, reason
        return await self._executor.recount(self._task)


def _not_startable(message: Text) -> TaskFailedError:
    # Checked at create already: only a record older than this version of the parameter model comes here.
    advice = Text("请重新创建任务", "Create the task again with today's parameters")
    return TaskFailedError("PARSE_FAILED", message, where=Stage.START, advice=advice)


def _what_is_wrong(error: ValidationError) -> Text:
    names = ", ".join(sorted({".".join(map(str, one["loc"])) or one["msg"] for one in error.errors()}))
    return Text(f"参数不再有效: {names}", f"Parameters no longer valid: {names}")


def _needs_person(availability: Availability) -> NeedsPersonError:
    message = availability.message or Text("平台暂不可用", "The platform cannot run now")
    return NeedsPersonError(availability.reason or "NOT_BUILT", message, action=availability.advice)
