import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from backend.core.cache import Cache
from backend.core.database import Database
from backend.core.logs import captured_log
from backend.domain.errors import StoreUnavailableError
from backend.domain.task import Books, Ending, Lease, StopReason, SubmitIntent, Task, TaskKind, TaskStatus, Upstream
from backend.domain.text import Text
from backend.runner.slots import Slots
from backend.runner.sweeper import Sweeper
from tests.fixtures.clocks import SetClock
from tests.fixtures.scripted import INFO, Bench, hang

LONG_AGO = timedelta(seconds=-60)


class Sweep:
    """A sweeper over a bench, with what it asked to be started and removed."""

    def __init__(self, bench: Bench) -> None:
        self.started: list[str] = []
        self.removed: list[str] = []
        self.asked = asyncio.Event()
        self.sweeper = Sweeper(
            *(bench.tasks, bench.runner, {TaskKind.CRAWL: bench.executor}),
            clock=bench.clock,
            start_task=self._start,
            removals=(self._remove,),
            chance=random.Random(1),
        )

    def _start(self, task: Task) -> None:
        self.started.append(task.task_id)
        self.asked.set()

    async def _remove(self, task_id: str) -> None:
        self.removed.append(task_id)


@pytest.fixture
def sweep(bench: Bench) -> Sweep:
    return Sweep(bench)


async def claimed_elsewhere(bench: Bench, *, worker_id: str = "w_gone-1", task_id: str = "t_1") -> Task:
    """A task whose owner's lease ran out a minute ago."""
    task = await bench.create(task_id)
    taken = await bench.tasks.claim(task, worker_id=worker_id, claim_id="c", lease_s=LONG_AGO.total_seconds())
    assert taken is not None
    return taken


async def cancelling_with_open_job(bench: Bench, *, worker_id: str = "w_gone-1", lease_s: float) -> None:
    task = await bench.create()
    taken = await bench.tasks.claim(task, worker_id=worker_id, claim_id="c", lease_s=lease_s)
    assert taken is not None
    lease = Lease("t_1", worker_id, taken.fence)
    await bench.tasks.save_intent(lease, SubmitIntent("k", 1, bench.clock.now()), Upstream(submits=1))
    await bench.tasks.cancel("t_1", by="li", requested_at=bench.clock.now())


async def test_due_tasks_are_started_up_to_the_free_slots(bench: Bench, sweep: Sweep) -> None:
    for n in range(12):
        await bench.create(f"t_{n:02}")

    await sweep.sweeper.sweep()

    assert sweep.started == [f"t_{n:02}" for n in range(10)]
    assert bench.runner.has_backlog is True


async def test_backlog_is_over_when_all_that_is_due_was_started(bench: Bench, sweep: Sweep) -> None:
    await bench.create()
    bench.runner.has_backlog = True

    await sweep.sweeper.sweep()

    assert bench.runner.has_backlog is False


async def test_full_platform_holds_up_no_other(bench: Bench) -> None:
    slow = replace(INFO, id="slow", max_running=2)
    bench.runner.slots = Slots([INFO, slow], total=10)
    sweep = Sweep(bench)
    for n in range(12):
        await bench.create(f"t_{n:02}", platform="slow")
    for n in range(3):
        await bench.create(f"u_{n:02}")

    await sweep.sweeper.sweep()

    assert sweep.started == ["t_00", "t_01", "u_00", "u_01", "u_02"]


async def test_claim_in_flight_takes_no_second_slot(bench: Bench, sweep: Sweep) -> None:
    bench.runner.slots = Slots([INFO], total=2)
    tasks = [await bench.create(f"t_{n}") for n in range(2)]
    bench.runner._register(tasks[0])
    bench.runner.slots.take("web")

    await sweep.sweeper.sweep()

    assert sweep.started == ["t_1"]
    bench.runner._let_go(bench.runner.live()[0])


