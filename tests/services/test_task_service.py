"""Tasks from request to end, on real stores and in memory mode: what callers can do, and the lines the owner reads."""

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from backend.core.logs import captured_log
from backend.domain.errors import (
    CacheUnavailableError,
    IdempotencyConflictError,
    NeedsPersonError,
    PlatformUnavailableError,
    StateConflictError,
    StoreUnavailableError,
    TaskNotFoundError,
)
from backend.domain.execution import TaskContext
from backend.domain.platform import Availability
from backend.domain.task import Ending, Lease, SubmitIntent, Task, TaskStatus, Upstream
from backend.domain.text import Text
from backend.services.task_requests import TaskRequest
from tests.fixtures.office import Office
from tests.fixtures.scripted import hang

if TYPE_CHECKING:
    from backend.runner.run import Run

NO_KEY = Availability(
    available=False, reason="NO_KEY", message=Text("缺少密钥", "No key"), advice=Text("设置密钥", "Set it")
)
ORIGIN = "services.task_service"


def said(lines: list[str], level: str, origin: str, message: str) -> int:
    """Return the place of a line in the log. Raises AssertionError when it is not there."""
    wanted = re.compile(rf"\S+ \S+ \| {level} *\| {re.escape(origin)}:\d+ \| {re.escape(message)}")
    places = [place for place, line in enumerate(lines) if wanted.match(line)]
    assert len(places) == 1, "\n".join(lines)
    return places[0]


# -- create ----------------------------------------------------------------------------------------------------------


async def test_created_task_runs_to_its_end_and_says_so_in_the_owners_lines(office: Office) -> None:
    with captured_log() as lines:
        task = await office.create()
        ended = await office.ended(task)

    assert ended.status is TaskStatus.SUCCEEDED
    created = said(lines, "SUCCESS", f"{ORIGIN}:create_task", f"✅ 任务创建成功: {task.task_id}")
    begun = said(lines, "INFO", f"{ORIGIN}:_execute_task", f"🚀 开始执行任务: {task.task_id}")
    assert created < begun


async def test_manual_task_waits_for_its_start(office: Office) -> None:
    with captured_log() as lines:
        task = await office.create(start="manual")

    assert task.status is TaskStatus.HELD
    said(lines, "INFO", f"{ORIGIN}:create_task", f"任务已创建，等待执行: {task.task_id}")
    await office.service.start(task.task_id, by="li")
    assert (await office.ended(task)).status is TaskStatus.SUCCEEDED


async def test_failing_store_is_said_once_and_raised(office: Office) -> None:
    async def fail(*_: object) -> object:
        raise StoreUnavailableError("AutoReconnect")

    office.bench.tasks.create = fail  # type: ignore[method-assign, assignment]
    with captured_log() as lines, pytest.raises(StoreUnavailableError):
        await office.create()

    said(lines, "ERROR", f"{ORIGIN}:create_task", "❌ 创建任务失败: ")
    assert len(lines) == 1


async def test_same_key_and_body_return_the_first_task_and_run_it_once(office: Office) -> None:
    first = await office.create(key="k", params={"pages": 2})
    await office.ended(first)

    again = await office.service.create_task(TaskRequest("web", {"pages": 2}), idempotency_key="k")

    assert (again.is_replay, again.task.task_id, again.task.attempt) == (True, first.task_id, 1)


async def test_same_key_with_another_body_is_a_conflict(office: Office) -> None:
    await office.ended(await office.create(key="k", params={"pages": 2}))

    with pytest.raises(IdempotencyConflictError):
        await office.create(key="k", params={"pages": 3})


async def test_scheduled_task_is_pending_until_its_time(office: Office) -> None:
    later = office.bench.clock.now() + timedelta(hours=1)

    task = await office.create(run_at=later)
    await office.sweeper.sweep()

    assert (await office.service.get(task.task_id)).status is TaskStatus.PENDING
    assert office.bench.runner.live() == []


# -- a platform that cannot run ----------------------------------------------------------------------------------------


async def test_task_of_an_unavailable_platform_is_accepted_waits_and_goes_on_when_resumed(office: Office) -> None:
    office.platform.state = NO_KEY

    async def ask(context: TaskContext) -> Ending:
        raise NeedsPersonError("NO_KEY", Text("缺少密钥", "No key"))

    succeed, office.bench.executor.script = office.bench.executor.script, ask
    task = await office.create()
    waiting = await office.reached(task, TaskStatus.WAITING)
    office.bench.executor.script = succeed
    await office.service.resume(task.task_id, by="li")

    assert task.notice is not None
    assert waiting.notice is not None
    assert (task.notice.code, waiting.notice.code, waiting.attempt) == ("NO_KEY", "NO_KEY", 0)
    assert (await office.ended(task)).status is TaskStatus.SUCCEEDED


async def test_caller_who_asks_for_it_is_refused_instead(office: Office) -> None:
    office.platform.state = NO_KEY

    with pytest.raises(PlatformUnavailableError):
        await office.create(require_available=True)


