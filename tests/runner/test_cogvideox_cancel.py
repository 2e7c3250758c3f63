"""The defect that this product was made to end: a cancelled generation goes on, or dies with "Event loop is closed"."""

import asyncio
import random

import pytest

from backend.core.logs import captured_log
from backend.domain.generation import PollAnswer, Refused, Unknown
from backend.domain.task import Books, StopReason, Task, TaskStatus, Upstream
from backend.generate.providers import cogvideox
from backend.generate.remote import StatusUnclear
from backend.generate.zhipu import ZhipuJobs
from tests.fixtures.generation import GenerationHouse

EVER = 0
ABORTED = Books(requested=1, aborted=1, balanced=True)
BEFORE_SUBMIT = "任务在生成前已被取消: "
IN_POLL = "轮询任务状态被取消: "
CLEANED = "任务取消后已安全清理HTTP会话"
CLOSED_WORDS = ("event loop is closed", "loop is closed", "no running", "has been closed")


def upstream_of(task: Task) -> Upstream:
    assert task.upstream is not None
    return task.upstream


async def cancelled(house: GenerationHouse, task: Task, run: "asyncio.Task[Task]") -> Task:
    """Cancel a running task, and prove that nothing of it is left (P1)."""
    await house.cancel(task)
    ended = await run
    house.server.mark()
    await asyncio.sleep(0.2)
    assert house.server.requests_since_mark == []
    assert house.part_files() == []
    assert house.gate.live().requests == 0
    assert house.children.live() == 0
    return ended


def assert_told_the_truth(ended: Task) -> None:
    """The job goes on at the provider, which has no cancel: the record says so."""
    assert ended.status is TaskStatus.CANCELLED
    assert (upstream_of(ended).cancel, upstream_of(ended).may_bill) == ("unsupported", True)
    assert ended.books == ABORTED


# -- a cancel at each step ---------------------------------------------------------------------------------------


async def test_cancel_before_the_start_sends_nothing(house: GenerationHouse) -> None:
    task = await house.new_task()

    await house.cancel(task)
    async with house.runner.attempt(task) as attempt:
        pass

    assert attempt is None
    assert (await house.record(task)).status is TaskStatus.CANCELLED
    assert house.server.requests == []


async def test_cancel_right_before_the_submit_sends_nothing_and_leaves_nothing_open(house: GenerationHouse) -> None:
    task = await house.new_task()
    house.watch.before_lease_is_confirmed = lambda: house.cancel(task)

    with captured_log() as lines:
        ended = await house.run(task)

    assert ended.status is TaskStatus.CANCELLED
    assert house.server.requests == []
    assert (ended.upstream_open, ended.intent, upstream_of(ended).submits) == (False, None, 0)
    assert ended.books == Books(queued_left=1, balanced=True)
    assert any(line.endswith(BEFORE_SUBMIT + task.task_id) for line in lines)


async def test_cancel_in_the_very_step_of_the_submit_sends_nothing(house: GenerationHouse) -> None:
    task = await house.new_task()
    house.watch.before_send = lambda: house.runner.stop_run(task.task_id, StopReason.USER)

    ended = await house.run(task)

    assert ended.status is TaskStatus.CANCELLED
    assert (ended.upstream_open, ended.intent) == (False, None)
    assert house.server.requests == []


async def test_cancel_in_a_throttled_wait_ends_at_once(house: GenerationHouse) -> None:
    house.server.plan("submit", "refuse", status=429, code="1302", retry_after=60)
    task = await house.new_task()
    run = house.begin(task)
    await house.until(lambda: bool(house.watch.sleeps))

    ended = await cancelled(house, task, run)

    assert (ended.status, ended.upstream_open) == (TaskStatus.CANCELLED, False)
    assert house.server.submits_accepted == 0


