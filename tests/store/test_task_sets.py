"""Many tasks in one round trip, on mongod and in memory mode: who won, who was told, and what was left alone."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from backend.core.database import Database
from backend.domain.errors import IdempotencyConflictError
from backend.domain.log import LogLine
from backend.domain.task import Books, Lease, Task, TaskStatus
from backend.store.task_documents import Document
from backend.store.task_queries import TaskQueries, TaskQuery
from backend.store.task_sets import TaskSets
from tests.fixtures.task_desk import DONE, LEASE_S, NEW, Desk, lease_of


class Told:
    """Notes what is announced."""

    def __init__(self) -> None:
        self.versions: list[tuple[str, int]] = []
        self.unseen: list[str] = []

    def changed(self, document: Document) -> None:
        self.versions.append((document["_id"], document["version"]))

    def changed_unseen(self, task_ids: Iterable[str]) -> None:
        self.unseen += task_ids

    def moved(self, task_ids: Iterable[str]) -> None: ...

    def lines(self, lease: Lease, lines: Iterable[LogLine]) -> None: ...

    def items(self, lease: Lease, *, added: int, stored: int) -> None: ...


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def sets(desk: Desk, told: Told) -> TaskSets:
    return TaskSets(desk.store._db, clock=desk.clock, announcer=told)


async def cancel(desk: Desk, sets: TaskSets, *task_ids: str, cancel_id: str = "c-1") -> dict[str, Task]:
    asked_at = desk.clock.now() - timedelta(milliseconds=40)
    won = await sets.cancel(task_ids, by="li", requested_at=asked_at, cancel_id=cancel_id)
    return {task.task_id: task for task in won}


# -- cancel ----------------------------------------------------------------------------------------------------------


async def test_each_document_of_a_set_is_cancelled_as_it_would_be_alone(desk: Desk, sets: TaskSets) -> None:
    await desk.made("t_held", is_held=True)
    await desk.made("t_pending")
    running = await desk.claimed(await desk.made("t_running"))
    ended = await desk.claimed(await desk.made("t_done"))
    await desk.store.finish(ended, lease_of(ended), DONE, books=Books())

    won = await cancel(desk, sets, "t_held", "t_pending", "t_running", "t_done", "t_none")

    assert {task_id: task.status for task_id, task in won.items()} == {
        **{"t_held": TaskStatus.CANCELLED, "t_pending": TaskStatus.CANCELLED},
        "t_running": TaskStatus.CANCELLING,
    }
    assert won["t_held"].cancel_latency_ms == pytest.approx(40)
    assert won["t_running"].lease_until == running.lease_until
    assert (await desk.read("t_done")).status is TaskStatus.SUCCEEDED
    for task_id, before in (("t_held", "held"), ("t_pending", "pending"), ("t_running", "running")):
        entry = (await desk.read(task_id)).history[-1]
        assert (entry.from_status, entry.reason, entry.by) == (before, "cancel_requested", "li")


async def test_every_won_cancel_is_announced_with_its_version(desk: Desk, sets: TaskSets, told: Told) -> None:
    await desk.made("t_a")
    await desk.claimed(await desk.made("t_b"))

    await cancel(desk, sets, "t_a", "t_b")

    assert sorted(told.versions) == [("t_a", 2), ("t_b", 3)]


async def test_second_call_wins_nothing_and_tells_nothing(desk: Desk, sets: TaskSets, told: Told) -> None:
    await desk.made("t_a")
    await desk.claimed(await desk.made("t_b"))
    await cancel(desk, sets, "t_a", "t_b")
    told.versions.clear()

    assert await cancel(desk, sets, "t_a", "t_b", cancel_id="c-2") == {}
    assert told.versions == []


async def test_set_cancel_names_its_follow_ups(desk: Desk, sets: TaskSets) -> None:
    taken = await desk.claimed(await desk.made("t_ran"))
    await desk.store.give_back(
        taken, lease_of(taken), reason="retry", run_at=desk.clock.now(), books=Books(requested=1)
    )
    await desk.made("t_new")

    won = await cancel(desk, sets, "t_ran", "t_new")

    assert {task_id: "books" in task.after for task_id, task in won.items()} == {"t_ran": True, "t_new": False}


async def test_recounted_books_are_stored_together_and_their_word_is_pulled(
    desk: Desk, sets: TaskSets, told: Told
) -> None:
    for task_id in ("t_a", "t_b"):
        taken = await desk.claimed(await desk.made(task_id))
        await desk.store.give_back(taken, lease_of(taken), reason="retry", run_at=desk.clock.now(), books=Books())
    await cancel(desk, sets, "t_a", "t_b")

    await sets.save_final_books({one: Books(requested=2, aborted=2, balanced=True) for one in ("t_a", "t_b")})

    tasks = [await desk.read(one) for one in ("t_a", "t_b")]
    assert [(task.books.aborted, "books" in task.after) for task in tasks] == [(2, False)] * 2
    assert told.unseen == ["t_a", "t_b"]


@pytest.mark.parametrize("rival", ["claim", "finish"])
async def test_set_cancel_and_a_rival_step_leave_one_truth(desk: Desk, sets: TaskSets, rival: str) -> None:
    ids = [f"t_{number}" for number in range(30)]
    seen = [await desk.made(task_id) for task_id in ids]
    if rival == "finish":
        seen = [await desk.claimed(task, claim_id=task.task_id) for task in seen]

    async def step(task: Task) -> bool:
        if rival == "finish":
            return await desk.store.finish(task, lease_of(task), DONE, books=Books()) is not None
        claimed = await desk.store.claim(task, worker_id="w-1", claim_id=task.task_id, lease_s=LEASE_S)
        return claimed is not None

    *stepped, won = await asyncio.gather(*(step(task) for task in seen), cancel(desk, sets, *ids))
    assert isinstance(won, dict)

    for task_id, has_stepped in zip(ids, stepped, strict=True):
        status = (await desk.read(task_id)).status
        ways = [(entry.from_status, entry.to_status) for entry in (await desk.read(task_id)).history]
        assert (("pending", "cancelled") in ways) + (("running", "cancelling") in ways) == (task_id in won)
        if rival == "claim":
            assert status is (TaskStatus.CANCELLING if has_stepped else TaskStatus.CANCELLED)
        else:
            # Cancelling may still end as the body says: the cancel came too late for it.
            assert has_stepped
            assert status is TaskStatus.SUCCEEDED


# -- what a cancel finds ---------------------------------------------------------------------------------------------


@pytest.fixture
def queries(desk: Desk) -> TaskQueries:
    return TaskQueries(desk.store._db)


async def found(desk: Desk, queries: TaskQueries, *statuses: TaskStatus, **more: object) -> list[str]:
    options = {"created_by_then": desk.clock.now(), "limit": 10, **more}
    return list((await queries.open_tasks(TaskQuery(), statuses, **options)).task_ids)  # type: ignore[arg-type]


async def test_open_tasks_are_found_oldest_first_in_batches(desk: Desk, queries: TaskQueries) -> None:
    for number in range(5):
        await desk.made(f"t_{number}")
        desk.clock.advance(1)
    query = TaskQuery()

    batches = []
    while True:
        part = await queries.open_tasks(query, {TaskStatus.PENDING}, created_by_then=desk.clock.now(), limit=2)
        batches.append(part.task_ids)
        if part.next_cursor is None:
            break
        query = replace(query, cursor=part.next_cursor)

    assert batches == [("t_0", "t_1"), ("t_2", "t_3"), ("t_4",)]


async def test_tasks_made_later_are_not_found(desk: Desk, queries: TaskQueries) -> None:
    then = desk.clock.now()
    await desk.made("t_before")
    desk.clock.advance(1)
    await desk.made("t_after")

    assert await found(desk, queries, TaskStatus.PENDING, created_by_then=then) == ["t_before"]


async def test_tasks_are_told_apart_by_an_open_job(desk: Desk, queries: TaskQueries) -> None:
    await desk.with_open_job()
    await desk.claimed(await desk.made("t_2"))

    assert await found(desk, queries, TaskStatus.RUNNING, upstream_open=False) == ["t_2"]
    assert await found(desk, queries, TaskStatus.RUNNING, upstream_open=True) == ["t_1"]


async def test_final_states_asked_for_are_never_found(desk: Desk, queries: TaskQueries) -> None:
    await desk.in_state("succeeded")
    asked = TaskQuery(statuses=(TaskStatus.SUCCEEDED,))

    part = await queries.open_tasks(asked, {TaskStatus.PENDING}, created_by_then=desk.clock.now(), limit=10)

    assert part.task_ids == ()


# -- create ----------------------------------------------------------------------------------------------------------


async def test_batch_is_stored_and_announced_one_by_one(desk: Desk, sets: TaskSets, told: Told) -> None:
    made = await sets.create([("t_a", NEW), ("t_b", replace(NEW, is_held=True))])

    assert [(one[0].status, one[1]) for one in made if isinstance(one, tuple)] == [
        (TaskStatus.PENDING, False),
        (TaskStatus.HELD, False),
    ]
    assert told.versions == [("t_a", 1), ("t_b", 1)]


async def test_repeat_of_the_same_insert_finds_what_the_first_one_did(desk: Desk, sets: TaskSets) -> None:
    first = await sets.create([("t_a", NEW)])

    again = await sets.create([("t_a", NEW), ("t_b", NEW)])

    assert again[0] == first[0]
    assert [one[1] for one in again if isinstance(one, tuple)] == [False, False]


async def test_taken_key_spoils_its_own_entry_only(desk: Desk, sets: TaskSets) -> None:
    await sets.create([("t_a", replace(NEW, idempotency_key="k 0")), ("t_b", replace(NEW, idempotency_key="k 1"))])

    same, other, fresh = await sets.create(
        [
            ("t_c", replace(NEW, idempotency_key="k 0")),
            ("t_d", replace(NEW, idempotency_key="k 1", body_hash="another")),
            ("t_e", replace(NEW, idempotency_key="k 2")),
        ]
    )

    assert isinstance(same, tuple)
    assert (same[0].task_id, same[1]) == ("t_a", True)
    assert isinstance(other, IdempotencyConflictError)
    assert isinstance(fresh, tuple)
    assert (fresh[0].task_id, fresh[1]) == ("t_e", False)


async def test_key_of_a_call_is_no_beginning_of_another(desk: Desk, sets: TaskSets) -> None:
    await sets.create([("t_a", replace(NEW, idempotency_key="k1 0"))])

    assert await sets.was_used_otherwise("local", "k1", "another")
    assert not await sets.was_used_otherwise("local", "k1", "h")
    assert not await sets.was_used_otherwise("local", "k", "another")
    assert not await sets.was_used_otherwise("li", "k1", "another")


# -- facets ----------------------------------------------------------------------------------------------------------


async def test_facets_pass_the_gate_for_slow_reads(database: Database) -> None:
    queries, gate = TaskQueries(database), []
    slow = database.slow

    async def seen(operation: object) -> object:
        gate.append(operation)
        return await slow(operation)  # type: ignore[arg-type]

    database.slow = seen  # type: ignore[method-assign, assignment]

    assert await queries.facets(TaskQuery()) == {"status": {}, "kind": {}, "platform": {}}
    assert len(gate) == 1
