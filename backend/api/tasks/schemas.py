"""The shapes of a task: what is sent to make one, what is asked of a list, what is shown."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SkipValidation,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from backend.api.query import QueryModel
from backend.api.shapes import Cursor, Limit, PageQuery, Word
from backend.api.tasks.records import Status
from backend.domain.errors import FieldProblem, FilterRequiredError, ValidationFailedError
from backend.domain.task import ACTIVE_STATUSES, TaskKind, TaskStatus
from backend.domain.text import Text
from backend.services.field_problems import problems_of, unknown_name
from backend.services.task_requests import TaskRequest
from backend.store.task_queries import TaskQuery

MAX_TITLE_CHARS = 200
MAX_LABELS = 20
MAX_LABEL_CHARS = 50
MAX_DEADLINE_S = 31_536_000
MAX_IDS = 200
MAX_TASKS = 1_000
_TIME_WANTED = {"zh": "须为带时区的 RFC 3339 时间", "en": "Must be an RFC 3339 time with its zone"}
_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
_KEY = re.compile(r"[!-~]{1,200}")


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("BAD_TEXT", "contains NUL", {"zh": "不能含有 NUL 字符", "en": "NUL is not allowed"})
    return value


def _rfc_3339(value: object) -> object:
    # Pydantic would take a number for seconds since 1970, also as text.
    if not isinstance(value, str):
        raise PydanticCustomError("WRONG_TYPE", "not a time", _TIME_WANTED)
    if not _DATE_AND_TIME.match(value):
        raise PydanticCustomError("BAD_FORMAT", "not a time", _TIME_WANTED)
    return value


Title = Annotated[str, Field(min_length=1, max_length=MAX_TITLE_CHARS), AfterValidator(_no_nul)]
Label = Annotated[str, Field(min_length=1, max_length=MAX_LABEL_CHARS), AfterValidator(_no_nul)]
Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_rfc_3339)]


class TaskCreate(BaseModel):
    """A task to be made. Short form: leave `params` out, and every other name is a parameter."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    platform: Word = Field(description="Id of a crawl platform or of a generation provider")
    kind: Literal["crawl", "generate"] | None = Field(None, description="Follows from the platform")
    type: Word | None = Field(None, description="The platform's default_type when left out")
    params: dict[str, Any] = Field(default_factory=dict, description="Checked by the schema of platform and type")
    title: Title | None = None
    labels: list[Label] = Field(default_factory=list, max_length=MAX_LABELS)
    priority: int = Field(0, ge=0, le=4, description="4 goes first")
    run_at: Moment | None = Field(None, description="Not before this time")
    start: Literal["now", "manual"] | None = None
    max_attempts: int | None = Field(None, ge=1, le=100)
    deadline_s: float | None = Field(None, gt=0, le=MAX_DEADLINE_S, allow_inf_nan=False)

    def to_request(self, *, is_short: bool) -> TaskRequest:
        """Return what the service is asked; `is_short` says that names beside the params were taken for params."""
        values = {name: getattr(self, name) for name in _FIELDS}
        return TaskRequest(**values, labels=tuple(self.labels), names_beside=_FIELDS if is_short else ())


NAMES = frozenset(TaskCreate.model_fields) | {"webhook"}
_FIELDS = tuple(name for name in TaskCreate.model_fields if name != "labels")


def read_request(body: Mapping[str, Any]) -> TaskRequest:
    """Return the checked body of POST /tasks, whichever form it has. Raises ValidationFailedError."""
    return read_task(body).to_request(is_short="params" not in body)


def read_task(body: Mapping[str, Any]) -> TaskCreate:
    """Return the checked body of POST /tasks, in its long form. Raises ValidationFailedError."""
    problems = _not_yet(body)
    if "params" in body:
        known, unknown = {name: body[name] for name in body if name in NAMES}, [n for n in body if n not in NAMES]
        problems += [unknown_name(name[:80], name, NAMES) for name in unknown[:50]]
    else:
        known = {name: body[name] for name in body if name in NAMES}
        known["params"] = {name: body[name] for name in body if name not in NAMES}
    known.pop("webhook", None)
    try:
        task = TaskCreate.model_validate(known)
    except ValidationError as error:
        problems += problems_of(error, known_names=NAMES)
    if problems:
        raise ValidationFailedError(problems)
    return task


def read_key(header: str | None) -> str | None:
    """Return the Idempotency-Key. Raises ValidationFailedError for one that is empty, long or not plain ASCII."""
    if header is None or _KEY.fullmatch(header):
        return header
    text = Text("须为 1 到 200 个可见的 ASCII 字符", "Must be 1 to 200 visible ASCII characters")
    raise ValidationFailedError([FieldProblem("Idempotency-Key", "BAD_FORMAT", text)])