async def test_cancel_during_a_submit_waits_for_its_answer_and_keeps_the_job(house: GenerationHouse) -> None:
    house.server.plan("submit", "hold")
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    await house.cancel(task)
    house.server.release()
    ended = await run

    assert_told_the_truth(ended)
    assert upstream_of(ended).job_id in house.server.jobs
    assert house.server.requests == ["POST /api/paas/v4/videos/generations"]


async def test_cancel_during_a_submit_that_is_refused_leaves_nothing_open(house: GenerationHouse) -> None:
    house.server.plan("submit", "refuse", status=429, code="1302", held=True)
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    await house.cancel(task)
    house.server.release()
    ended = await run

    assert (ended.status, ended.upstream_open, ended.intent) == (TaskStatus.CANCELLED, False, None)
    assert upstream_of(ended).cancel is None
    assert house.server.submits_sent == 1


async def test_cancel_during_a_submit_without_an_answer_is_cut_and_recorded_unknown(house: GenerationHouse) -> None:
    house.server.plan("submit", "hang", accept=True)
    await house.use_runner("w_long", lease_s=30)
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()
    start = house.clock.elapsed()

    ended = await cancelled(house, task, run)

    assert house.clock.elapsed() - start < 6.5
    assert ended.status is TaskStatus.CANCELLED
    assert (upstream_of(ended).cancel, upstream_of(ended).status) == ("unknown", "unknown")
    assert (ended.upstream_open, upstream_of(ended).may_bill) == (True, True)
    assert ended.books == ABORTED
    assert house.server.submits_sent == 1


async def test_cancel_between_submit_and_first_poll_polls_never(house: GenerationHouse) -> None:
    house.provider = house.new_provider(POLL_INTERVAL_S="30")
    await house.use_runner("w_slow")
    task = await house.new_task()
    run = house.begin(task)
    await house.until(lambda: bool(house.watch.sleeps))

    with captured_log() as lines:
        ended = await cancelled(house, task, run)

    assert_told_the_truth(ended)
    assert house.server.polls == 0
    assert any(line.endswith(IN_POLL + task.task_id) for line in lines)


async def test_cancel_in_the_sleep_between_polls_ends_at_once(house: GenerationHouse) -> None:
    house.server.plan("poll", "refuse", status=429, code="1303", retry_after=60)
    task = await house.new_task()
    run = house.begin(task)
    await house.until(lambda: house.server.polls == 1 and len(house.watch.sleeps) == 2)

    with captured_log() as lines:
        ended = await cancelled(house, task, run)

    assert_told_the_truth(ended)
    assert house.server.polls == 1
    assert ended.cancel_latency_ms is not None
    assert ended.cancel_latency_ms < 1_000
    assert any(line.endswith(IN_POLL + task.task_id) for line in lines)


async def test_cancel_in_a_poll_request_closes_its_connection(house: GenerationHouse) -> None:
    house.server.plan("poll", "hang")
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    with captured_log() as lines:
        ended = await cancelled(house, task, run)

    assert_told_the_truth(ended)
    assert ended.cancel is not None
    assert (ended.cancel.released.tasks, ended.cancel.released.connections) == (1, 1)
    await house.until(lambda: house.server.open_connections == 0)
    assert any(line.endswith(IN_POLL + task.task_id) for line in lines)
    assert any(line.endswith(CLEANED) for line in lines)


async def test_cancel_in_mid_download_leaves_no_file(house: GenerationHouse) -> None:
    house.server.plan("file", "hold")
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    ended = await cancelled(house, task, run)

    assert ended.status is TaskStatus.CANCELLED
    assert (upstream_of(ended).status, ended.upstream_open) == ("succeeded", False)
    assert await house.artifacts.of_task(task.task_id) == []
    assert ended.books == ABORTED


async def test_a_cancel_is_info_and_never_an_error(house: GenerationHouse) -> None:
    house.server.plan("poll", "hang")
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    with captured_log() as lines:
        await cancelled(house, task, run)

    assert not [line for line in lines if "| ERROR" in line or "Traceback" in line]


