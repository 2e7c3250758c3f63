"""The executor of generation tasks: finds the provider, and refuses what cannot run."""

import dataclasses
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from backend.domain.errors import MediaCrawerError, NeedsPersonError, TaskFailedError
from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability
from backend.domain.task import Books, Ending, Stage, StopReason, Task
from backend.domain.text import Text
from backend.generate.outputs import count_outputs, stored_outputs
from backend.generate.provider import GenerateTools, Provider


class GenerateExecutor:
    """Makes the executions of generation tasks, and settles those that nobody runs any more."""

    def __init__(self, providers: Mapping[str, Provider], tools: GenerateTools) -> None:
        self._providers = providers
        self._tools = tools

    def begin(self, context: TaskContext) -> Execution:
        """Return the execution of this attempt; one that cannot start says so when it is run."""
        try:
            provider = self._runnable(context.task)
        except MediaCrawerError as error:
            return _Unstarted(error, self, context.task)
        return provider.begin(context, self._tools)

    async def recount(self, task: Task) -> Books:
        """Return the books of a task that nobody runs: outputs stored are ok, the one in hand is aborted."""
        return _books(task, await stored_outputs(self._tools.artifacts, task))

    async def recount_many(self, tasks: Sequence[Task]) -> Mapping[str, Books]:
        """Return the same of many tasks, by their ids, with one read in all."""
        found = await self._tools.artifacts.of_tasks([task.task_id for task in tasks])
        return {task.task_id: _books(task, count_outputs(found.get(task.task_id, ()))) for task in tasks}

    async def abandon(self, task: Task, context: TaskContext) -> None:
        """Ask the provider to cancel the open job of a task that nobody runs; the answer is recorded (5 s)."""
        if task.platform in self._providers:
            await self._providers[task.platform].abandon(task, context, self._tools)
        elif task.upstream is not None:
            # Its file is gone from this installation: nobody here can ask.
            untold = dataclasses.replace(task.upstream, cancel="unknown", may_bill=True)
            await context.record_upstream(untold, is_open=True)

    def _runnable(self, task: Task) -> Provider:
        if task.platform not in self._providers:
            raise _not_startable(Text(f"没有这个平台: {task.platform}", f"No such platform: {task.platform}"))
        provider = self._providers[task.platform]
        kind = provider.info.type(task.type)
        if kind is None:
            raise _not_startable(Text(f"没有这个类型: {task.type}", f"No such type: {task.type}"))
        try:
            kind.model.model_validate(dict(task.params))
        except ValidationError as error:
            raise _not_startable(_what_is_wrong(error)) from None
        availability = provider.availability()
        if not availability.available:
            raise _needs_person(availability)
        return provider


def _books(task: Task, ok: int) -> Books:
    was_taken_up = task.upstream is not None or task.books.requested > 0
    requested = max(ok, task.books.requested, int(was_taken_up))
    return Books(requested=requested, ok=ok, stored=ok, aborted=requested - ok, queued_left=int(not requested))


class _Unstarted:
    """The execution of a task that cannot start: running it raises the reason, and nothing was done."""

    def __init__(self, error: MediaCrawerError, executor: GenerateExecutor, task: Task) -> None:
        self._error = error
        self._executor = executor
        self._task = task

    async def run(self) -> Ending:
        """Raise why."""
        raise self._error

    async def conclude(self, context: TaskContext, reason: StopReason | None) -> Books:
        """Return what earlier attempts left; a stop for good also tells the provider of their open job."""
        if reason in {StopReason.USER, StopReason.DEADLINE} and self._task.upstream_open:
            await self._executor.abandon(self._task, context)
        return await self._executor.recount(self._task)


def _not_startable(message: Text) -> TaskFailedError:
    # Checked at create already: only a record older than this version of the parameter model comes here.
    advice = Text("请用“重试”重新创建任务", "Create the task again with today's parameters")
    return TaskFailedError("PARSE_FAILED", message, where=Stage.START, advice=advice)


def _what_is_wrong(error: ValidationError) -> Text:
    # The values stay out: a parameter may be a whole picture in base64.
    names = ", ".join(sorted({".".join(map(str, one["loc"])) or one["msg"] for one in error.errors()}))
    return Text(f"参数不再有效: {names}", f"Parameters no longer valid: {names}")


def _needs_person(availability: Availability) -> NeedsPersonError:
    message = availability.message or Text("平台暂不可用", "The platform cannot run now")
    return NeedsPersonError(availability.reason or "NOT_BUILT", message, action=availability.advice)
