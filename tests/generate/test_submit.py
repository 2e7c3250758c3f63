import dataclasses
from datetime import timedelta

import pytest

from backend.domain.errors import StoreUnavailableError
from backend.domain.task import Books, Lease, SubmitIntent, Task, TaskStatus, Upstream
from backend.generate.providers import cogvideox
from backend.generate.remote import CannotTell, NoJob, Recovered, Recovery
from backend.generate.zhipu import ZhipuJobs
from backend.store.tasks import TaskStore
from tests.fixtures.generation import GenerationHouse

EVER = 0


def error_of(task: Task) -> str:
    assert task.error is not None, task.status
    return task.error.name


def upstream_of(task: Task) -> Upstream:
    assert task.upstream is not None
    return task.upstream


# -- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (401, "1002", "AUTH_EXPIRED"),
        (429, "1112", "UPSTREAM_FAILED"),
        (429, "1113", "QUOTA"),
        (429, "1304", "QUOTA"),
        (400, "1210", "UPSTREAM_FAILED"),
        (400, "1301", "CONTENT_BLOCKED"),
        (401, None, "AUTH_EXPIRED"),
        (404, None, "UPSTREAM_FAILED"),
        (200, "1113", "QUOTA"),
    ],
)
async def test_a_refused_submit_fails_the_task_and_leaves_nothing_open(
    house: GenerationHouse, status: int, code: str | None, name: str
) -> None:
    house.server.plan("submit", "refuse", status=status, code=code)

    ended = await house.run(await house.new_task())

    assert (ended.status, error_of(ended)) == (TaskStatus.FAILED, name)
    assert ended.error is not None
    assert ended.error.advice is not None
    assert (ended.upstream_open, ended.intent, upstream_of(ended).may_bill) == (False, None, False)
    assert house.server.submits_sent == 1
    assert ended.books == Books(requested=1, failed=1, balanced=True)


