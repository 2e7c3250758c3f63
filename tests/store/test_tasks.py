"""The rows of lifecycle.md §3 up to a task given back, on the real mongod and in memory mode."""

from dataclasses import replace
from datetime import timedelta

import pytest

from backend.domain.errors import IdempotencyConflictError, LeaseLostError
from backend.domain.task import (
    Books,
    Checkpoint,
    Lease,
    Progress,
    Stage,
    TaskStatus,
    Upstream,
)
from tests.fixtures.task_desk import LEASE_S, NEW, NOTICE, Desk, lease_of

# -- create --------------------------------------------------------------------------------------------------------


async def test_created_task_is_pending_with_nothing_claimed(desk: Desk) -> None:
    task = await desk.made()

    assert (task.status, task.fence, task.version, task.attempt, task.lost) == (TaskStatus.PENDING, 0, 1, 0, 0)
    assert (task.upstream, task.upstream_open, task.run_at) == (None, False, desk.clock.now())
    assert [(entry.to_status, entry.reason) for entry in task.history] == [("pending", "created")]
    assert await desk.read() == task


async def test_manual_task_is_held(desk: Desk) -> None:
    assert (await desk.made(is_held=True)).status is TaskStatus.HELD


async def test_create_repeated_with_the_same_id_is_one_task(desk: Desk) -> None:
    first = await desk.made()

    again, is_replay = await desk.store.create("t_1", NEW)

    assert (again, is_replay) == (first, True)


async def test_same_key_and_body_return_the_first_task(desk: Desk) -> None:
    first = await desk.made(idempotency_key="k")

    again, is_replay = await desk.store.create("t_2", replace(NEW, idempotency_key="k"))

    assert (again.task_id, is_replay) == (first.task_id, True)
    assert await desk.store.get("t_2") is None


async def test_same_key_with_another_body_is_a_conflict(desk: Desk) -> None:
    await desk.made(idempotency_key="k")

    with pytest.raises(IdempotencyConflictError):
        await desk.store.create("t_2", replace(NEW, idempotency_key="k", body_hash="other"))


async def test_same_key_of_another_creator_is_another_task(desk: Desk) -> None:
    await desk.made(idempotency_key="k")

    _, is_replay = await desk.store.create("t_2", replace(NEW, idempotency_key="k", created_by="li"))

    assert is_replay is False


async def test_tasks_without_a_key_never_meet(desk: Desk) -> None:
    await desk.made("t_1")

    _, is_replay = await desk.store.create("t_2", NEW)

    assert is_replay is False


# -- claim ---------------------------------------------------------------------------------------------------------


async def test_claim_raises_fence_attempt_and_version_and_sets_the_lease(desk: Desk) -> None:
    task = await desk.claimed()

    assert (task.status, task.fence, task.attempt, task.version) == (TaskStatus.RUNNING, 1, 1, 2)
    assert task.lease_until == desk.clock.now() + timedelta(seconds=LEASE_S)
    assert (task.started_at, task.worker_id, task.progress.stage) == (desk.clock.now(), "w-1", Stage.START)
    assert task.history[-1].reason == "claimed"


async def test_claimed_task_is_claimed_by_nobody_else(desk: Desk) -> None:
    seen = await desk.made()
    await desk.claimed(seen)

    assert await desk.store.claim(seen, worker_id="w-2", claim_id="c2", lease_s=LEASE_S) is None


async def test_claim_repeated_with_its_id_finds_what_the_first_did(desk: Desk) -> None:
    seen = await desk.made()
    first = await desk.claimed(seen)

    again = await desk.claimed(seen)

    assert again == first


async def test_claim_repeated_after_its_lease_was_taken_finds_nothing(desk: Desk) -> None:
    seen = await desk.made()
    first = await desk.claimed(seen)
    await desk.store.reap(first, even_if_alive=True)

    assert await desk.store.claim(seen, worker_id="w-1", claim_id="c1", lease_s=LEASE_S) is None