async def test_error_in_one_follow_up_holds_up_nothing_else(bench: Bench, sweep: Sweep) -> None:
    recount = bench.executor.recount

    async def recount_but_one(task: Task) -> Books:
        if task.task_id == "t_1":
            raise KeyError("books")
        return await recount(task)

    bench.executor.recount = recount_but_one  # type: ignore[method-assign]
    for task_id in ("t_1", "t_2"):
        await claimed_elsewhere(bench, task_id=task_id)
        await bench.tasks.cancel(task_id, by="li", requested_at=bench.clock.now())
    await bench.create("t_3")

    await sweep.sweeper.sweep()

    assert [(await bench.read(task_id)).after for task_id in ("t_1", "t_2")] == [("books", "event"), ("event",)]
    assert sweep.started == ["t_3"]


async def test_no_lease_is_taken_while_the_time_of_day_has_just_jumped(bench: Bench, sweep: Sweep) -> None:
    await claimed_elsewhere(bench)
    now_s = bench.clock.elapsed()
    bench.clock.follow(bench.clock.now(), sent_at=now_s, received_at=now_s)
    bench.clock.follow(bench.clock.now() + timedelta(hours=1), sent_at=now_s, received_at=now_s)

    await sweep.sweeper.sweep()

    assert (await bench.read()).status is TaskStatus.RUNNING


async def test_task_of_the_future_is_left_alone(bench: Bench, sweep: Sweep) -> None:
    await bench.create(run_at=bench.clock.now() + timedelta(seconds=60))

    await sweep.sweeper.sweep()

    assert sweep.started == []


async def test_every_eighth_round_takes_the_oldest_whatever_its_priority(bench: Bench) -> None:
    bench.runner.slots = Slots([INFO], total=1)
    sweep = Sweep(bench)
    await bench.create("t_old")
    await bench.create("t_urgent", priority=4)

    for _ in range(8):
        await sweep.sweeper.sweep()

    assert sweep.started == ["t_urgent"] * 7 + ["t_old"]


async def test_nothing_is_started_while_the_server_leaves(bench: Bench, sweep: Sweep) -> None:
    await bench.create()
    await bench.runner.drain(grace_s=1)

    await sweep.sweeper.sweep()

    assert sweep.started == []


async def test_expired_lease_is_taken_back_and_the_task_started_in_the_same_round(bench: Bench, sweep: Sweep) -> None:
    await claimed_elsewhere(bench)

    with captured_log() as lines:
        await sweep.sweeper.sweep()

    assert sweep.started == ["t_1"]
    assert (await bench.read()).lost == 1
    assert any("lease of task t_1 had run out" in line for line in lines)


async def test_task_lost_too_often_is_said_to_have_failed(bench: Bench, sweep: Sweep) -> None:
    await claimed_elsewhere(bench)
    tasks = bench.tasks._tasks
    await bench.tasks._db.do(tasks.update_one({"_id": "t_1"}, {"$set": {"lost": 10}}))

    with captured_log() as lines:
        await sweep.sweeper.sweep()

    assert (await bench.read()).dead is True
    assert any("❌ 任务执行失败: t_1, ATTEMPTS_USED_UP" in line for line in lines)


async def test_late_lease_of_a_run_in_this_process_is_not_taken(bench: Bench, sweep: Sweep) -> None:
    bench.executor.script = hang
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()
    await bench.tasks.beat(["t_1"], worker_id="w-1", lease_s=LONG_AGO.total_seconds())

    await sweep.sweeper.sweep()

    assert (await bench.read()).status is TaskStatus.RUNNING
    await bench.runner.drain(grace_s=5)
    await run


async def test_expired_cancelling_task_ends_cancelled_and_its_books_are_recounted(bench: Bench, sweep: Sweep) -> None:
    bench.executor.books = Books(requested=2, ok=1, aborted=1)
    await claimed_elsewhere(bench)
    await bench.tasks.cancel("t_1", by="li", requested_at=bench.clock.now())

    with captured_log() as lines:
        await sweep.sweeper.sweep()

    task = await bench.read()
    assert any("✅ 任务已取消: t_1, 用时 " in line for line in lines)
    assert (task.status, task.after) == (TaskStatus.CANCELLED, ("event",))
    assert (task.books.aborted, task.books.balanced) == (1, True)