# -- cancel ------------------------------------------------------------------------------------------------------------


async def test_cancel_of_a_running_task_ends_it_and_says_so(office: Office) -> None:
    task = await office.hanging()

    with captured_log() as lines:
        answer = await office.service.cancel_task(task.task_id, by="li", wait_s=5)
        # The answer may come as soon as the end is stored: its run says so just after.
        for run in office.bench.runner.live():
            await run.ended.wait()

    assert answer.status is TaskStatus.CANCELLED
    assert answer.cancel is not None
    assert answer.cancel.requested_by == "li"
    marked = said(lines, "INFO", f"{ORIGIN}:cancel_task", f"🛑 任务已标记为取消: {task.task_id}")
    ended = [n for n, line in enumerate(lines) if f"✅ 任务已取消: {task.task_id}, 用时 " in line]
    assert len(ended) == 1
    assert marked < ended[0]
    assert not [line for line in lines if "ERROR" in line or "Traceback" in line]


async def test_cancel_answers_at_once_when_nobody_waits(office: Office) -> None:
    task = await office.hanging()

    answer = await office.service.cancel_task(task.task_id, by="li")

    assert answer.status is TaskStatus.CANCELLING
    assert (await office.ended(task)).status is TaskStatus.CANCELLED


async def test_cancel_of_a_held_task_is_done_in_the_answer(office: Office) -> None:
    task = await office.create(start="manual")

    with captured_log() as lines:
        answer = await office.service.cancel_task(task.task_id, by="li")

    assert answer.status is TaskStatus.CANCELLED
    assert any(f"✅ 任务已取消: {task.task_id}" in line for line in lines)


async def test_cancel_is_idempotent_and_keeps_the_end_a_task_had(office: Office) -> None:
    task = await office.create()
    ended = await office.ended(task)

    assert await office.service.cancel_task(task.task_id, by="li") == ended


async def test_end_that_another_caller_has_just_written_is_told_from_the_journal(office: Office) -> None:
    task = await office.create(start="manual")
    tasks = office.bench.tasks
    await tasks.cancel(task.task_id, by="li", requested_at=office.bench.clock.now())
    keep, kept = tasks.keep, []

    async def noted(task_id: str) -> None:
        kept.append(task_id)
        await keep(task_id)

    tasks.keep = noted  # type: ignore[method-assign]
    again = await office.service.cancel_task(task.task_id, by="wang")

    assert again.status is TaskStatus.CANCELLED
    assert kept == [task.task_id]


async def test_cancel_of_an_unknown_task_is_an_error(office: Office) -> None:
    with pytest.raises(TaskNotFoundError):
        await office.service.cancel_task("t_none", by="li")


async def test_cancel_works_while_redis_is_away(office: Office) -> None:
    async def away(*_: object) -> None:
        raise CacheUnavailableError("ConnectionError")

    task = await office.hanging()
    office.service._cache.flag_cancel = away  # type: ignore[method-assign]

    answer = await office.service.cancel_task(task.task_id, by="li", wait_s=5)

    assert answer.status is TaskStatus.CANCELLED


async def test_cancel_that_mongodb_cannot_keep_leaves_nothing_running_behind_its_answer(office: Office) -> None:
    task = await office.hanging()
    flagging, flagged = asyncio.Event(), []

    async def flag_slowly(_: str) -> None:
        flagging.set()
        await asyncio.sleep(0.01)
        flagged.append(True)

    async def fail(_: str) -> None:
        await flagging.wait()
        raise StoreUnavailableError("AutoReconnect")

    office.service._cache.flag_cancel = flag_slowly  # type: ignore[method-assign, assignment]
    office.bench.tasks.keep = fail  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnavailableError):
        await office.service.cancel_task(task.task_id, by="li")

    assert flagged == [True]
    await office.ended(task)


async def with_open_job(office: Office) -> Task:
    """A pending task whose provider has a job open."""
    bench = office.bench
    task = await bench.create("t_open")
    taken = await bench.tasks.claim(task, worker_id="w_gone", claim_id="c", lease_s=30)
    assert taken is not None
    lease = Lease("t_open", "w_gone", taken.fence)
    await bench.tasks.save_intent(lease, SubmitIntent("k", 1, bench.clock.now()), Upstream(submits=1))
    await bench.tasks.reap(await bench.read("t_open"), even_if_alive=True)
    return await bench.read("t_open")


async def test_cancel_that_finds_an_open_job_and_no_runner_has_the_provider_asked(office: Office) -> None:
    await with_open_job(office)

    answer = await office.service.cancel_task("t_open", by="li", wait_s=5)

    assert office.bench.executor.abandoned == ["t_open"]
    assert answer.status is TaskStatus.CANCELLED


async def test_cancel_that_meets_the_claim_of_a_task_with_an_open_job_has_the_provider_asked(office: Office) -> None:
    task = await with_open_job(office)
    claim = office.bench.tasks.claim

    async def claim_too_late(*arguments: Any, **named: Any) -> Task | None:
        await office.service.cancel_task("t_open", by="li")
        return await claim(*arguments, **named)

    office.bench.tasks.claim = claim_too_late  # type: ignore[method-assign]
    office.service.schedule(task)

    assert (await office.ended(task)).status is TaskStatus.CANCELLED
    assert office.bench.executor.abandoned == ["t_open"]


