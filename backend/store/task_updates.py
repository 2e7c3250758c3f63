"""The documents and updates that make the rows of lifecycle.md §3; `store/tasks.py` sends them."""

from dataclasses import replace
from datetime import datetime

from backend.domain.task import (
    OWNED_STATUSES,
    Books,
    CancelRecord,
    Ending,
    HistoryEntry,
    Lease,
    NewTask,
    Notice,
    Progress,
    Stage,
    Task,
    TaskError,
    TaskKind,
    TaskStatus,
)
from backend.domain.text import Text
from backend.store.task_documents import Document, document_of

MAX_LOST = 10

OWNED = sorted(status.value for status in OWNED_STATUSES)
RUNNING_MESSAGES = {TaskKind.CRAWL: Text("正在抓取", "Crawling"), TaskKind.GENERATE: Text("正在生成", "Generating")}
PENDING = Text("等待执行", "Waiting to run")
HELD = Text("已创建，等待手动开始", "Created; start it by hand")
CANCELLED = Text("任务已取消", "Task cancelled")
CANCELLING = Text("正在取消", "Cancelling")


def mine(lease: Lease) -> Document:
    """Return the filter of the fence: only the run that holds this lease matches."""
    return {
        **{"_id": lease.task_id, "worker_id": lease.worker_id, "fence": lease.fence},
        "status": {"$in": OWNED},
    }


def entry_of(
    at: datetime,
    change: tuple[str | None, str],
    reason: str,
    attempt: int,
    worker_id: str | None = None,
    *,
    by: str | None = None,
) -> Document:
    """Return a history entry for one change of state (from, to)."""
    before, after = change
    entry: Document = document_of(HistoryEntry(at, before, after, reason, attempt, worker_id, by))
    return entry


def new_document(task_id: str, new: NewTask, now: datetime) -> Document:
    """Return the document of a new task: held or pending, fence 0, version 1."""
    status = TaskStatus.HELD if new.is_held else TaskStatus.PENDING
    document: Document = {
        name: document_of(getattr(new, name))
        for name in (
            *("kind", "platform", "type", "params", "title", "created_by", "labels", "priority", "ignored", "notice"),
            *("max_attempts", "deadline_s", "batch_id", "batch_title", "retry_of", "body_hash"),
        )
    }
    document |= {
        **{"_id": task_id, "version": 1, "status": status.value, "created_at": now, "updated_at": now},
        **{"run_at": new.run_at or now, "attempt": 0, "lost": 0, "fence": 0, "worker_id": None, "lease_until": None},
        **{"upstream": None, "upstream_open": False, "intent": None, "after": [], "log_from": {}, "dead": False},
        **{"progress": document_of(Progress()), "books": document_of(Books()), "schedule_id": None},
        "message": document_of(HELD if new.is_held else PENDING),
        "history": [entry_of(now, (None, status.value), "created", 0, by=new.created_by)],
    }
    if new.idempotency_key is not None:
        document["idempotency_key"] = new.idempotency_key
    return document


def cancel_expressions(by: str, requested_at: datetime, now: datetime) -> Document:
    """Return the fields of the cancel: `cancelled` at once when idle and nothing is open upstream."""
    idle = {"$in": ["$status", ["held", "pending", "waiting"]]}
    direct = {"$and": [idle, {"$ne": ["$upstream_open", True]}]}
    latency_ms = max(0.0, (now - requested_at).total_seconds() * 1000)
    record = document_of(CancelRecord(requested_at, by))
    return {
        "status": {"$cond": [direct, "cancelled", "cancelling"]},
        "message": {"$cond": [direct, {"$literal": document_of(CANCELLED)}, {"$literal": document_of(CANCELLING)}]},
        "version": {"$add": ["$version", 1]},
        "updated_at": now,
        "ended_at": {"$cond": [direct, now, None]},
        "lease_until": {"$cond": [{"$eq": ["$status", "running"]}, "$lease_until", now]},
        "cancel": {
            "$cond": [direct, {"$literal": {**record, "ended_at": now}}, {"$literal": record}],
        },
        "cancel_latency_ms": {"$cond": [direct, latency_ms, None]},
        "notice": None,
        "after": {"$cond": [direct, {"$cond": [{"$gt": ["$fence", 0]}, ["books", "event"], ["event"]]}, []]},
        # Who never ran has nothing to be counted: the empty books balance.
        "books.balanced": {"$cond": [{"$and": [direct, {"$eq": ["$fence", 0]}]}, True, "$books.balanced"]},
        "history": {
            "$concatArrays": [
                "$history",
                [
                    {
                        **{"at": now, "from_status": "$status", "reason": "cancel_requested"},
                        "to_status": {"$cond": [direct, "cancelled", "cancelling"]},
                        **{"attempt": "$attempt", "worker_id": None, "by": {"$literal": by}},
                    }
                ],
            ]
        },
    }