async def test_expired_cancelling_task_with_an_open_job_is_abandoned_not_just_ended(bench: Bench, sweep: Sweep) -> None:
    task = await claimed_elsewhere(bench)
    lease = Lease("t_1", "w_gone-1", task.fence)
    await bench.tasks.save_intent(lease, SubmitIntent("k", 1, bench.clock.now()), Upstream(submits=1))
    await bench.tasks.cancel("t_1", by="li", requested_at=bench.clock.now())

    await sweep.sweeper.sweep()
    await bench.runner.drain(grace_s=5)

    assert bench.executor.abandoned == ["t_1"]
    assert (await bench.read()).status is TaskStatus.CANCELLED


async def test_asking_for_a_cancel_holds_up_neither_the_round_nor_the_end_of_the_sweeper(
    bench: Bench, sweep: Sweep
) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def ask(task: Task, context: object) -> None:
        asked.set()
        await answered.wait()
        bench.executor.abandoned.append(task.task_id)

    bench.executor.abandon = ask  # type: ignore[method-assign]
    await cancelling_with_open_job(bench, lease_s=LONG_AGO.total_seconds())
    await bench.create("t_2")
    await sweep.sweeper.start()

    await asyncio.wait_for(sweep.asked.wait(), 5)
    await asked.wait()
    await sweep.sweeper.stop()
    answered.set()
    await bench.runner.drain(grace_s=5)

    assert bench.executor.abandoned == ["t_1"]
    assert (await bench.read()).status is TaskStatus.CANCELLED


async def test_open_job_of_an_earlier_start_is_abandoned_though_its_lease_still_runs(
    bench: Bench, sweep: Sweep
) -> None:
    await cancelling_with_open_job(bench, worker_id="w_me-old", lease_s=30)

    await sweep.sweeper.reap_own_past("w_me")
    await bench.runner.drain(grace_s=5)

    assert bench.executor.abandoned == ["t_1"]
    assert (await bench.read()).status is TaskStatus.CANCELLED


async def test_earlier_starts_of_this_instance_give_back_at_once(bench: Bench, sweep: Sweep) -> None:
    task = await bench.create()
    await bench.tasks.claim(task, worker_id="w_me-old", claim_id="c", lease_s=30)
    other = await bench.create("t_2")
    await bench.tasks.claim(other, worker_id="w_other-old", claim_id="c", lease_s=30)

    taken = await sweep.sweeper.reap_own_past("w_me")

    assert taken == 1
    assert (await bench.read("t_1")).status is TaskStatus.PENDING
    assert (await bench.read("t_2")).status is TaskStatus.RUNNING


async def test_hidden_task_loses_its_results_then_its_document_after_two_leases(
    database: Database, cache: Cache
) -> None:
    clock = SetClock()
    bench = Bench(database, cache, clock, lease_s=30)
    sweep = Sweep(bench)
    task = await bench.create()
    taken = await bench.tasks.claim(task, worker_id="w", claim_id="c", lease_s=30)
    assert taken is not None
    end = Ending(TaskStatus.SUCCEEDED, Text("完成", "Done"))
    await bench.tasks.finish(taken, Lease("t_1", "w", 1), end, books=Books())
    await bench.tasks.hide("t_1")

    clock.advance(59)
    await sweep.sweeper.sweep()
    assert sweep.removed == []
    clock.advance(6)
    await sweep.sweeper.sweep()

    assert sweep.removed == ["t_1"]
    assert await bench.tasks.hidden_before(clock.now(), limit=1) == []


async def test_freed_slot_wakes_the_sweeper_that_has_a_backlog(bench: Bench, sweep: Sweep) -> None:
    bench.executor.script = hang
    bench.runner.slots = Slots([INFO], total=1)
    run = asyncio.create_task(bench.run(await bench.create("t_1")))
    await bench.executor.begun.wait()
    waiting = await bench.create("t_2")
    await sweep.sweeper.start()
    bench.runner.has_backlog = not bench.runner.may_start(waiting)

    await bench.tasks.cancel("t_1", by="li", requested_at=bench.clock.now())
    bench.runner.stop_run("t_1", StopReason.USER)
    await run
    await asyncio.wait_for(sweep.asked.wait(), 5)
    await sweep.sweeper.stop()

    assert sweep.started[0] == "t_2"