@pytest.mark.parametrize(("code", "factor"), [("1302", 1), ("1303", 1), ("1305", 3), ("1312", 3)])
async def test_throttled_and_overloaded_submits_are_tried_again_under_a_new_key(
    house: GenerationHouse, code: str, factor: int
) -> None:
    house.server.plan("submit", "refuse", status=429, code=code)
    task = await house.new_task()

    ended = await house.run(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.sent == {f"{task.task_id}-submit-1": 1, f"{task.task_id}-submit-2": 1}
    assert house.watch.sleeps[0] == pytest.approx(0.05 * factor, rel=0.21)


async def test_retry_after_of_a_submit_is_honoured(house: GenerationHouse) -> None:
    house.server.plan("submit", "refuse", status=429, code="1305", retry_after=11)
    house.watch.skips_sleeps = True

    await house.run(await house.new_task())

    assert house.watch.sleeps[0] == 11


async def test_a_provider_that_asks_for_a_long_wait_gets_it_without_a_slot(house: GenerationHouse) -> None:
    house.server.plan("submit", "refuse", status=429, code="1302", retry_after=7_200)

    went_back = await house.run(await house.new_task())

    assert (went_back.status, error_of(went_back)) == (TaskStatus.PENDING, "THROTTLED")
    assert went_back.run_at - house.clock.now() > timedelta(minutes=119)
    assert (went_back.upstream_open, went_back.intent) == (False, None)


async def test_a_429_without_a_code_is_throttling(house: GenerationHouse) -> None:
    house.server.plan("submit", "refuse", status=429, code=None)

    ended = await house.run(await house.new_task())

    assert ended.status is TaskStatus.SUCCEEDED


# -- provably not sent -----------------------------------------------------------------------------------------------


async def test_a_provider_that_cannot_be_reached_leaves_nothing_open_and_may_be_retried(house: GenerationHouse) -> None:
    await house.server.stop()

    went_back = await house.run(await house.new_task())
    await house.server.start()

    assert went_back.status is TaskStatus.PENDING
    assert (error_of(went_back), upstream_of(went_back).submits) == ("CONNECT_FAILED", 0)
    assert (went_back.upstream_open, went_back.intent) == (False, None)


# -- nobody can say --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["accept_and_drop", "broken", "garbage"])
async def test_a_taken_submit_whose_answer_was_lost_is_reported_and_paid_once(
    house: GenerationHouse, fault: str
) -> None:
    house.server.plan("submit", fault)
    task = await house.new_task()

    ended = await house.run(task)

    assert (ended.status, error_of(ended)) == (TaskStatus.FAILED, "SUBMIT_UNCERTAIN")
    assert house.server.accepted == {f"{task.task_id}-submit-1": 1}
    assert house.server.sent == {f"{task.task_id}-submit-1": 2}
    assert (ended.upstream_open, upstream_of(ended).may_bill, upstream_of(ended).status) == (True, True, "unknown")
    assert ended.error is not None
    assert ended.error.advice is not None
    assert ended.books == Books(requested=1, failed=1, balanced=True)


async def test_a_lost_submit_that_was_never_taken_is_found_out_and_goes_on(house: GenerationHouse) -> None:
    house.server.plan("submit", "drop")
    task = await house.new_task()

    ended = await house.run(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.accepted == {f"{task.task_id}-submit-1": 1}
    assert upstream_of(ended).submits == 2


@pytest.mark.parametrize(("status", "code"), [(500, None), (500, "500"), (400, "1234"), (408, None)])
async def test_an_error_of_the_providers_own_is_no_refusal(
    house: GenerationHouse, status: int, code: str | None
) -> None:
    house.server.plan("submit", "refuse", status=status, code=code)
    task = await house.new_task()

    ended = await house.run(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.sent == {f"{task.task_id}-submit-1": 2}


async def test_a_submit_without_an_answer_ends_within_half_a_lease(house: GenerationHouse) -> None:
    house.server.plan("submit", "hang", accept=True)
    await house.use_runner("w_short", lease_s=1.0)
    start = house.clock.elapsed()

    ended = await house.run(await house.new_task())

    assert error_of(ended) == "SUBMIT_UNCERTAIN"
    assert house.server.submits_accepted == 1
    assert house.clock.elapsed() - start < 2


async def test_in_doubt_a_refusal_of_the_second_submit_does_not_clear_the_first(house: GenerationHouse) -> None:
    house.server.plan("submit", "accept_and_drop")
    house.server.plan("submit", "refuse", status=400, code="1301")

    ended = await house.run(await house.new_task())

    assert (error_of(ended), ended.upstream_open) == ("SUBMIT_UNCERTAIN", True)


async def test_in_doubt_throttling_is_waited_out_under_the_same_key(house: GenerationHouse) -> None:
    house.server.plan("submit", "drop")
    house.server.plan("submit", "refuse", times=2, status=429, code="1302")
    task = await house.new_task()

    ended = await house.run(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.sent == {f"{task.task_id}-submit-1": 4}


async def test_doubt_that_stays_ends(house: GenerationHouse) -> None:
    house.server.plan("submit", "drop", times=EVER)
    house.watch.skips_sleeps = True

    ended = await house.run(await house.new_task())

    assert error_of(ended) == "SUBMIT_UNCERTAIN"
    assert house.server.submits_sent == 6


class AbsentTaskStore(TaskStore):
    """The real store, away when the provider's answer is to be kept."""

    refusals = 1

    async def save_upstream(self, lease: Lease, upstream: Upstream, *, is_open: bool, drop_intent: bool) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailableError
        await super().save_upstream(lease, upstream, is_open=is_open, drop_intent=drop_intent)


async def test_a_store_that_is_away_for_a_moment_loses_no_job_id(house: GenerationHouse) -> None:
    house.tasks = AbsentTaskStore(house.database, clock=house.clock)
    await house.use_runner("w_absent")

    ended = await house.run(await house.new_task())

    assert ended.status is TaskStatus.SUCCEEDED
    assert upstream_of(ended).job_id in house.server.jobs
    assert house.server.submits_sent == 1


# -- resumed ---------------------------------------------------------------------------------------------------------


async def with_intent(house: GenerationHouse) -> tuple[Task, str]:
    """A task whose owner was killed between the intent and the record of the answer."""
    task = await house.new_task()
    claimed = await house.tasks.claim(task, worker_id="w_gone", claim_id="c", lease_s=0.0)
    assert claimed is not None
    lease = Lease(task.task_id, "w_gone", claimed.fence)
    intent = SubmitIntent(f"{task.task_id}-submit-1", 1, house.clock.now() - timedelta(minutes=1))
    await house.tasks.save_intent(lease, intent, Upstream(status="submitting", submits=1, may_bill=True))
    await house.tasks.give_back(claimed, lease, reason="drain", run_at=house.clock.now(), books=Books())
    return await house.record(task), intent.key


async def test_an_intent_that_was_never_sent_is_submitted_under_its_own_key(house: GenerationHouse) -> None:
    task, key = await with_intent(house)

    ended = await house.run(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.sent == {key: 1}


async def test_an_intent_that_was_taken_is_reported_and_not_paid_twice(house: GenerationHouse) -> None:
    task, key = await with_intent(house)
    house.server.take(key, {"model": "cogvideox-flash"})

    ended = await house.run(task)

    assert error_of(ended) == "SUBMIT_UNCERTAIN"
    assert house.server.accepted == {key: 1}


class AskableJobs(ZhipuJobs):
    """A vendor that can be asked by our key; the stand-in's own table answers."""

    house: GenerationHouse
    answers: Recovery | None = None

    async def recover(self, key: str) -> Recovery:
        if self.answers is not None:
            return self.answers
        found = [job.job_id for job in self.house.server.jobs.values() if job.key == key]
        return Recovered(found[0]) if found else NoJob()


@pytest.fixture
def askable(house: GenerationHouse, monkeypatch: pytest.MonkeyPatch) -> type[AskableJobs]:
    monkeypatch.setattr(AskableJobs, "house", house, raising=False)
    monkeypatch.setattr(cogvideox, "ZhipuJobs", AskableJobs)
    return AskableJobs


@pytest.mark.usefixtures("askable")
async def test_a_job_found_by_our_key_is_followed_and_not_submitted_again(house: GenerationHouse) -> None:
    task, key = await with_intent(house)
    job = house.server.take(key, {"model": "cogvideox-flash"})

    ended = await house.run(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert upstream_of(ended).job_id == job.job_id
    assert house.server.submits_sent == 0


@pytest.mark.usefixtures("askable")
async def test_a_provider_without_a_job_of_our_key_gets_a_new_submit(house: GenerationHouse) -> None:
    task, key = await with_intent(house)

    ended = await house.run(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert key not in house.server.sent
    assert house.server.sent == {f"{task.task_id}-submit-2": 1}


@pytest.mark.usefixtures("askable")
async def test_none_counts_only_when_a_late_submit_cannot_arrive_any_more(house: GenerationHouse) -> None:
    house.server.plan("submit", "drop")
    house.watch.skips_sleeps = True

    await house.run(await house.new_task())

    # Half a lease of 6 s for the submit itself, then ten more.
    assert max(house.watch.sleeps) == pytest.approx(13, abs=0.5)


async def test_without_look_up_and_duplicates_check_nothing_is_sent_again(
    house: GenerationHouse, askable: type[AskableJobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(askable, "answers", CannotTell())
    provider = house.provider
    monkeypatch.setattr(provider, "_inner", cogvideox.create(house.environ))
    traits = provider._inner._traits  # type: ignore[attr-defined]
    monkeypatch.setattr(provider._inner, "_traits", _without_duplicates(traits))  # type: ignore[attr-defined]
    task, _ = await with_intent(house)

    ended = await house.run(task)

    assert error_of(ended) == "SUBMIT_UNCERTAIN"
    assert house.server.submits_sent == 0


def _without_duplicates(traits: object) -> object:
    return dataclasses.replace(traits, refuses_duplicates=False)  # type: ignore[type-var]
