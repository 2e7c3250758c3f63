import asyncio
from typing import Any

import pytest

from backend.core.cache import Cache
from backend.core.logs import captured_log
from backend.domain.errors import LeaseLostError, NeedsPersonError, StoreUnavailableError, TaskFailedError
from backend.domain.execution import TaskContext
from backend.domain.task import Books, Ending, Stage, StopReason, SubmitIntent, Task, TaskStatus, Upstream
from backend.domain.text import Text
from tests.fixtures.scripted import DONE, Bench, hang


async def cancel(bench: Bench, task_id: str = "t_1") -> None:
    """What DELETE does in the process that runs the task."""
    await bench.tasks.cancel(task_id, by="local", requested_at=bench.clock.now())
    bench.runner.stop_run(task_id, StopReason.USER)


async def test_task_that_ends_well_is_recorded_succeeded_with_balanced_books(bench: Bench) -> None:
    bench.executor.books = Books(requested=3, ok=2, skipped=1, skipped_by={"robots": 1}, stored=2)

    await bench.run(await bench.create())

    task = await bench.read()
    assert task.status is TaskStatus.SUCCEEDED
    assert task.books.balanced is True
    assert task.worker_id is None
    assert [entry.reason for entry in task.history] == ["created", "claimed", "ended"]


async def test_books_that_do_not_add_up_are_an_error_on_the_record(bench: Bench) -> None:
    bench.executor.books = Books(requested=3, ok=1)

    await bench.run(await bench.create())

    task = await bench.read()
    assert task.books.balanced is False
    assert task.error is not None
    assert task.error.name == "BOOKS_UNBALANCED"


async def test_cancel_while_the_body_hangs_is_recorded_cancelled_with_its_latency(bench: Bench) -> None:
    bench.executor.script = hang
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()

    await cancel(bench)
    await run

    task = await bench.read()
    assert task.status is TaskStatus.CANCELLED
    assert task.cancel is not None
    assert task.cancel.released.tasks == 1
    assert task.cancel_latency_ms is not None
    assert bench.executor.concluded == [StopReason.USER]


async def test_cancel_that_comes_with_the_claim_never_starts_the_body(bench: Bench) -> None:
    task = await bench.create()

    async with bench.runner.attempt(task) as attempt:
        await cancel(bench)
        assert attempt is not None
        await attempt.carry_out()

    assert (await bench.read()).status is TaskStatus.CANCELLED
    assert not bench.executor.begun.is_set()


async def test_cancel_before_the_claim_is_seen_by_the_claim(bench: Bench) -> None:
    task = await bench.create()
    await cancel(bench)

    assert await bench.run(task) is False

    assert (await bench.read()).status is TaskStatus.CANCELLED


async def test_claim_that_was_repeated_for_long_is_beaten_for_before_the_body_starts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages: list[float] = []
    claim = bench.tasks.claim

    async def answered_late(*given: Any, **named: Any) -> Task | None:
        bench.runner.live()[0].good_beat_at -= 15
        return await claim(*given, **named)

    async def look(context: TaskContext) -> Ending:
        ages.append(bench.clock.elapsed() - bench.runner.live()[0].good_beat_at)
        return DONE

    monkeypatch.setattr(bench.tasks, "claim", answered_late)
    bench.executor.script = look

    await bench.run(await bench.create())

    assert ages[0] < 10


async def test_duplicate_run_of_one_id_returns_at_once(bench: Bench) -> None:
    bench.executor.script = hang
    task = await bench.create()
    first = asyncio.create_task(bench.run(task))
    await bench.executor.begun.wait()

    assert await bench.run(task) is False

    await cancel(bench)
    assert await first is True


async def test_body_that_swallows_the_cancel_is_cancelled_again(bench: Bench) -> None:
    swallowed = []

    async def stubborn(context: TaskContext) -> Ending:
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.append(1)
        await asyncio.Event().wait()
        return DONE

    bench.executor.script = stubborn
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()

    await cancel(bench)
    await run

    assert len(swallowed) == 2
    assert (await bench.read()).status is TaskStatus.CANCELLED


async def test_flag_set_by_another_process_stops_the_run(bench: Bench, cache: Cache) -> None:
    bench.executor.script = hang
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()

    await bench.tasks.cancel("t_1", by="local", requested_at=bench.clock.now())
    await cache.flag_cancel("t_1")
    await run

    assert (await bench.read()).status is TaskStatus.CANCELLED


async def test_beat_sees_a_cancel_when_no_flag_came(bench: Bench) -> None:
    bench.executor.script = hang
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()
    await bench.tasks.cancel("t_1", by="local", requested_at=bench.clock.now())

    await bench.runner.keeper.beat_once()
    await run

    assert (await bench.read()).status is TaskStatus.CANCELLED