def plain_cancel(seen: Task, by: str, requested_at: datetime, now: datetime) -> Document:
    """Return the cancel of a task that was just read, for stores without pipeline updates (memory mode)."""
    idle = seen.status in {TaskStatus.HELD, TaskStatus.PENDING, TaskStatus.WAITING}
    direct = idle and not seen.upstream_open
    status = TaskStatus.CANCELLED if direct else TaskStatus.CANCELLING
    values: Document = {
        **{"status": status.value, "updated_at": now, "notice": None, "ended_at": now if direct else None},
        **{"message": document_of(CANCELLED if direct else CANCELLING)},
        "cancel": document_of(CancelRecord(requested_at, by, ended_at=now if direct else None)),
        "cancel_latency_ms": max(0.0, (now - requested_at).total_seconds() * 1000) if direct else None,
        "after": [] if not direct else ["event"] if seen.fence == 0 else ["books", "event"],
    }
    if direct and seen.fence == 0:
        values["books.balanced"] = True
    if seen.status is not TaskStatus.RUNNING:
        values["lease_until"] = now
    entry = entry_of(now, (seen.status.value, status.value), "cancel_requested", seen.attempt, by=by)
    return {"$set": values, "$inc": {"version": 1}, "$push": {"history": entry}}


def ended(ending: Ending, progress: Progress | None, now: datetime) -> Document:
    """Return the fields of an end; without a progress only its stage is changed."""
    values: Document = {
        **{"status": ending.status.value, "ended_at": now, "updated_at": now, "after": ["event"]},
        **{"message": document_of(ending.message), "error": document_of(ending.error)},
    }
    if progress is None:
        return {**values, "progress.stage": Stage.DONE.value}
    return {**values, "progress": document_of(replace(progress, stage=Stage.DONE))}


def reaped(seen: Task, now: datetime) -> Document:
    """Return the update that takes a lease away: cancelled, pending again, or failed when lost too often."""
    values: Document = {"worker_id": None, "lease_until": None, "updated_at": now, "notice": None}
    change: Document = {"fence": 1, "version": 1}
    if seen.status is TaskStatus.CANCELLING:
        values |= {"status": "cancelled", "ended_at": now, "message": document_of(CANCELLED)}
        values["after"] = ["books", "event"]
        if seen.cancel is not None:
            values["cancel.ended_at"] = now
            values["cancel_latency_ms"] = (now - seen.cancel.requested_at).total_seconds() * 1000
    elif seen.lost + 1 > MAX_LOST:
        values |= {"status": "failed", "ended_at": now, "dead": True, "after": ["books", "event"]}
        values |= {"message": document_of(_LOST_TOO_OFTEN.message), "error": document_of(_lost_error(now))}
        change["lost"] = 1
    else:
        # `run_at` stays: what was begun, and may have a job open upstream, goes on before what waits behind it. It was
        # due then, and is, whatever the clock was set back by since.
        values |= {"status": "pending", "run_at": min(seen.run_at, now), "message": document_of(PENDING)}
        values["progress.stage"] = Stage.QUEUED.value
        change |= {"attempt": -1, "lost": 1}
    reason = "lease_expired" if values["status"] != "cancelled" else "ended"
    entry = entry_of(now, (seen.status.value, values["status"]), reason, seen.attempt, seen.worker_id)
    return {"$set": values, "$inc": change, "$push": {"history": entry}}


def _lost_error(now: datetime) -> TaskError:
    return TaskError(
        name="ATTEMPTS_USED_UP",
        message=_LOST_TOO_OFTEN.message,
        advice=Text("查看服务器日志后重试", "Look into the server's log, then retry"),
        retryable=True,
        at=now,
        where="start",
    )


_LOST_TOO_OFTEN = Notice(
    "ATTEMPTS_USED_UP",
    Text("运行中断次数过多，已停止", "Interrupted too often without any progress; given up"),
)
