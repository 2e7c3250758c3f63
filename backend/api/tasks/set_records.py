"""What calls on many tasks answer: what became of each entry of a batch, and how many a cancel has reached."""

from collections.abc import Mapping

from typing_extensions import TypedDict

from backend.api.errors import payload_of
from backend.api.language import Speech
from backend.api.openapi import ErrorDetail
from backend.api.tasks.records import Facets
from backend.services.batch_service import Batch, BatchItem
from backend.services.set_service import SetCancelled


class EntryError(ErrorDetail):
    """Why an entry became no task; paths are those of POST /tasks, inside the entry."""

    code: int
    message: str


class EntryMade(TypedDict):
    """An entry that became a task."""

    index: int
    task_id: str


class EntryRefused(TypedDict):
    """An entry that did not."""

    index: int
    error: EntryError


class BatchOut(TypedDict):
    """What became of each entry, in the order they were sent."""

    batch_id: str
    items: list[EntryMade | EntryRefused]


class SetCancelledOut(TypedDict):
    """`matched` tasks were not final: `cancelled` of them have ended, the `cancelling` ones have been told."""

    matched: int
    cancelled: int
    cancelling: int


def batch_out(batch: Batch, speech: Speech, request_id: str) -> BatchOut:
    """Return what became of a batch."""
    return {"batch_id": batch.batch_id, "items": [_item(one, speech, request_id) for one in batch.items]}


def cancelled_out(done: SetCancelled) -> SetCancelledOut:
    """Return how many a cancel has reached."""
    return {"matched": done.matched, "cancelled": done.cancelled, "cancelling": done.cancelling}


def facets_out(found: Mapping[str, Mapping[str, int]]) -> Facets:
    """Return counts by status, kind and platform."""
    return {"status": dict(found["status"]), "kind": dict(found["kind"]), "platform": dict(found["platform"])}


def _item(one: BatchItem, speech: Speech, request_id: str) -> EntryMade | EntryRefused:
    if one.error is None:
        return {"index": one.index, "task_id": one.task_id or ""}
    payload = payload_of(one.error, speech, request_id)
    detail: ErrorDetail = payload["error"]
    return {"index": one.index, "error": {"code": payload["code"], "message": payload["message"], **detail}}