async def test_shutdown_gives_the_task_back_and_keeps_its_attempts(bench: Bench) -> None:
    bench.executor.script = hang
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()

    left = await bench.runner.drain(grace_s=5)
    await run

    task = await bench.read()
    assert left == 0
    assert (task.status, task.attempt, task.worker_id) == (TaskStatus.PENDING, 0, None)
    assert task.history[-1].reason == "drain"
    assert bench.executor.concluded == [StopReason.SHUTDOWN]


async def test_cancel_during_shutdown_ends_as_cancelled(bench: Bench) -> None:
    bench.executor.script = hang
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()
    await bench.tasks.cancel("t_1", by="local", requested_at=bench.clock.now())

    await bench.runner.drain(grace_s=5)
    await run

    assert (await bench.read()).status is TaskStatus.CANCELLED


async def test_retryable_failure_goes_back_until_the_attempts_are_used_up(bench: Bench) -> None:
    async def fail(context: TaskContext) -> Ending:
        raise TaskFailedError("THROTTLED", Text("限流", "Throttled"), where="fetch", can_retry=True)

    bench.executor.script = fail
    await bench.run(await bench.create(max_attempts=1))

    task = await bench.read()
    assert (task.status, task.dead) == (TaskStatus.FAILED, True)
    assert task.error is not None
    assert task.error.name == "THROTTLED"


async def test_first_retryable_failure_waits_as_pending(bench: Bench) -> None:
    async def fail(context: TaskContext) -> Ending:
        raise TaskFailedError("THROTTLED", Text("限流", "Throttled"), where="fetch", can_retry=True, retry_after_s=60)

    bench.executor.script = fail
    await bench.run(await bench.create())

    task = await bench.read()
    assert (task.status, task.attempt) == (TaskStatus.PENDING, 1)
    assert (task.run_at - bench.clock.now()).total_seconds() > 50


async def test_need_of_a_person_parks_the_task(bench: Bench) -> None:
    async def ask(context: TaskContext) -> Ending:
        raise NeedsPersonError("NO_KEY", Text("缺少密钥", "No key"))

    bench.executor.script = ask
    await bench.run(await bench.create())

    task = await bench.read()
    assert (task.status, task.attempt) == (TaskStatus.WAITING, 0)
    assert task.notice is not None
    assert task.notice.code == "NO_KEY"


async def test_deadline_ends_the_task_as_timed_out(bench: Bench) -> None:
    bench.executor.script = hang
    await bench.run(await bench.create(deadline_s=0.05))

    task = await bench.read()
    assert task.status is TaskStatus.TIMED_OUT
    assert bench.executor.concluded == [StopReason.DEADLINE]


@pytest.mark.parametrize(
    "words",
    [
        "Event loop is closed",
        "the loop is closed",
        "no running event loop",
        "Cannot send a request, as the client has been closed.",
    ],
)
async def test_closed_loop_in_a_body_goes_back_as_a_lost_lease_and_its_words_are_in_no_log(
    bench: Bench, words: str
) -> None:
    async def break_down(context: TaskContext) -> Ending:
        raise RuntimeError(words)

    bench.executor.script = break_down
    with captured_log() as lines:
        await bench.run(await bench.create())

    task = await bench.read()
    assert (task.status, task.attempt, task.lost) == (TaskStatus.PENDING, 0, 1)
    assert any("❌ 任务执行失败: t_1, LOOP_CLOSED" in line for line in lines)
    assert not any(words in line for line in lines)


async def test_store_that_does_not_answer_the_body_costs_the_task_nothing(bench: Bench) -> None:
    async def lose_the_store(context: TaskContext) -> Ending:
        raise StoreUnavailableError("NetworkTimeout")

    bench.executor.script = lose_the_store
    await bench.run(await bench.create())

    task = await bench.read()
    assert (task.status, task.attempt, task.lost) == (TaskStatus.PENDING, 0, 1)


async def test_end_that_no_store_takes_in_time_is_one_line_of_the_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_away(*arguments: object, **named: object) -> bool:
        bench.runner.live()[0].good_beat_at -= 21
        raise StoreUnavailableError("NetworkTimeout")

    monkeypatch.setattr(bench.tasks, "finish", be_away)
    with captured_log() as lines:
        await bench.run(await bench.create())

    assert any("a step of task t_1 is left: NetworkTimeout" in line for line in lines)
    assert not any("ERROR" in line or "Traceback" in line for line in lines)


async def test_end_that_could_not_be_settled_before_the_lease_was_lost_is_left_to_the_next_owner(bench: Bench) -> None:
    async def be_away(context: TaskContext, reason: StopReason | None) -> Books:
        bench.runner.live()[0].good_beat_at -= 21
        raise StoreUnavailableError("NetworkTimeout")

    bench.executor.script, bench.executor.conclude = hang, be_away
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()

    await cancel(bench)
    await run

    assert (await bench.read()).status is TaskStatus.CANCELLING