async def test_task_of_the_future_is_not_claimed(desk: Desk) -> None:
    seen = await desk.made(run_at=desk.clock.now() + timedelta(seconds=60))

    assert await desk.store.claim(seen, worker_id="w-1", claim_id="c1", lease_s=LEASE_S) is None


@pytest.mark.parametrize("state", ["held", "waiting", "cancelling", "succeeded"])
async def test_only_pending_tasks_are_claimed(desk: Desk, state: str) -> None:
    seen = await desk.in_state(state)

    assert await desk.store.claim(seen, worker_id="w-2", claim_id="c2", lease_s=LEASE_S) is None


async def test_deadline_and_start_stay_those_of_the_first_claim(desk: Desk) -> None:
    task = await desk.claimed()
    desk.clock.advance(5)
    await desk.store.give_back(task, lease_of(task), reason="retry", run_at=desk.clock.now(), books=Books())

    again = await desk.claimed(await desk.read(), claim_id="c2")

    assert (again.started_at, again.deadline_at) == (task.started_at, task.deadline_at)


# -- beat ----------------------------------------------------------------------------------------------------------


async def test_beat_prolongs_the_lease_and_raises_no_version(desk: Desk) -> None:
    task = await desk.claimed()
    desk.clock.advance(10)

    await desk.store.beat(["t_1"], worker_id="w-1", lease_s=LEASE_S)

    after = await desk.read()
    assert after.lease_until == desk.clock.now() + timedelta(seconds=LEASE_S)
    assert after.version == task.version


async def test_beat_of_another_start_prolongs_nothing(desk: Desk) -> None:
    task = await desk.claimed()
    desk.clock.advance(10)

    await desk.store.beat(["t_1"], worker_id="w-2", lease_s=LEASE_S)

    assert (await desk.read()).lease_until == task.lease_until


async def test_leases_are_read_back_as_they_are(desk: Desk) -> None:
    await desk.in_state("cancelling")

    seen = await desk.store.read_leases(["t_1", "t_none"])

    assert {key: (row.worker_id, row.fence, row.status) for key, row in seen.items()} == {
        "t_1": ("w-1", 1, TaskStatus.CANCELLING)
    }


# -- writes under the fence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [Lease("t_1", "w-1", 0), Lease("t_1", "w-2", 1)])
async def test_write_without_the_fence_is_refused(desk: Desk, wrong: Lease) -> None:
    task = await desk.claimed()

    with pytest.raises(LeaseLostError):
        await desk.store.save_checkpoint(wrong, Checkpoint(desk.clock.now(), "n"))

    assert await desk.read() == task


async def test_checkpoint_is_stored_and_forgives_lost_leases(desk: Desk) -> None:
    lost = await desk.store.reap(await desk.claimed(), even_if_alive=True)
    task = await desk.claimed(lost, claim_id="c2")
    assert task.lost == 1

    await desk.store.save_checkpoint(lease_of(task), Checkpoint(desk.clock.now(), "3 pages", {"n": 3}))

    after = await desk.read()
    assert after.lost == 0
    assert after.checkpoint == Checkpoint(desk.clock.now(), "3 pages", {"n": 3})
    assert after.version == task.version + 1


async def test_cancelling_task_still_takes_writes_of_its_run(desk: Desk) -> None:
    task = await desk.in_state("cancelling")

    await desk.store.save_checkpoint(Lease("t_1", "w-1", task.fence), Checkpoint(desk.clock.now(), "n"))

    assert (await desk.read()).checkpoint is not None


async def test_intent_opens_upstream_and_a_recorded_refusal_closes_it(desk: Desk) -> None:
    task = await desk.with_open_job()
    assert task.upstream_open is True
    assert task.intent is not None

    await desk.store.save_upstream(lease_of(task), Upstream(submits=1), is_open=False, drop_intent=True)

    after = await desk.read()
    assert (after.upstream_open, after.intent) == (False, None)


