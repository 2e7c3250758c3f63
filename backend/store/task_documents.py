"""Between a stored task and a `Task`: the only place that knows the names inside the document.

A document has the fields of `domain.task.Task` under the same names, `_id` for task_id, and the internal fields
`claim_id` and `ended_fence`. Times are BSON dates (UTC, milliseconds).
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from backend.domain.task import (
    Books,
    CancelRecord,
    Checkpoint,
    HistoryEntry,
    Notice,
    Progress,
    Released,
    Stage,
    SubmitIntent,
    Task,
    TaskError,
    TaskKind,
    TaskStatus,
    Upstream,
)
from backend.domain.text import Text

Document = dict[str, Any]

_PLAIN = frozenset({str, int, float, bool, datetime, type(None)})
# Of each class met so far: its fields, or None when it is no dataclass.
_NAMES: dict[type[Any], tuple[str, ...] | None] = {}
_TASK_FIELDS = frozenset(one.name for one in fields(Task))


def document_of(value: Any) -> Any:
    """Return `value` as BSON can keep it: dataclasses as documents, enums as words, tuples as arrays."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    names = _field_names(kind)
    if names is not None:
        return {name: document_of(getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): document_of(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [document_of(inner) for inner in value]
    return value


def _field_names(kind: type[Any]) -> tuple[str, ...] | None:
    if kind not in _NAMES:
        _NAMES[kind] = tuple(one.name for one in fields(kind)) if is_dataclass(kind) else None
    return _NAMES[kind]


def task_of(document: Mapping[str, Any]) -> Task:
    """Return the task a document holds; fields that the document lacks have their defaults."""
    values = {name: value for name, value in document.items() if name in _TASK_FIELDS}
    values["task_id"] = document["_id"]
    values["kind"] = TaskKind(document["kind"])
    values["status"] = TaskStatus(document["status"])
    for name, read in _READERS.items():
        if values.get(name) is not None:
            values[name] = read(values[name])
    return Task(**values)


def progress_of(document: Mapping[str, Any]) -> Progress:
    """Return the progress a document holds."""
    return Progress(**{**document, "stage": Stage(document["stage"])})


def _text(document: Mapping[str, str]) -> Text:
    return Text(document["zh"], document["en"])


def _maybe_text(document: Mapping[str, str] | None) -> Text | None:
    return None if document is None else _text(document)


def _error(document: Mapping[str, Any]) -> TaskError:
    texts = {"message": _text(document["message"]), "advice": _maybe_text(document["advice"])}
    return TaskError(**{**document, **texts})


def _notice(document: Mapping[str, Any]) -> Notice:
    return Notice(document["code"], _text(document["message"]), _maybe_text(document["action"]))


def _cancel(document: Mapping[str, Any]) -> CancelRecord:
    return CancelRecord(**{**document, "released": Released(**document["released"])})


def _history(entries: list[Mapping[str, Any]]) -> tuple[HistoryEntry, ...]:
    return tuple(HistoryEntry(**entry) for entry in entries)


_READERS: Mapping[str, Any] = {
    "labels": tuple,
    "ignored": tuple,
    "after": tuple,
    "message": _text,
    "notice": _notice,
    "progress": progress_of,
    "books": lambda document: Books(**document),
    "cancel": _cancel,
    "upstream": lambda document: Upstream(**document),
    "intent": lambda document: SubmitIntent(**document),
    "error": _error,
    "checkpoint": lambda document: Checkpoint(**document),
    "history": _history,
}
