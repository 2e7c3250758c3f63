from backend.domain.task import Books, StopReason, TaskStatus, Upstream
from backend.generate.executor import GenerateExecutor
from tests.fixtures.generation import GenerationHouse


async def test_a_provider_without_its_key_makes_the_task_wait_with_a_notice(house: GenerationHouse) -> None:
    house.provider = house.new_provider(API_KEY="")
    await house.use_runner("w_keyless")

    waiting = await house.run(await house.new_task())

    assert waiting.status is TaskStatus.WAITING
    assert waiting.notice is not None
    assert waiting.notice.code == "NO_KEY"
    assert waiting.notice.action is not None
    assert (waiting.books.requested, waiting.books.queued_left) == (0, 1)
    assert house.server.requests == []


async def test_a_task_that_waited_for_a_key_runs_once_there_is_one(house: GenerationHouse) -> None:
    keyed = house.provider
    house.provider = house.new_provider(API_KEY="")
    await house.use_runner("w_keyless")
    task = await house.new_task()
    await house.run(task)

    house.provider = keyed
    await house.use_runner("w_keyed")
    ended = await house.again(task)

    assert ended.status is TaskStatus.SUCCEEDED


async def test_parameters_that_are_valid_no_longer_fail_the_task_by_name(house: GenerationHouse) -> None:
    ended = await house.run(await house.new_task(params={"prompt": "a", "model": "cogvideox-0"}))

    assert ended.status is TaskStatus.FAILED
    assert ended.error is not None
    assert ended.error.name == "PARSE_FAILED"
    assert "model" in ended.error.message.en
    assert house.server.requests == []


async def test_a_deadline_while_the_key_is_missing_records_that_nobody_was_told(house: GenerationHouse) -> None:
    house.server.plan("poll", "refuse", status=401, code="1003")
    task = await house.new_task()
    waiting = await house.run(task)
    executor = GenerateExecutor({}, house.tools)
    told: list[tuple[Upstream, bool]] = []

    class Context:
        task = waiting

        async def record_upstream(self, upstream: Upstream, *, is_open: bool, drop_intent: bool = False) -> None:
            del drop_intent
            told.append((upstream, is_open))

    execution = executor.begin(Context())  # type: ignore[arg-type]
    books = await execution.conclude(Context(), StopReason.USER)  # type: ignore[arg-type]

    assert [(upstream.cancel, upstream.may_bill, is_open) for upstream, is_open in told] == [("unknown", True, True)]
    assert books == Books(requested=1, aborted=1)


async def test_the_books_of_a_task_nobody_runs_are_counted_from_what_is_stored(house: GenerationHouse) -> None:
    executor = GenerateExecutor({}, house.tools)
    untouched = await house.new_task()
    done = await house.run(await house.new_task())

    assert await executor.recount(untouched) == Books(queued_left=1)
    assert await executor.recount(done) == Books(requested=1, ok=1, stored=1)