async def test_a_deadline_ends_the_task_and_keeps_the_job_on_the_record(house: GenerationHouse) -> None:
    house.server.plan("poll", "hang")

    ended = await house.run(await house.new_task(deadline_s=0.5))

    assert ended.status is TaskStatus.TIMED_OUT
    assert (upstream_of(ended).cancel, upstream_of(ended).may_bill) == ("unsupported", True)
    assert upstream_of(ended).job_id in house.server.jobs
    assert ended.books == ABORTED


async def test_a_waiting_task_with_an_open_job_is_abandoned_with_the_truth(house: GenerationHouse) -> None:
    house.server.plan("poll", "refuse", status=401, code="1003")
    task = await house.new_task()
    await house.run(task)
    house.server.mark()

    await house.cancel(task)
    cancelling = await house.record(task)
    await house.runner.abandon(cancelling)

    assert cancelling.status is TaskStatus.CANCELLING
    assert_told_the_truth(await house.record(task))
    assert house.server.requests_since_mark == []


async def test_cancel_at_any_moment_is_clean_and_pays_once(house: GenerationHouse) -> None:
    chance = random.Random(20261121)
    ends = []
    for _ in range(25):
        house.server.reset()
        task = await house.new_task()
        run = house.begin(task)
        await asyncio.sleep(chance.uniform(0, 0.35))

        ended = await cancelled(house, task, run)

        assert ended.status in {TaskStatus.CANCELLED, TaskStatus.SUCCEEDED}
        assert ended.books.balanced
        assert house.server.submits_sent <= 1
        ends.append(ended.status)
    assert TaskStatus.CANCELLED in ends


# -- shutdown and resume ---------------------------------------------------------------------------------------------


async def test_shutdown_in_a_poll_gives_the_task_back_and_the_next_start_goes_on_with_its_job(
    house: GenerationHouse,
) -> None:
    house.server.plan("poll", "hang")
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    with captured_log() as lines:
        left = await house.runner.drain(grace_s=5)
    went_back = await run
    await house.use_runner("w_two")
    ended = await house.again(task)

    assert left == 0
    assert (went_back.status, went_back.upstream_open) == (TaskStatus.PENDING, True)
    assert upstream_of(went_back).cancel is None
    assert not [line for line in lines if "取消" in line]
    assert ended.status is TaskStatus.SUCCEEDED
    assert upstream_of(ended).job_id == upstream_of(went_back).job_id
    assert house.server.submits_sent == 1


async def test_shutdown_during_a_submit_keeps_the_job_id(house: GenerationHouse) -> None:
    house.server.plan("submit", "hold")
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    asyncio.get_running_loop().call_later(0.05, house.server.release)
    await house.runner.drain(grace_s=5)
    went_back = await run
    await house.use_runner("w_two")
    ended = await house.again(task)

    assert upstream_of(went_back).job_id in house.server.jobs
    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.submits_sent == 1


