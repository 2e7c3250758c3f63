"""Every row of the table in lifecycle.md §3, on the real mongod and in memory mode."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import tornado.ioloop

from backend.core.database import Database
from backend.domain.errors import IdempotencyConflictError, LeaseLostError
from backend.domain.task import (
    Books,
    CancelRecord,
    Checkpoint,
    Ending,
    Lease,
    NewTask,
    Notice,
    Progress,
    Stage,
    SubmitIntent,
    Task,
    TaskKind,
    TaskStatus,
    Upstream,
)
from backend.domain.text import Text
from backend.store.tasks import TaskStore
from tests.fixtures.clocks import SetClock

LEASE_S = 30.0
NEW = NewTask(kind=TaskKind.CRAWL, platform="web", type="site", params={"a": 1}, title="x", body_hash="h")
DONE = Ending(TaskStatus.SUCCEEDED, Text("完成", "Done"))
NOTICE = Notice("NO_KEY", Text("缺少密钥", "No key"))


class Desk:
    """The store, its clock, and tasks put into any state by the store's own methods."""

    def __init__(self, store: TaskStore, clock: SetClock) -> None:
        self.store = store
        self.clock = clock

    async def made(self, task_id: str = "t_1", **changes: object) -> Task:
        task, _ = await self.store.create(task_id, replace(NEW, **changes))  # type: ignore[arg-type]
        return task

    async def claimed(self, task: Task | None = None, *, worker_id: str = "w-1", claim_id: str = "c1") -> Task:
        seen = task or await self.made()
        taken = await self.store.claim(seen, worker_id=worker_id, claim_id=claim_id, lease_s=LEASE_S)
        assert taken is not None
        return taken

    async def waiting(self) -> Task:
        task = await self.claimed()
        assert await self.store.wait(task, lease_of(task), notice=NOTICE, books=Books())
        return await self.read()

    async def in_state(self, state: str) -> Task:
        match state:
            case "held":
                return await self.made(is_held=True)
            case "pending":
                return await self.made()
            case "waiting":
                return await self.waiting()
            case "running":
                return await self.claimed()
            case "cancelling":
                await self.claimed()
                await self.cancel()
            case _:
                task = await self.claimed()
                await self.store.finish(task, lease_of(task), DONE, books=Books())
        return await self.read()

    async def with_open_job(self) -> Task:
        task = await self.claimed()
        intent = SubmitIntent("t_1:0:1", 1, self.clock.now())
        await self.store.save_intent(lease_of(task), intent, Upstream(submits=1))
        return await self.read()

    async def cancel(self, task_id: str = "t_1") -> Task | None:
        return await self.store.cancel(task_id, by="li", requested_at=self.clock.now() - timedelta(milliseconds=40))

    async def read(self, task_id: str = "t_1") -> Task:
        task = await self.store.get(task_id)
        assert task is not None
        return task


def lease_of(task: Task) -> Lease:
    assert task.worker_id is not None
    return Lease(task.task_id, task.worker_id, task.fence)


@pytest.fixture(params=["mongod", "memory"])
def desk(request: pytest.FixtureRequest, io_loop: tornado.ioloop.IOLoop) -> Iterator[Desk]:
    clock = SetClock()
    if request.param == "mongod":
        database = request.getfixturevalue("database")
    else:
        database = Database("", "test", clock=clock, is_memory=True)
        io_loop.run_sync(database.connect)
    store = TaskStore(database, clock=clock)
    io_loop.run_sync(store.ensure_indexes)
    yield Desk(store, clock)
    if request.param == "memory":
        io_loop.run_sync(database.close)


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

    due = await desk.store.with_follow_ups(limit=10)

    assert [(task.task_id, task.after) for task in due] == [("t_1", ("books",))]


async def test_recounted_books_end_the_follow_up_without_a_new_version(desk: Desk) -> None:
    await desk.waiting()
    cancelled = await desk.cancel()

    await desk.store.save_final_books("t_1", Books(requested=2, aborted=2))

    after = await desk.read()
    assert cancelled is not None
    assert (after.books.aborted, after.after, after.version) == (2, (), cancelled.version)


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

    assert (first, again) == (True, True)
    assert await desk.read() == after
    assert (after.status, after.worker_id, after.lease_until) == (TaskStatus.SUCCEEDED, None, None)
    assert (after.ended_at, after.progress.stage, after.books.ok) == (desk.clock.now(), Stage.DONE, 1)


async def test_end_of_a_lost_lease_is_refused(desk: Desk) -> None:
    task = await desk.claimed()
    await desk.store.reap(task, even_if_alive=True)

    assert await desk.store.finish(task, lease_of(task), DONE, books=Books()) is False
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
    assert (reaped.status, reaped.after, reaped.fence) == (TaskStatus.CANCELLED, ("books",), 2)
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


async def test_document_that_is_not_hidden_is_never_removed(desk: Desk) -> None:
    before = await desk.in_state("succeeded")

    await desk.store.remove("t_1")

    assert await desk.read() == before


async def test_states_are_counted(desk: Desk) -> None:
    await desk.made("t_1")
    await desk.made("t_2", is_held=True)

    counts = await desk.store.count_by_status([TaskStatus.PENDING, TaskStatus.RUNNING])

    assert counts == {TaskStatus.PENDING: 1, TaskStatus.RUNNING: 0}
