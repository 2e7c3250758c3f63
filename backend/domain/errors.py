"""Every error of ours, raised where the fact is known and mapped to HTTP in one place (api/errors.py).

MediaCrawerError
|-- RequestError                what a caller asked for cannot be done
|   |-- ValidationFailedError   names the fields
|   |-- TaskNotFoundError, NotFoundError, UnknownPlatformError, UnknownTypeError
|   |-- StateConflictError, IdempotencyConflictError, PlatformUnavailableError
|   |-- BadCursorError, FilterRequiredError, NameTakenError, ForbiddenError
|   |-- SecretsKeyError         what is sealed cannot be opened here; a StateConflictError
|   `-- BusyError               as many are at it as may be
|-- StoreUnavailableError       MongoDB does not answer
|   `-- CacheUnavailableError   Redis does not answer
|-- StoreRefusedError           MongoDB will not have what the program needs (an index)
|-- SchemaError                 the stored data is newer than the program, or not whole
|-- BackupError                 a backup cannot be made or restored
|-- ShuttingDownError
|-- LeaseLostError              a write found that the task is no longer ours
|-- TaskFailedError             the work itself failed; becomes the record's `error`
`-- NeedsPersonError            the work cannot go on without a person; becomes `waiting`
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backend.domain.challenge import Challenge
from backend.domain.text import Text


class MediaCrawerError(Exception):
    """Base of all our errors; `name` is a stable word, `retryable` says whether trying again can help."""

    name: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    def __init__(self, message: Text, *, advice: Text | None = None) -> None:
        super().__init__(message.en)
        self.message = message
        self.advice = advice


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One refused field of a request: `path` is dotted, array indexes are numbers."""

    path: str
    code: str
    message: Text


class RequestError(MediaCrawerError):
    """The request cannot be done as it was asked."""


class ValidationFailedError(RequestError):
    """Fields of the request were refused."""

    name = "VALIDATION_FAILED"

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__(Text("参数不正确", "Invalid parameters"))
        self.problems = tuple(problems)


class TaskNotFoundError(RequestError):
    """No task has this id."""

    name = "TASK_NOT_FOUND"

    def __init__(self, task_id: str) -> None:
        super().__init__(Text(f"任务不存在: {task_id}", f"No such task: {task_id}"))


class NotFoundError(RequestError):
    """Nothing is at this address."""

    name = "NOT_FOUND"


class UnknownPlatformError(RequestError):
    """No platform or provider has this id."""

    name = "UNKNOWN_PLATFORM"


class UnknownTypeError(RequestError):
    """The platform has no such type of task."""

    name = "UNKNOWN_TYPE"


class StateConflictError(RequestError):
    """The task's state does not allow this step."""

    name = "STATE_CONFLICT"


class SecretsKeyError(StateConflictError):
    """What is sealed cannot be opened, or nothing can be sealed; nothing is lost by it.

    `reason`: SECRETS_KEY_MISSING | SECRETS_KEY_WRONG | SECRETS_KEY_UNREADABLE | SECRET_DAMAGED.
    """

    def __init__(self, reason: str, message: Text, *, advice: Text) -> None:
        super().__init__(Text(f"{message.zh} ({reason})", f"{message.en} ({reason})"), advice=advice)
        self.reason = reason


class NameTakenError(RequestError):
    """Another one has this name."""

    name = "NAME_TAKEN"


class ForbiddenError(RequestError):
    """The caller is known, and may not do this."""

    name = "FORBIDDEN"


class IdempotencyConflictError(RequestError):
    """The same Idempotency-Key came with another body."""

    name = "IDEMPOTENCY_CONFLICT"


class PlatformUnavailableError(RequestError):
    """The platform cannot run now and the caller asked to be told."""

    name = "PLATFORM_UNAVAILABLE"


class BadCursorError(RequestError):
    """A list cursor that this server did not give out, or that belongs to another sort."""

    name = "BAD_CURSOR"


