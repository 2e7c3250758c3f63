"""Store steps of a run that outlast a short absence of the store."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from backend.domain.errors import StoreUnavailableError
from backend.domain.execution import TaskContext

T = TypeVar("T")

_REPEAT_S = 1.0


async def patiently(
    context: TaskContext,
    step: Callable[[], Awaitable[T]],
    *,
    after_failure: Callable[[], Awaitable[None]] | None = None,
) -> T:
    """Repeat a repeatable step while the store does not answer; the run's own check ends it with its lease."""
    has_failed = False
    while True:
        context.check()
        try:
            if has_failed and after_failure is not None:
                await after_failure()
            return await step()
        except StoreUnavailableError:
            has_failed = True
            context.log("warning", "存储暂不可用，稍后重试")
            await context.sleep(_REPEAT_S)
