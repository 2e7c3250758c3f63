"""The task store does what the model of the table says: for every row that can be, and every step on it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from backend.core.database import Database
from backend.domain.errors import LeaseLostError
from backend.domain.task import Books, Checkpoint, Ending, Lease, SubmitIntent, Task, TaskStatus, Upstream
from backend.domain.text import Text
from backend.store.task_documents import task_of
from backend.store.task_updates import new_document
from backend.store.tasks import TaskStore
from tests.fixtures.clocks import SetClock
from tests.fixtures.task_desk import LEASE_S, NEW, NOTICE
from tests.model import table
from tests.model.table import Holder, Row
from tests.model.world import NAMES, explore

SAID = Text("完成", "Done")
Document = dict[str, Any]
Act = Callable[[TaskStore, Task], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Step:
    """One store step on one row, and the row that the table says comes of it (None: the filter does not match)."""

    name: str
    before: Row
    after: Row | None
    act: Act


def steps_on(row: Row, clock: SetClock) -> list[Step]:
    holders = [Holder(name, row.fence) for name in NAMES] + [Holder(row.worker or "a", max(0, row.fence - 1))]
    steps = [step for holder in holders for step in _of_holder(row, holder, clock)]
    return [*steps, *_of_users(row, clock), *_of_sweepers(row)]


def _of_users(row: Row, clock: SetClock) -> list[Step]:
    return [
        Step("start", row, table.start(row), lambda store, seen: store.release_held(seen.task_id, by="li")),
        Step("resume", row, table.resume(row), lambda store, seen: store.resume_waiting(seen.task_id, by="li")),
        Step(
            *("cancel", row, table.cancel(row)),
            lambda store, seen: store.cancel(seen.task_id, by="li", requested_at=clock.now()),
        ),
    ]


def _of_sweepers(row: Row) -> list[Step]:
    # A sweep and a claim act on what was seen a moment ago: also when the row has moved on since.
    passed = replace(row, fence=row.fence - 1)
    return [
        Step("reap", row, table.reap(row, row), lambda store, seen: store.reap(seen)),
        Step("reap as seen", row, table.reap(row, passed), lambda store, seen: store.reap(_earlier(seen))),
        Step("claim", row, table.claim(row, "a", row.fence), _claim),
        Step(
            "claim as seen", row, table.claim(row, "a", passed.fence), lambda store, seen: _claim(store, _earlier(seen))
        ),
        Step("abandon", row, table.abandon(row, "a", row.fence), _abandon),
        Step(
            *("abandon as seen", row, table.abandon(row, "a", passed.fence)),
            lambda store, seen: _abandon(store, _earlier(seen)),
        ),
    ]


def _earlier(seen: Task) -> Task:
    return replace(seen, fence=seen.fence - 1)


def _claim(store: TaskStore, seen: Task) -> Awaitable[object]:
    return store.claim(seen, worker_id="a", claim_id="c", lease_s=LEASE_S)


def _abandon(store: TaskStore, seen: Task) -> Awaitable[object]:
    return store.take_for_abandon(seen, worker_id="a", lease_s=LEASE_S)


def _of_holder(row: Row, holder: Holder, clock: SetClock) -> list[Step]:
    now, later = clock.now(), clock.now() + timedelta(seconds=9)
    up, point, books = Upstream(job_id="j"), Checkpoint(now, ""), Books()
    ending = Ending(TaskStatus.PARTIAL, SAID)

    def lease(seen: Task) -> Lease:
        return Lease(seen.task_id, holder.worker, holder.fence)

    acts: dict[str, Act] = {
        "beat": lambda store, seen: store.beat([seen.task_id], worker_id=holder.worker, lease_s=LEASE_S),
        "checkpoint": lambda store, seen: store.save_checkpoint(lease(seen), point),
        "intent": lambda store, seen: store.save_intent(lease(seen), SubmitIntent("k", 1, now), up),
        "upstream_ended": lambda store, seen: store.save_upstream(lease(seen), up, is_open=False, drop_intent=True),
        "wait": lambda store, seen: store.wait(seen, lease(seen), notice=NOTICE, books=books),
        "retry": lambda store, seen: store.give_back(seen, lease(seen), reason="retry", run_at=later, books=books),
        "drain": lambda store, seen: store.give_back(seen, lease(seen), reason="drain", run_at=now, books=books),
    }
    held = [Step(name, row, table.HELD_STEPS[name](row, holder), act) for name, act in acts.items()]
    end = table.finish(row, holder, "partial")
    return [*held, Step("finish", row, end, lambda store, seen: store.finish(seen, lease(seen), ending, books=books))]


def document_of_row(row: Row, task_id: str, clock: SetClock) -> Document:
    now = clock.now()
    lease = {"none": None, "live": now + timedelta(seconds=LEASE_S), "over": now - timedelta(seconds=1)}
    document = new_document(task_id, NEW, now) | {
        **{"status": row.status, "worker_id": row.worker, "fence": row.fence, "lease_until": lease[row.lease]},
        **{"attempt": row.attempt, "lost": row.lost, "upstream_open": row.is_open, "dead": row.dead},
        "run_at": now if row.is_due else now + timedelta(seconds=60),
    }
    return document if row.ended_fence is None else {**document, "ended_fence": row.ended_fence}


def row_of_document(document: Document, clock: SetClock) -> Row:
    until = document["lease_until"]
    lease = "none" if until is None else "live" if until > clock.now() else "over"
    return Row(
        *(document["status"], document["worker_id"], document["fence"], lease, document["attempt"]),
        *(document["lost"], document["upstream_open"], document["run_at"] <= clock.now()),
        *(document.get("ended_fence"), document["dead"]),
    )


def reachable_rows() -> list[Row]:
    """Return every row that any order of steps can make; the last lost lease counts too."""
    worlds = [*explore(max_fence=2), *explore(max_fence=2, lost=table.MAX_LOST)]
    return sorted({world.row for world, _ in worlds}, key=repr)


@pytest.mark.parametrize("status", sorted({row.status for row in reachable_rows()}))
async def test_store_does_what_the_table_says(database: Database, status: str) -> None:
    clock = SetClock()
    store, tasks = TaskStore(database, clock=clock), database.collection("tasks")
    steps = [step for row in reachable_rows() if row.status == status for step in steps_on(row, clock)]
    before = {f"t_{n}": document_of_row(step.before, f"t_{n}", clock) for n, step in enumerate(steps)}
    await database.do(tasks.insert_many(list(before.values())))

    for document, step in zip(before.values(), steps, strict=True):
        try:
            await step.act(store, task_of(document))
        except LeaseLostError:
            assert step.after is None, step
    found = {row["_id"]: row for row in await database.do(tasks.find({}).to_list(None))}

    wrong = []
    for (task_id, document), step in zip(before.items(), steps, strict=True):
        after = found[task_id]
        raised = 0 if step.after is None or step.name == "beat" else 1
        if (
            row_of_document(after, clock) != (step.after or step.before)
            or after["version"] != document["version"] + raised
        ):
            wrong.append((step.name, step.before, step.after, row_of_document(after, clock), after["version"]))
    assert steps
    assert wrong == []