def _not_yet(body: Mapping[str, Any]) -> list[FieldProblem]:
    if body.get("webhook") is None:
        return []
    return [FieldProblem("webhook", "NOT_AVAILABLE", Text("此版本还没有 webhook", "This version has no webhooks yet"))]


class TaskBulk(BaseModel):
    """Tasks to be made together. Each is checked by itself, in either form of POST /tasks."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    batch_title: Title | None = None
    tasks: list[SkipValidation[TaskCreate]] = Field(min_length=1, max_length=MAX_TASKS)


def read_bulk(body: Mapping[str, Any]) -> tuple[str | None, Sequence[object]]:
    """Return title and entries of POST /tasks/bulk, the entries not looked at. Raises ValidationFailedError."""
    try:
        bulk = TaskBulk.model_validate(body)
    except ValidationError as error:
        raise ValidationFailedError(problems_of(error, known_names=TaskBulk.model_fields)) from None
    return bulk.batch_title, bulk.tasks


def read_entry(entry: object) -> TaskRequest:
    """Return one entry of POST /tasks/bulk, checked as the body of POST /tasks. Raises ValidationFailedError."""
    if not isinstance(entry, dict):
        text = Text("每个任务必须是一个 JSON 对象", "A task must be a JSON object")
        raise ValidationFailedError([FieldProblem("", "WRONG_TYPE", text)])
    return read_request(entry)


class CreateQuery(QueryModel):
    """How a task is made."""

    require_available: bool = Field(False, description="409 when the platform cannot run now")


class GetQuery(QueryModel):
    """A long poll: `wait` seconds at most, until the end or the next change."""

    wait: float = Field(0, ge=0, le=30, allow_inf_nan=False)
    until: Literal["final", "changed"] = "final"


class DeleteQuery(QueryModel):
    """`wait` for the end of the cancel; `purge` removes a final task with its results."""

    wait: float = Field(0, ge=0, le=30, allow_inf_nan=False)
    purge: bool = False


class LogQuery(QueryModel):
    """Lines after or before a seq, or the newest; `level` is a minimum."""

    after: int | None = Field(None, ge=0, le=2**53)
    before: int | None = Field(None, ge=0, le=2**53)
    limit: int = Field(200, ge=1, le=1_000)
    level: Literal["debug", "info", "warning", "error"] = "debug"


class HistoryQuery(PageQuery):
    """The history is short: it comes whole."""


StatusWord = Literal["active", Status]
Sort = Literal["created_at", "-created_at", "updated_at", "-updated_at", "priority", "-priority"]


class FilterQuery(QueryModel):
    """Which tasks. Lists are separated by commas."""

    status: tuple[StatusWord, ...] = Field((), max_length=20, description="`active` is every state that is not final")
    kind: TaskKind | None = None
    platform: Word | None = None
    type: Word | None = None
    q: Title | None = Field(None, description="Part of the title")
    ids: tuple[Word, ...] = Field((), max_length=MAX_IDS)
    batch_id: Word | None = None
    label: Label | None = None
    created_by: Word | None = None
    created_from: Moment | None = Field(None, description="At this time or later")
    created_to: Moment | None = Field(None, description="Before this time")
    schedule_id: Word | None = None

    def to_query(self) -> TaskQuery:
        """Return what the store is asked."""
        values = self.model_dump(exclude={"status", "q", "facets"})
        return TaskQuery(**values, statuses=_statuses(self.status), text=self.q or None)


class ListQuery(FilterQuery):
    """Filters, order and page of a list of tasks; `facets` counts what there is of each status, kind and platform."""

    sort: Sort = "-created_at"
    cursor: Cursor | None = None
    limit: Limit = 50
    facets: bool = False


class CancelQuery(FilterQuery):
    """Filters of a cancel, at least one; final states match nothing."""

    def to_query(self) -> TaskQuery:
        """Return what the store is asked.

        Raises FilterRequiredError when nothing narrows it, and ValidationFailedError for an empty list: whoever sends
        `ids=` with nothing behind it does not mean all tasks.
        """
        if not self.model_fields_set:
            raise FilterRequiredError(
                Text("至少需要一个筛选条件", "At least one filter is needed"),
                advice=Text("要取消全部任务，请用 status=active", "To cancel every task, send status=active"),
            )
        empty = sorted(name for name in self.model_fields_set if getattr(self, name) == ())
        if empty:
            text = Text("至少需要 1 项", "At least 1 entry")
            raise ValidationFailedError([FieldProblem(name, "TOO_FEW", text) for name in empty])
        return super().to_query()


def _statuses(asked: tuple[StatusWord, ...]) -> tuple[TaskStatus, ...]:
    named = {TaskStatus(one) for one in asked if one != "active"}
    return tuple(sorted(named | ACTIVE_STATUSES if "active" in asked else named))