async def test_cancel_is_answered_though_its_books_cannot_be_recounted_yet(office: Office) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailableError("AutoReconnect")

    bench = office.bench
    task = await bench.create("t_1")
    taken = await bench.tasks.claim(task, worker_id="w_gone", claim_id="c", lease_s=30)
    assert taken is not None
    await bench.tasks.reap(taken, even_if_alive=True)
    bench.tasks.save_final_books = away  # type: ignore[method-assign, assignment]

    answer = await office.service.cancel_task("t_1", by="li")

    assert answer.status is TaskStatus.CANCELLED


# -- start, resume, retry, purge --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["start", "resume"])
async def test_step_that_the_state_does_not_allow_is_a_conflict(office: Office, step: str) -> None:
    task = await office.create()
    await office.ended(task)

    with pytest.raises(StateConflictError):
        await getattr(office.service, step)(task.task_id, by="li")


@pytest.mark.parametrize("step", ["start", "resume", "retry"])
async def test_step_on_an_unknown_task_says_that_there_is_none(office: Office, step: str) -> None:
    with pytest.raises(TaskNotFoundError):
        await getattr(office.service, step)("t_none", by="li")


async def test_retry_is_a_new_task_with_the_same_parameters(office: Office) -> None:
    old = await office.create(params={"pages": 7}, labels=("a",), priority=2)
    await office.ended(old)

    new = await office.service.retry(old.task_id, by="li")

    assert new.task_id != old.task_id
    assert (new.retry_of, new.created_by, new.attempt) == (old.task_id, "li", 0)
    assert (new.params, new.labels, new.priority) == ({"pages": 7}, ("a",), 2)
    assert (await office.ended(new)).status is TaskStatus.SUCCEEDED
    assert (await office.service.get(old.task_id)).status is TaskStatus.SUCCEEDED


async def test_retry_of_a_task_that_has_not_ended_is_a_conflict(office: Office) -> None:
    task = await office.hanging()

    with pytest.raises(StateConflictError):
        await office.service.retry(task.task_id, by="li")


async def test_purge_hides_an_ended_task_and_refuses_another(office: Office) -> None:
    ended = await office.ended(await office.create())
    running = await office.hanging()

    await office.service.purge(ended.task_id, by="local")
    with pytest.raises(TaskNotFoundError):
        await office.service.get(ended.task_id)
    with pytest.raises(StateConflictError):
        await office.service.purge(running.task_id, by="local")


# -- slots -------------------------------------------------------------------------------------------------------------


async def test_task_without_a_slot_stays_pending_until_the_sweeper_finds_one(office: Office) -> None:
    office.bench.executor.script = hang
    running = [await office.create() for _ in range(office.bench.slots.total)]
    for task in running:
        await office.reached(task, TaskStatus.RUNNING)

    queued = await office.create()
    assert queued.status is TaskStatus.PENDING
    assert not office.bench.runner.is_live(queued.task_id)
    await office.service.cancel_task(running[0].task_id, by="li", wait_s=5)
    await office.sweeper.sweep()

    assert (await office.reached(queued, TaskStatus.RUNNING)).attempt == 1


async def test_new_task_does_not_overtake_those_that_wait(office: Office) -> None:
    office.bench.runner.has_backlog = True

    task = await office.create()

    assert not office.bench.runner.is_live(task.task_id)
    await office.sweeper.sweep()
    assert (await office.ended(task)).status is TaskStatus.SUCCEEDED


# -- wait --------------------------------------------------------------------------------------------------------------


async def test_wait_answers_after_its_time_with_the_record_as_it_is(office: Office) -> None:
    task = await office.hanging()

    seen = await office.service.wait(task.task_id, until="final", timeout_s=0.05)

    assert seen.status is TaskStatus.RUNNING


async def test_claim_that_the_store_does_not_answer_is_no_traceback(office: Office) -> None:
    runs: list[Run] = []
    was_asked = asyncio.Event()

    async def away(*_: object, **__: object) -> Task | None:
        runs.extend(office.bench.runner.live())
        # So long without a good beat that the claim is not repeated.
        runs[0].good_beat_at -= 60
        was_asked.set()
        raise StoreUnavailableError("AutoReconnect")

    claim, office.bench.tasks.claim = office.bench.tasks.claim, away  # type: ignore[method-assign]
    with captured_log() as lines:
        task = await office.create()
        await was_asked.wait()
        await runs[0].ended.wait()
    office.bench.tasks.claim = claim  # type: ignore[method-assign]
    await office.sweeper.sweep()

    assert any("WARNING" in line and f"claim of task {task.task_id}" in line for line in lines)
    assert not [line for line in lines if "Traceback" in line or "ERROR" in line]
    assert (await office.ended(task)).status is TaskStatus.SUCCEEDED