async def test_progress_of_many_runs_is_stored_at_once_but_not_of_a_lost_one(desk: Desk) -> None:
    one, two = await desk.claimed(), await desk.claimed(await desk.made("t_2"))
    mine, stale = lease_of(one), replace(lease_of(two), fence=0)

    await desk.store.save_progress([(mine, Progress(done=3), Books(ok=3)), (stale, Progress(done=9), None)])

    assert ((await desk.read()).progress.done, (await desk.read()).books.ok) == (3, 3)
    assert (await desk.read("t_2")).progress.done == 0


async def test_start_of_the_log_is_kept_per_fence(desk: Desk) -> None:
    task = await desk.claimed()

    await desk.store.save_log_start(lease_of(task), 12)

    assert (await desk.read()).log_from == {"1": 12}


# -- wait, start, resume -------------------------------------------------------------------------------------------


async def test_waiting_task_holds_nothing_and_keeps_its_attempts(desk: Desk) -> None:
    task = await desk.waiting()

    assert (task.status, task.worker_id, task.lease_until, task.attempt) == (TaskStatus.WAITING, None, None, 0)
    assert (task.notice, task.deadline_at) == (NOTICE, None)


async def test_wait_repeated_answers_the_same_until_the_task_goes_on(desk: Desk) -> None:
    task = await desk.claimed()
    lease = lease_of(task)

    answers = [await desk.store.wait(task, lease, notice=NOTICE, books=Books()) for _ in range(2)]
    waiting = await desk.read()
    await desk.store.resume_waiting("t_1", by="li")

    assert answers == [True, True]
    assert (waiting.attempt, len(waiting.history)) == (0, 3)
    assert await desk.store.wait(task, lease, notice=NOTICE, books=Books()) is False


async def test_cancelling_task_does_not_go_to_wait(desk: Desk) -> None:
    task = await desk.in_state("cancelling")

    assert await desk.store.wait(task, lease_of(task), notice=NOTICE, books=Books()) is False
    assert (await desk.read()).status is TaskStatus.CANCELLING


async def test_held_task_becomes_pending_by_start_only(desk: Desk) -> None:
    await desk.made(is_held=True)

    assert await desk.store.resume_waiting("t_1", by="li") is None
    started = await desk.store.release_held("t_1", by="li")

    assert started is not None
    assert (started.status, started.history[-1].reason, started.history[-1].by) == (
        TaskStatus.PENDING,
        "started",
        "li",
    )
    assert await desk.store.release_held("t_1", by="li") is None


async def test_waiting_task_becomes_pending_by_resume_and_loses_its_notice(desk: Desk) -> None:
    await desk.waiting()
    desk.clock.advance(60)

    resumed = await desk.store.resume_waiting("t_1", by="li")

    assert resumed is not None
    assert (resumed.status, resumed.notice, resumed.run_at) == (TaskStatus.PENDING, None, desk.clock.now())


async def test_start_keeps_a_planned_time_that_is_still_to_come(desk: Desk) -> None:
    later = desk.clock.now() + timedelta(hours=1)
    await desk.made(is_held=True, run_at=later)

    started = await desk.store.release_held("t_1", by="li")

    assert started is not None
    assert started.run_at == later


# -- retry, drain --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "attempt"), [("retry", 1), ("drain", 0)])
async def test_task_given_back_is_pending_and_free(desk: Desk, reason: str, attempt: int) -> None:
    task = await desk.claimed()
    later = desk.clock.now() + timedelta(seconds=8)

    assert await desk.store.give_back(task, lease_of(task), reason=reason, run_at=later, books=Books(ok=2))

    after = await desk.read()
    assert (after.status, after.attempt, after.worker_id, after.run_at) == (TaskStatus.PENDING, attempt, None, later)
    assert (after.books.ok, after.history[-1].reason) == (2, reason)


async def test_cancelling_task_is_never_given_back(desk: Desk) -> None:
    task = await desk.in_state("cancelling")

    took = await desk.store.give_back(task, lease_of(task), reason="drain", run_at=desk.clock.now(), books=Books())

    assert took is False
    assert (await desk.read()).status is TaskStatus.CANCELLING
