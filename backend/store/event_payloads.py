"""Between events and the bytes that the log of changes keeps: BSON, with the names and types of stored documents."""

from collections.abc import Sequence
from typing import Any

from bson import decode, encode
from bson.codec_options import CodecOptions

from backend.core.event_log import Addition
from backend.domain.event import ItemsAdded, LinesAdded, TaskChanged, TaskEvent
from backend.domain.log import LogLine
from backend.domain.task import FINAL_STATUSES, Lease
from backend.store.task_changes import NOT_ANNOUNCED
from backend.store.task_documents import Document, task_of

# Above this a reader asks for the log itself: a frame is no place for a flood.
MAX_LINES = 200
_MAX_CHARS = 200_000
_NO_VERSION = -1
_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
_FINAL = frozenset(status.value for status in FINAL_STATUSES)


def change_of(document: Document) -> Addition:
    """Return what tells the state of a task, kept for those who come back."""
    is_final = document["status"] in _FINAL and "books" not in document.get("after", ())
    shown = {name: value for name, value in document.items() if name not in NOT_ANNOUNCED}
    payload = encode({"task": shown, "final": is_final})
    return Addition(document["_id"], document["version"], document["fence"], payload, is_final=is_final)


def progress_of(document: Document) -> Addition | None:
    """Return what tells how far a task is, in passing; None for an ended one, whose end is told for good."""
    if document["status"] in _FINAL:
        return None
    shown = {name: value for name, value in document.items() if name not in NOT_ANNOUNCED}
    payload = encode({"task": shown, "final": False})
    return Addition(document["_id"], document["version"], document["fence"], payload, is_kept=False)


def lines_of(lease: Lease, lines: Sequence[LogLine]) -> Addition:
    """Return what tells the newest of these lines, in passing."""
    rows: list[Document] = []
    chars = 0
    for one in reversed(lines[-MAX_LINES:]):
        chars += len(one.message) + sum(len(str(value)) for value in one.fields.values())
        if rows and chars > _MAX_CHARS:
            break
        row = {"seq": one.seq, "at": one.at, "level": one.level, "message": one.message, "fields": dict(one.fields)}
        rows.append(row)
    return Addition(lease.task_id, _NO_VERSION, lease.fence, encode({"lines": rows[::-1]}), is_kept=False)


def items_of(lease: Lease, *, added: int, stored: int) -> Addition:
    """Return what tells of new items, in passing."""
    payload = encode({"items": {"added": added, "stored": stored}})
    return Addition(lease.task_id, _NO_VERSION, lease.fence, payload, is_kept=False)


def event_of(task_id: str, payload: bytes) -> TaskEvent:
    """Return the event that these bytes tell of."""
    row = decode(payload, _OPTIONS)
    if "lines" in row:
        return LinesAdded(task_id, tuple(LogLine(**one) for one in row["lines"]))
    if "items" in row:
        return ItemsAdded(task_id, **row["items"])
    task = task_of({"params": {}, **row["task"]})
    return TaskChanged(task, is_new=task.version == 1, is_final=row["final"])