async def test_sweeper_goes_on_after_the_store_was_away(bench: Bench, sweep: Sweep) -> None:
    rounds = iter([StoreUnavailableError("AutoReconnect")])
    due = bench.tasks.due

    async def due_or_away(*arguments: object, **named: object) -> list[Task]:
        for error in rounds:
            raise error
        return await due(*arguments, **named)  # type: ignore[arg-type]

    bench.tasks.due = due_or_away  # type: ignore[method-assign]
    await bench.create()
    await sweep.sweeper.start()

    await asyncio.wait_for(sweep.asked.wait(), 10)
    await sweep.sweeper.stop()

    assert sweep.started == ["t_1"]


async def test_reaping_that_the_store_cut_short_is_made_up_for_in_the_next_round(
    bench: Bench, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_away(**named: int) -> list[Task]:
        raise StoreUnavailableError("NetworkTimeout")

    await claimed_elsewhere(bench)
    with monkeypatch.context() as patched:
        patched.setattr(bench.tasks, "expired", be_away)
        with pytest.raises(StoreUnavailableError):
            await sweep.sweeper.sweep()

    await sweep.sweeper.sweep()

    assert (await bench.read()).status is TaskStatus.PENDING


async def test_task_put_off_while_the_sweeper_looks_is_still_known_to_wait(bench: Bench, sweep: Sweep) -> None:
    due = bench.tasks.due

    async def due_and_another(*arguments: object, **named: object) -> list[Task]:
        found = await due(*arguments, **named)  # type: ignore[arg-type]
        bench.runner.put_off(await bench.create("t_late"))
        return found

    bench.tasks.due = due_and_another  # type: ignore[method-assign]

    await sweep.sweeper.sweep()

    assert bench.runner.has_backlog is True


async def test_platform_that_waits_holds_up_no_new_task_of_another(bench: Bench) -> None:
    slow = replace(INFO, id="slow", max_running=1)
    bench.runner.slots = Slots([INFO, slow], total=10)
    sweep = Sweep(bench)
    for n in range(2):
        await bench.create(f"t_{n}", platform="slow")

    await sweep.sweeper.sweep()

    assert bench.runner.may_start(await bench.create("t_web")) is True
    assert bench.runner.may_start(await bench.create("t_slow", platform="slow")) is False


async def test_freed_slot_of_a_full_platform_wakes_the_sweeper_for_its_next_task(bench: Bench) -> None:
    slow = replace(INFO, id="slow", max_running=1)
    bench.runner.slots = Slots([INFO, slow], total=10)
    sweep = Sweep(bench)
    bench.runner.slots.take("slow")
    bench.runner.put_off(await bench.create("t_1", platform="slow"))
    await sweep.sweeper.start()
    await sweep.sweeper.sweep()
    sweep.sweeper._wake.clear()

    bench.runner.slots.release("slow")
    sweep.sweeper.wake()

    assert sweep.sweeper._wake.is_set()
    await sweep.sweeper.stop()


async def test_ring_of_another_server_starts_what_it_put_off(bench: Bench, sweep: Sweep) -> None:
    await sweep.sweeper.start()
    await bench.create()

    sweep.sweeper.heed_others()
    await asyncio.wait_for(sweep.asked.wait(), 5)
    await sweep.sweeper.stop()

    assert sweep.started == ["t_1"]


async def test_ring_wakes_nobody_where_every_slot_is_taken(bench: Bench, sweep: Sweep) -> None:
    bench.runner.slots = Slots([INFO], total=1)
    bench.runner.slots.take("web")

    sweep.sweeper.heed_others()

    assert not sweep.sweeper._wake.is_set()


async def test_platform_that_was_shut_is_asked_for_again_where_the_slots_of_others_wake_every_round(
    bench: Bench, sweep: Sweep
) -> None:
    clock = sweep.sweeper._clock = SetClock()
    await sweep.sweeper.sweep()
    bench.runner.slots.shut("web")
    await bench.create()
    await sweep.sweeper.sweep()
    asked_at_once = list(sweep.started)

    clock.advance(1)
    await sweep.sweeper.sweep()

    assert (asked_at_once, sweep.started) == ([], ["t_1"])
