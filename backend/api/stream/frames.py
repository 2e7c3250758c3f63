"""Events as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html, checked 2026-11-22)."""

from typing import Any

from backend.api.language import Speech
from backend.api.stream.schemas import ResyncEventData, SystemEventData
from backend.api.tasks.records import line_out, summary_out
from backend.api.wire import dump
from backend.domain.event import ItemsAdded, LinesAdded, TaskChanged
from backend.services.event_hub import Happening, ResyncReason

RETRY = b"retry: 1000\n\n"
HEARTBEAT = b": \n\n"
SYSTEM_TOPICS = frozenset({"tasks"})


def topics_of(happening: Happening) -> frozenset[str]:
    """Return the topics that an event is on."""
    match happening.event:
        case LinesAdded(task_id=task_id):
            return frozenset({f"logs:{task_id}"})
        case ItemsAdded(task_id=task_id):
            return frozenset({f"task:{task_id}"})
        case TaskChanged(is_new=True):
            return SYSTEM_TOPICS
        case changed:
            return frozenset({"tasks", f"task:{changed.task.task_id}"})


def event_frame(happening: Happening, speech: Speech) -> bytes:
    """Return an event in the language of its reader, made once for all of them."""
    made = happening.frames.get(speech.record)
    if made is None:
        name, data = _told(happening, speech)
        made = happening.frames[speech.record] = _frame(name, data, happening.cursor)
        happening.let_go()
    return made


def system_frame(data: SystemEventData) -> bytes:
    """Return how the server is."""
    return _frame("system", data)


def resync_frame(reason: ResyncReason, cursor: str | None) -> bytes:
    """Return what tells a reader to read anew; with the cursor as its id, so that a reconnect goes on from there."""
    data: ResyncEventData = {"reason": reason, "stream_cursor": cursor}
    return _frame("resync", data, cursor)


def _told(happening: Happening, speech: Speech) -> tuple[str, Any]:
    match happening.event:
        case LinesAdded(task_id=task_id, lines=lines):
            return "task.log", {"task_id": task_id, "lines": [line_out(line) for line in lines]}
        case ItemsAdded(task_id=task_id, added=added, stored=stored):
            return "task.items", {"task_id": task_id, "added": added, "stored": stored}
        case changed:
            data = {"task": summary_out(changed.task, speech), "final": changed.is_final}
            return "task.created" if changed.is_new else "task.updated", data


def _frame(name: str, data: Any, cursor: str | None = None) -> bytes:
    head = f"id: {cursor}\nevent: {name}\ndata: " if cursor is not None else f"event: {name}\ndata: "
    # JSON holds no line break, and `dump` ends with the one that ends the line.
    return head.encode() + dump(data) + b"\n"
