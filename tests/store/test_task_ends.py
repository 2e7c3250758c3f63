"""The rows of lifecycle.md §3 that end a task, and what the sweeper finds, on mongod and in memory mode."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from backend.domain.task import (
    Books,
    CancelRecord,
    Ending,
    Stage,
    Task,
    TaskStatus,
)
from backend.domain.text import Text
from tests.fixtures.task_desk import DONE, LEASE_S, NEW, NOTICE, Desk, lease_of

# -- cancel --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["held", "pending", "waiting"])
async def test_idle_task_is_cancelled_at_once(desk: Desk, state: str) -> None:
    before = await desk.in_state(state)

    task = await desk.cancel()

    assert task is not None
    assert (task.status, task.ended_at, task.version) == (
        TaskStatus.CANCELLED,
        desk.clock.now(),
        before.version + 1,
    )
    assert task.cancel_latency_ms == pytest.approx(40)
    assert task.notice is None
    assert (task.history[-1].from_status, task.history[-1].by) == (state, "li")


@pytest.mark.parametrize("state", ["held", "pending"])
async def test_books_of_a_task_that_never_ran_balance_with_its_cancel(desk: Desk, state: str) -> None:
    await desk.in_state(state)

    task = await desk.cancel()

    assert task is not None
    assert task.books == Books(balanced=True)


async def test_running_task_becomes_cancelling_and_keeps_its_lease(desk: Desk) -> None:
    before = await desk.claimed()

    task = await desk.cancel()

    assert task is not None
    assert (task.status, task.lease_until, task.worker_id) == (TaskStatus.CANCELLING, before.lease_until, "w-1")
    assert task.ended_at is None
    assert task.cancel == CancelRecord(desk.clock.now() - timedelta(milliseconds=40), "li")
    assert task.cancel_latency_ms is None


async def test_cancel_that_meets_another_change_is_decided_anew(desk: Desk) -> None:
    task = await desk.made()

    async def claim_meanwhile() -> None:
        await asyncio.sleep(0)
        await desk.store.claim(task, worker_id="w-1", claim_id="c", lease_s=LEASE_S)

    claiming = asyncio.create_task(claim_meanwhile())
    cancelled = await desk.cancel()
    await claiming

    assert cancelled is not None
    assert cancelled.status in {TaskStatus.CANCELLED, TaskStatus.CANCELLING}


@pytest.mark.parametrize("state", ["cancelling", "succeeded"])
async def test_cancel_of_what_is_ending_or_ended_changes_nothing(desk: Desk, state: str) -> None:
    before = await desk.in_state(state)

    assert await desk.cancel() is None

    assert await desk.read() == before


async def test_cancel_of_an_unknown_task_finds_nothing(desk: Desk) -> None:
    assert await desk.cancel("t_none") is None


@pytest.mark.parametrize("parked", ["pending", "waiting"])
async def test_idle_task_with_an_open_job_is_cancelling_and_ready_to_be_taken(desk: Desk, parked: str) -> None:
    task = await desk.with_open_job()
    if parked == "pending":
        await desk.store.give_back(task, lease_of(task), reason="drain", run_at=desk.clock.now(), books=Books())
    else:
        await desk.store.wait(task, lease_of(task), notice=NOTICE, books=Books())

    cancelled = await desk.cancel()

    assert cancelled is not None
    assert (cancelled.status, cancelled.lease_until) == (TaskStatus.CANCELLING, desk.clock.now())


async def test_cancel_after_an_earlier_attempt_leaves_the_books_to_be_recounted(desk: Desk) -> None:
    await desk.waiting()
    await desk.cancel()

    due = await desk.store.with_follow_up("books", limit=10)

    assert [(task.task_id, task.after) for task in due] == [("t_1", ("books", "event"))]


async def test_recounted_books_end_the_follow_up_without_a_new_version(desk: Desk) -> None:
    await desk.waiting()
    cancelled = await desk.cancel()

    await desk.store.save_final_books("t_1", Books(requested=2, aborted=2))

    after = await desk.read()
    assert cancelled is not None
    assert (after.books.aborted, after.after, after.version) == (2, ("event",), cancelled.version)


# -- abandon -------------------------------------------------------------------------------------------------------


async def test_cancelling_task_with_an_open_job_is_taken_over_once(desk: Desk) -> None:
    task = await desk.with_open_job()
    await desk.store.give_back(task, lease_of(task), reason="drain", run_at=desk.clock.now(), books=Books())
    seen = await desk.cancel()
    assert seen is not None

    taken = await desk.store.take_for_abandon(seen, worker_id="w-9", lease_s=LEASE_S)
    again = await desk.store.take_for_abandon(seen, worker_id="w-8", lease_s=LEASE_S)

    assert taken is not None
    assert (taken.worker_id, taken.fence, taken.status) == ("w-9", seen.fence + 1, TaskStatus.CANCELLING)
    assert again is None


async def test_task_whose_run_still_beats_is_not_taken_over(desk: Desk) -> None:
    await desk.with_open_job()
    seen = await desk.cancel()
    assert seen is not None

    assert await desk.store.take_for_abandon(seen, worker_id="w-9", lease_s=LEASE_S) is None


# -- finish --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["running", "cancelling"])
async def test_end_is_recorded_once_and_a_repeat_answers_the_same(desk: Desk, state: str) -> None:
    task = await desk.in_state(state)
    lease = lease_of(task)

    first = await desk.store.finish(task, lease, DONE, books=Books(ok=1))
    after = await desk.read()
    again = await desk.store.finish(task, lease, DONE, books=Books(ok=9))

    assert first == again == after
    assert await desk.read() == after
    assert (after.status, after.worker_id, after.lease_until) == (TaskStatus.SUCCEEDED, None, None)
    assert (after.ended_at, after.progress.stage, after.books.ok) == (desk.clock.now(), Stage.DONE, 1)


async def test_history_says_that_a_task_ended_while_it_was_being_cancelled(desk: Desk) -> None:
    task = await desk.claimed()
    await desk.cancel()

    assert await desk.store.finish(task, lease_of(task), DONE, books=Books())

    last = (await desk.read()).history[-1]
    assert (last.from_status, last.to_status) == ("cancelling", "succeeded")


async def test_end_of_a_lost_lease_is_refused(desk: Desk) -> None:
    task = await desk.claimed()
    await desk.store.reap(task, even_if_alive=True)

    assert await desk.store.finish(task, lease_of(task), DONE, books=Books()) is None
    assert (await desk.read()).status is TaskStatus.PENDING


async def test_cancelled_end_carries_its_latency_and_what_was_saved(desk: Desk) -> None:
    task = await desk.in_state("cancelling")
    assert task.cancel is not None
    record = replace(task.cancel, ended_at=desk.clock.now(), saved=3)
    end = Ending(TaskStatus.CANCELLED, Text("任务已取消", "Task cancelled"))

    await desk.store.finish(task, lease_of(task), end, books=Books(), cancel=record, cancel_latency_ms=12.5)

    after = await desk.read()
    assert (after.status, after.cancel, after.cancel_latency_ms) == (TaskStatus.CANCELLED, record, 12.5)


# -- reap ----------------------------------------------------------------------------------------------------------


async def test_expired_lease_of_a_running_task_goes_back_without_costing_an_attempt(desk: Desk) -> None:
    await desk.claimed()
    desk.clock.advance(LEASE_S + 1)

    (seen,) = await desk.store.expired()
    reaped = await desk.store.reap(seen)

    assert reaped is not None
    assert (reaped.status, reaped.attempt, reaped.lost, reaped.fence) == (TaskStatus.PENDING, 0, 1, 2)
    assert (reaped.worker_id, reaped.history[-1].reason) == (None, "lease_expired")


async def test_lease_that_still_holds_is_neither_found_nor_taken(desk: Desk) -> None:
    seen = await desk.claimed()
    desk.clock.advance(LEASE_S - 1)

    assert await desk.store.expired() == []
    assert await desk.store.reap(seen) is None


async def test_lease_prolonged_since_it_was_seen_is_not_taken(desk: Desk) -> None:
    seen = await desk.claimed()
    desk.clock.advance(LEASE_S + 1)
    await desk.store.beat(["t_1"], worker_id="w-1", lease_s=LEASE_S)

    assert await desk.store.reap(seen) is None


async def test_lease_is_taken_once(desk: Desk) -> None:
    seen = await desk.claimed()
    desk.clock.advance(LEASE_S + 1)

    assert await desk.store.reap(seen) is not None
    assert await desk.store.reap(seen) is None


async def test_expired_lease_of_a_cancelling_task_ends_it_as_cancelled(desk: Desk) -> None:
    seen = await desk.in_state("cancelling")
    desk.clock.advance(LEASE_S + 1)

    reaped = await desk.store.reap(seen)

    assert reaped is not None
    assert (reaped.status, reaped.after, reaped.fence) == (TaskStatus.CANCELLED, ("books", "event"), 2)
    assert reaped.cancel is not None
    assert reaped.cancel.ended_at == desk.clock.now()
    assert reaped.cancel_latency_ms == pytest.approx(31_040)


async def test_task_that_turned_cancelling_since_it_was_seen_is_not_made_pending(desk: Desk) -> None:
    seen = await desk.claimed()
    await desk.cancel()
    desk.clock.advance(LEASE_S + 1)

    assert await desk.store.reap(seen) is None
    assert (await desk.read()).status is TaskStatus.CANCELLING


async def test_task_lost_more_than_ten_times_without_progress_is_dead(desk: Desk) -> None:
    task: Task | None = await desk.made()
    for n in range(10):
        task = await desk.store.reap(await desk.claimed(task, claim_id=f"c{n}"), even_if_alive=True)
        assert task is not None
        assert (task.status, task.lost) == (TaskStatus.PENDING, n + 1)

    dead = await desk.store.reap(await desk.claimed(task, claim_id="last"), even_if_alive=True)

    assert dead is not None
    assert (dead.status, dead.dead, dead.lost) == (TaskStatus.FAILED, True, 11)
    assert dead.error is not None
    assert dead.error.name == "ATTEMPTS_USED_UP"


async def test_leases_of_earlier_starts_of_one_instance_are_found(desk: Desk) -> None:
    await desk.claimed(worker_id="w_1-aaa")
    await desk.claimed(await desk.made("t_2"), worker_id="w_12-bbb")

    assert [task.task_id for task in await desk.store.owned_by_start_of("w_1")] == ["t_1"]


# -- due, purge, counts --------------------------------------------------------------------------------------------


async def test_due_tasks_come_by_priority_then_age(desk: Desk) -> None:
    for task_id, priority in (("t_1", 0), ("t_2", 4), ("t_3", 4)):
        await desk.made(task_id, priority=priority)
        desk.clock.advance(1)
    await desk.made("t_later", run_at=desk.clock.now() + timedelta(seconds=60))
    await desk.made("t_other", platform="rss")

    by_priority = await desk.store.due(["web"], limit=10)
    first_two = await desk.store.due(["web"], limit=2)
    by_age = await desk.store.due(["web"], limit=1, oldest_first=True)

    assert [task.task_id for task in by_priority] == ["t_2", "t_3", "t_1"]
    assert [task.task_id for task in first_two] == ["t_2", "t_3"]
    assert [task.task_id for task in by_age] == ["t_1"]


async def test_ended_task_is_hidden_at_once_and_removed_later(desk: Desk) -> None:
    await desk.in_state("succeeded")

    assert await desk.store.hide("t_1") is True
    assert await desk.store.get("t_1") is None
    assert await desk.store.hide("t_1") is False
    desk.clock.advance(61)
    hidden = await desk.store.hidden_before(desk.clock.now() - timedelta(seconds=60), limit=10)
    await desk.store.remove("t_1")

    assert hidden == ["t_1"]
    assert await desk.store.hidden_before(desk.clock.now(), limit=10) == []


@pytest.mark.parametrize("state", ["held", "pending", "waiting", "running", "cancelling"])
async def test_task_that_has_not_ended_is_not_hidden(desk: Desk, state: str) -> None:
    await desk.in_state(state)

    assert await desk.store.hide("t_1") is False


async def test_key_of_a_hidden_task_is_free_again(desk: Desk) -> None:
    first = await desk.made(idempotency_key="k")
    await desk.cancel()
    await desk.store.hide(first.task_id)

    second, is_replay = await desk.store.create("t_2", replace(NEW, idempotency_key="k"))

    assert (second.task_id, is_replay) == ("t_2", False)


async def test_document_that_is_not_hidden_is_never_removed(desk: Desk) -> None:
    before = await desk.in_state("succeeded")

    await desk.store.remove("t_1")

    assert await desk.read() == before


async def test_states_are_counted(desk: Desk) -> None:
    await desk.made("t_1")
    await desk.made("t_2", is_held=True)

    counts = await desk.store.count_by_status([TaskStatus.PENDING, TaskStatus.RUNNING])

    assert counts == {TaskStatus.PENDING: 1, TaskStatus.RUNNING: 0}