async def test_conclusion_of_a_run_that_lost_its_lease_is_one_line_of_the_log(bench: Bench) -> None:
    async def be_too_late(context: TaskContext, reason: StopReason | None) -> Books:
        raise LeaseLostError("t_1")

    bench.executor.conclude = be_too_late
    with captured_log() as lines:
        await bench.run(await bench.create())

    assert any("a step of task t_1 is left" in line for line in lines)
    assert not any("ERROR" in line or "Traceback" in line for line in lines)


@pytest.mark.parametrize("error", [StoreUnavailableError("NetworkTimeout"), RuntimeError("Event loop is closed")])
async def test_cancel_of_a_task_that_is_about_to_go_back_ends_it_at_once(bench: Bench, error: Exception) -> None:
    async def be_cancelled_and_fail(context: TaskContext) -> Ending:
        await bench.tasks.cancel("t_1", by="local", requested_at=bench.clock.now())
        raise error

    bench.executor.script = be_cancelled_and_fail
    await bench.run(await bench.create())

    assert (await bench.read()).status is TaskStatus.CANCELLED


async def test_progress_of_this_run_forgives_the_leases_lost_before_it(bench: Bench) -> None:
    async def get_on_and_lose_the_store(context: TaskContext) -> Ending:
        await context.checkpoint({}, "第 1 页")
        raise StoreUnavailableError("NetworkTimeout")

    bench.executor.script = get_on_and_lose_the_store
    task = await bench.create()
    tasks = bench.tasks._tasks
    await bench.tasks._db.do(tasks.update_one({"_id": "t_1"}, {"$set": {"lost": 10}}))
    await bench.run(task)

    after = await bench.read()
    assert (after.status, after.lost) == (TaskStatus.PENDING, 1)


async def test_cancel_that_meets_the_settling_of_a_failure_leaves_it_a_failure(bench: Bench) -> None:
    # Its conclusion asked no provider: as cancelled, an open job would never have been asked about.
    async def fail(context: TaskContext) -> Ending:
        raise TaskFailedError("SUBMIT_UNCERTAIN", Text("未知", "unknown"), where=Stage.SUBMIT)

    async def cancelled_meanwhile(context: TaskContext, reason: StopReason | None) -> Books:
        await cancel(bench)
        return Books()

    bench.executor.script, bench.executor.conclude = fail, cancelled_meanwhile

    await bench.run(await bench.create())

    task = await bench.read()
    assert (task.status, task.error and task.error.name) == (TaskStatus.FAILED, "SUBMIT_UNCERTAIN")


async def test_open_job_of_a_cancelled_run_is_asked_about_even_if_its_conclusion_fails(bench: Bench) -> None:
    async def submit_and_hang(context: TaskContext) -> Ending:
        await context.record_intent(SubmitIntent("k", 1, bench.clock.now()), Upstream(submits=1))
        submitted.set()
        return await hang(context)

    async def fail(context: TaskContext, reason: StopReason | None) -> Books:
        raise KeyError("conclude")

    submitted = asyncio.Event()
    bench.executor.script, bench.executor.conclude = submit_and_hang, fail
    run = asyncio.create_task(bench.run(await bench.create()))
    await submitted.wait()
    await cancel(bench)
    await run

    assert bench.executor.abandoned == ["t_1"]
    assert (await bench.read()).status is TaskStatus.CANCELLED


async def test_open_job_of_a_timed_out_run_is_asked_about_even_if_its_conclusion_fails(bench: Bench) -> None:
    async def submit_and_hang(context: TaskContext) -> Ending:
        await context.record_intent(SubmitIntent("k", 1, bench.clock.now()), Upstream(submits=1))
        bench.runner.stop_run("t_1", StopReason.DEADLINE)
        return await hang(context)

    async def fail(context: TaskContext, reason: StopReason | None) -> Books:
        raise KeyError("conclude")

    bench.executor.script, bench.executor.conclude = submit_and_hang, fail
    await bench.run(await bench.create())

    assert bench.executor.abandoned == ["t_1"]
    assert (await bench.read()).status is TaskStatus.TIMED_OUT


async def test_conclusion_that_takes_too_long_is_cut_and_told_in_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(context: TaskContext, reason: StopReason | None) -> Books:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("backend.runner.supervisor._CONCLUDE_S", 0.01)
    bench.executor.script, bench.executor.conclude = hang, never
    with captured_log() as lines:
        run = asyncio.create_task(bench.run(await bench.create()))
        await bench.executor.begun.wait()
        await cancel(bench)
        await run

    assert (await bench.read()).status is TaskStatus.CANCELLED
    assert any("a step of task t_1 is left" in line for line in lines)
    assert not any("ERROR" in line or "Traceback" in line for line in lines)