class FilterRequiredError(RequestError):
    """A call on many tasks came without any filter."""

    name = "FILTER_REQUIRED"


class BusyError(RequestError):
    """As many of these are under way as may be at once."""

    name = "RATE_LIMITED"
    retryable = True


class StoreUnavailableError(MediaCrawerError):
    """MongoDB or Redis does not answer; nothing is known about the operation's effect."""

    name = "STORE_UNAVAILABLE"
    retryable = True

    def __init__(self, detail: str = "") -> None:
        super().__init__(
            Text("存储暂不可用，请稍后重试", "The store does not answer; try again soon"),
            advice=Text("检查 MongoDB 与 Redis 是否在运行", "Check that MongoDB and Redis are running"),
        )
        self.detail = detail


class CacheUnavailableError(StoreUnavailableError):
    """Redis does not answer: the work goes on, more slowly; never the caller's problem."""


class StoreRefusedError(MediaCrawerError):
    """MongoDB answers, and will not have what the program needs; `detail` holds its words."""

    def __init__(self, detail: str) -> None:
        super().__init__(Text("MongoDB 拒绝了必要的操作", "MongoDB refused what is needed"))
        self.detail = detail


class SchemaError(MediaCrawerError):
    """The stored data cannot be opened by this program; nothing of it was changed."""


class BackupError(MediaCrawerError):
    """A backup cannot be made or restored; nothing was changed unless the message says so.

    `reason`: NOT_A_BACKUP | BACKUP_CUT | BACKUP_DAMAGED | BACKUP_NEWER | NOT_EMPTY | KEY_DIFFERS | FILE_EXISTS.
    """

    def __init__(self, reason: str, message: Text, *, advice: Text | None = None) -> None:
        super().__init__(message, advice=advice)
        self.reason = reason


class ShuttingDownError(MediaCrawerError):
    """The server is leaving and takes no new work."""

    name = "SHUTTING_DOWN"
    retryable = True

    def __init__(self) -> None:
        super().__init__(Text("服务器正在关闭", "The server is shutting down"))


class LeaseLostError(MediaCrawerError):
    """A fenced write matched nothing: the task belongs to somebody else, or to nobody."""

    name = "LEASE_LOST"

    def __init__(self, task_id: str) -> None:
        super().__init__(Text(f"任务租约已失效: {task_id}", f"The lease of task {task_id} is lost"))


class TaskFailedError(MediaCrawerError):
    """The work failed; everything here goes onto the task's record.

    `error_name` is one of the words of docs/glossary.md (BLOCKED, HTTP_STATUS, ...); `retry_after_s`
    is the earliest next attempt when `can_retry`.
    """

    def __init__(
        self,
        error_name: str,
        message: Text,
        *,
        where: str,
        advice: Text | None = None,
        can_retry: bool = False,
        url: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.error_name = error_name
        self.where = where
        self.can_retry = can_retry
        self.url = url
        self.retry_after_s = retry_after_s


class NeedsPersonError(MediaCrawerError):
    """The work waits for a person (a key, a browser, a login); the task becomes `waiting`.

    `challenge` is what the person is shown meanwhile.
    """

    name = "NEEDS_PERSON"

    def __init__(
        self, code: str, message: Text, *, action: Text | None = None, challenge: Challenge | None = None
    ) -> None:
        super().__init__(message, advice=action)
        self.code = code
        self.challenge = challenge


_CLOSED_WORDS = (
    "event loop is closed",
    "loop is closed",
    "no running loop",
    "no running event loop",
    "client has been closed",
    "after close",
    "client is closed",
    "cannot schedule new futures after",
)


def is_loop_closed(error: BaseException) -> bool:
    """Tell whether `error` says that a loop or a client is gone: never retried, never a network error.

    The owner's guard (lifecycle.md §6); the cause chain is searched because drivers wrap such errors.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RuntimeError) and any(word in str(seen).lower() for word in _CLOSED_WORDS):
            return True
        seen = seen.__cause__
    return False