async def test_shutdown_in_mid_download_fetches_again_and_submits_never(house: GenerationHouse) -> None:
    house.server.plan("file", "hold")
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    await house.runner.drain(grace_s=5)
    await run
    await house.use_runner("w_two")
    ended = await house.again(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.submits_sent == 1
    assert ended.books == Books(requested=1, ok=1, stored=1, balanced=True)


async def test_a_lost_lease_tells_nobody_and_writes_nothing(house: GenerationHouse) -> None:
    await house.use_runner("w_short", lease_s=0.6)
    house.server.polls_until_done = 1_000
    task = await house.new_task()
    run = house.begin(task)
    await house.until(lambda: house.server.polls > 1)

    await house.database.do(house.database.collection("tasks").update_one({}, {"$inc": {"fence": 1}}))
    left = await run
    house.server.mark()
    await asyncio.sleep(0.2)

    assert house.server.requests_since_mark == []
    assert left.status is TaskStatus.RUNNING
    assert upstream_of(left).cancel is None


# -- the owner's guards ----------------------------------------------------------------------------------------------


class ThrowingJobs(ZhipuJobs):
    """Polls that end as they did in the defect."""

    words = ""
    polls = 0

    async def poll(self, job_id: str) -> PollAnswer | Refused | StatusUnclear | Unknown:
        type(self).polls += 1
        raise RuntimeError(self.words)


@pytest.mark.parametrize(
    "words",
    [
        "Event loop is closed",
        "the loop is closed",
        "no running event loop",
        "no running loop",
        "Cannot send a request, as the client has been closed.",
        "Cannot use MongoClient after close",
    ],
)
async def test_a_closed_loop_ends_the_polling_at_once(
    house: GenerationHouse, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(ThrowingJobs, "words", words)
    monkeypatch.setattr(ThrowingJobs, "polls", 0)
    task = await house.new_task()
    with monkeypatch.context() as patched, captured_log() as lines:
        patched.setattr(cogvideox, "ZhipuJobs", ThrowingJobs)

        went_back = await house.run(task)
        await asyncio.sleep(0.2)

    errors = [line for line in lines if "| ERROR" in line]
    assert ThrowingJobs.polls == 1
    assert [line.endswith(f"❌ 任务执行失败: {task.task_id}, LOOP_CLOSED") for line in errors] == [True]
    assert not [line for line in lines if any(word in line.lower() for word in CLOSED_WORDS)]
    assert (went_back.status, went_back.lost, went_back.error) == (TaskStatus.PENDING, 1, None)


async def test_after_a_closed_loop_the_next_run_goes_on_with_the_same_job(
    house: GenerationHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await house.new_task()
    with monkeypatch.context() as patched:
        patched.setattr(ThrowingJobs, "words", "Event loop is closed")
        patched.setattr(cogvideox, "ZhipuJobs", ThrowingJobs)
        await house.run(task)

    ended = await house.again(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.submits_sent == 1


async def test_a_gate_that_was_closed_under_a_poller_is_a_closed_client(house: GenerationHouse) -> None:
    house.server.plan("poll", "hang")
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    with captured_log() as lines:
        await house.gate.stop()
        went_back = await run

    assert went_back.status is TaskStatus.PENDING
    assert house.server.polls == 1
    assert any(line.endswith(f"❌ 任务执行失败: {task.task_id}, LOOP_CLOSED") for line in lines)
    assert not [line for line in lines if any(word in line.lower() for word in CLOSED_WORDS)]


# -- thread mode -----------------------------------------------------------------------------------------------------


async def test_in_a_thread_a_generation_ends_with_its_file(house: GenerationHouse) -> None:
    await house.use_runner("w_threads", use_threads=True)

    ended = await house.run(await house.new_task())

    assert ended.status is TaskStatus.SUCCEEDED, ended.error
    assert ended.books == Books(requested=1, ok=1, stored=1, balanced=True)


@pytest.mark.parametrize("kind", ["poll", "file"])
async def test_in_a_thread_a_cancel_ends_the_request_at_once(house: GenerationHouse, kind: str) -> None:
    await house.use_runner("w_threads", use_threads=True)
    house.server.plan(kind, "hang")
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    with captured_log() as lines:
        ended = await cancelled(house, task, run)

    assert ended.status is TaskStatus.CANCELLED
    assert ended.books == ABORTED
    assert not [line for line in lines if "| ERROR" in line or any(word in line.lower() for word in CLOSED_WORDS)]


async def test_in_a_thread_a_cancel_during_the_submit_keeps_the_job(house: GenerationHouse) -> None:
    await house.use_runner("w_threads", use_threads=True)
    house.server.plan("submit", "hold")
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    await house.cancel(task)
    house.server.release()

    assert_told_the_truth(await run)
