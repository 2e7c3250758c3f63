from backend.domain.task import Books, TaskStatus
from tests.fixtures.generation import GenerationHouse

EVER = 0


async def test_a_generation_ends_with_its_file_on_disk(house: GenerationHouse) -> None:
    task = await house.new_task()

    ended = await house.run(task)

    assert ended.status is TaskStatus.SUCCEEDED, ended.error
    output, poster = sorted(await house.artifacts.of_task(task.task_id), key=lambda one: one.role)
    assert house.artifacts.path_of(output).read_bytes() == house.server.video
    assert (output.width, output.height, output.fps) == (320, 180, 25.0)
    assert output.duration_s is not None
    assert 0.9 < output.duration_s < 1.2
    assert output.poster_id == poster.artifact_id
    assert house.part_files() == []


async def test_the_books_of_a_generation_count_its_output(house: GenerationHouse) -> None:
    ended = await house.run(await house.new_task())

    assert ended.books == Books(requested=1, ok=1, stored=1, balanced=True)


async def test_the_job_stays_on_the_record_after_the_end(house: GenerationHouse) -> None:
    ended = await house.run(await house.new_task())

    assert ended.upstream is not None
    assert ended.upstream.job_id in house.server.jobs
    assert (ended.upstream.status, ended.upstream.submits, ended.upstream_open) == ("succeeded", 1, False)


async def test_a_poll_that_changed_nothing_writes_nothing(house: GenerationHouse) -> None:
    house.server.polls_until_done = 12
    house.watch.skips_sleeps = True

    await house.run(await house.new_task())

    assert house.server.polls == 12
    assert house.watch.upstream_writes == ["running", "succeeded"]


async def test_the_first_answered_poll_of_a_claim_sets_lost_back(house: GenerationHouse) -> None:
    house.server.plan("poll", "hold", times=EVER)
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()
    await house.database.do(house.database.collection("tasks").update_one({}, {"$set": {"lost": 7}}))

    house.server.release()
    ended = await run

    assert ended.lost == 0


async def test_the_pause_between_polls_grows_to_a_cap(house: GenerationHouse) -> None:
    house.server.polls_until_done = 20
    house.watch.skips_sleeps = True

    await house.run(await house.new_task())

    first, last = house.watch.sleeps[0], house.watch.sleeps[-1]
    assert 0.045 <= first <= 0.055
    assert 0.135 <= last <= 0.165


async def test_network_errors_of_polls_do_not_fail_the_task(house: GenerationHouse) -> None:
    house.server.plan("poll", "drop", times=3)
    house.server.plan("poll", "garbage")
    house.server.plan("poll", "refuse", status=503, code=None)
    house.server.plan("poll", "refuse", status=429, code="1302")
    house.watch.skips_sleeps = True
    task = await house.new_task()

    ended = await house.run(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert len([line for line in await house.lines(task) if "轮询失败" in line]) == 1


async def test_retry_after_of_a_poll_is_honoured(house: GenerationHouse) -> None:
    house.server.plan("poll", "refuse", status=429, code="1303", retry_after=7)
    house.watch.skips_sleeps = True

    await house.run(await house.new_task())

    assert max(house.watch.sleeps) == 7


async def test_an_unknown_status_word_means_go_on_and_is_logged_once(house: GenerationHouse) -> None:
    house.server.plan("poll", "word", times=3, word="DREAMING")
    house.watch.skips_sleeps = True
    task = await house.new_task()

    ended = await house.run(task)

    assert ended.status is TaskStatus.SUCCEEDED
    assert len([line for line in await house.lines(task) if "DREAMING" in line]) == 1


async def test_nulls_in_an_answer_are_absent_values(house: GenerationHouse) -> None:
    house.server.plan("poll", "nulls")

    ended = await house.run(await house.new_task())

    assert ended.status is TaskStatus.SUCCEEDED


async def test_a_job_that_fails_upstream_fails_the_task_and_is_closed(house: GenerationHouse) -> None:
    house.server.plan("poll", "fail")

    ended = await house.run(await house.new_task())

    assert ended.error is not None
    assert (ended.status, ended.error.name) == (TaskStatus.FAILED, "UPSTREAM_FAILED")
    assert ended.upstream is not None
    assert (ended.upstream.status, ended.upstream_open) == ("failed", False)
    assert ended.books == Books(requested=1, failed=1, balanced=True)


async def test_a_result_blocked_for_its_content_says_so(house: GenerationHouse) -> None:
    house.server.plan("poll", "fail", code="1301", message="系统检测到不安全内容")

    ended = await house.run(await house.new_task())

    assert ended.error is not None
    assert ended.error.name == "CONTENT_BLOCKED"
    assert "不安全" in ended.error.message.zh


async def test_a_poll_refused_for_its_content_is_the_end_of_the_job(house: GenerationHouse) -> None:
    house.server.plan("poll", "refuse", status=400, code="1301")

    ended = await house.run(await house.new_task())

    assert ended.error is not None
    assert (ended.error.name, ended.upstream_open) == ("CONTENT_BLOCKED", False)


async def test_a_key_refused_while_a_job_is_open_waits_for_a_person_and_keeps_the_job(house: GenerationHouse) -> None:
    house.server.plan("poll", "refuse", status=401, code="1003")
    task = await house.new_task()

    waiting = await house.run(task)
    ended = await house.again(task)

    assert (waiting.status, waiting.upstream_open) == (TaskStatus.WAITING, True)
    assert waiting.notice is not None
    assert waiting.notice.code == "AUTH_EXPIRED"
    assert ended.status is TaskStatus.SUCCEEDED
    assert house.server.submits_sent == 1


async def test_polls_that_stay_refused_fail_the_task_and_leave_the_job_open(house: GenerationHouse) -> None:
    house.server.plan("poll", "refuse", times=EVER, status=404, code="1222")
    house.watch.skips_sleeps = True

    ended = await house.run(await house.new_task())

    assert ended.error is not None
    assert (ended.error.name, ended.error.where) == ("UPSTREAM_FAILED", "poll")
    assert ended.upstream_open
    assert house.server.polls == 5


async def test_a_success_without_outputs_is_a_failure(house: GenerationHouse) -> None:
    house.server.plan("poll", "word", word="SUCCESS")

    ended = await house.run(await house.new_task())

    assert ended.error is not None
    assert ended.error.name == "UPSTREAM_FAILED"
