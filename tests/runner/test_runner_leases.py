import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import Any

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.errors import TaskFailedError
from backend.domain.execution import TaskContext
from backend.domain.log import LogLine
from backend.domain.task import Ending, Lease, StopReason, TaskStatus
from backend.domain.text import Text
from tests.fixtures.scripted import DONE, Bench, hang


async def cancel(bench: Bench, task_id: str = "t_1") -> None:
    """What DELETE does in the process that runs the task."""
    await bench.tasks.cancel(task_id, by="local", requested_at=bench.clock.now())
    bench.runner.stop_run(task_id, StopReason.USER)


async def test_lost_lease_is_left_to_its_new_owner(bench: Bench, database: Database, cache: Cache) -> None:
    bench.executor.script = hang
    task = await bench.create()
    run = asyncio.create_task(bench.run(task))
    await bench.executor.begun.wait()
    stolen = await bench.tasks.reap(replace(await bench.read()), even_if_alive=True)
    assert stolen is not None

    await bench.runner.keeper.beat_once()
    await run

    after = await bench.read()
    assert after.status is TaskStatus.PENDING
    assert bench.executor.concluded == []


async def test_old_good_beat_stops_the_run_at_its_next_check(bench: Bench) -> None:
    go_on = asyncio.Event()

    async def check_later(context: TaskContext) -> Ending:
        await go_on.wait()
        context.check()
        return DONE

    bench.executor.script = check_later
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()
    bench.runner.live()[0].good_beat_at -= 21
    go_on.set()
    await run

    assert (await bench.read()).status is TaskStatus.RUNNING
    assert bench.executor.concluded == []


async def test_write_of_a_cancelled_body_has_landed_before_the_end(bench: Bench, database: Database) -> None:
    rows = database.collection("rows")

    async def write(context: TaskContext) -> Ending:
        await database.do(rows.insert_many([{"n": n} for n in range(5000)]))
        await asyncio.Event().wait()
        return DONE

    bench.executor.script = write
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()
    await cancel(bench)
    await run
    at_end = await database.do(rows.count_documents({}))

    await database.close()
    await database.connect()

    assert await database.do(database.collection("rows").count_documents({})) == at_end


async def test_log_lines_are_stored_before_the_end_and_numbered_without_gaps(bench: Bench) -> None:
    async def talk(context: TaskContext) -> Ending:
        for n in range(3):
            context.log("info", f"第 {n} 行", n=n)
        return DONE

    bench.executor.script = talk
    await bench.run(await bench.create())

    page = await bench.events.page(await bench.read(), limit=10)
    assert [line.seq for line in page.lines] == [1, 2, 3]


async def test_lines_of_a_later_run_go_on_where_the_visible_ones_end(bench: Bench) -> None:
    async def talk_and_fail(context: TaskContext) -> Ending:
        context.log("info", f"第 {context.task.attempt} 次")
        raise TaskFailedError("THROTTLED", Text("限流", "Throttled"), where="fetch", can_retry=True)

    bench.executor.script = talk_and_fail
    await bench.run(await bench.create())
    zombie = Lease("t_1", bench.runner.keeper.worker_id, fence=1)
    await make_due(bench)
    await bench.run(await bench.read())
    await bench.events.add_lines([(zombie, LogLine(2, bench.clock.now(), "info", "僵尸"))])

    page = await bench.events.page(await bench.read(), limit=10)
    assert [line.message for line in page.lines] == ["第 1 次", "第 2 次"]


async def make_due(bench: Bench) -> None:
    tasks = bench.tasks._tasks
    await bench.tasks._db.do(tasks.update_one({"_id": "t_1"}, {"$set": {"run_at": bench.clock.now()}}))


async def test_task_given_back_when_the_server_leaves_keeps_its_place_in_the_queue(bench: Bench) -> None:
    bench.executor.script = hang
    created = await bench.create()
    run = asyncio.create_task(bench.run(created))
    await bench.executor.begun.wait()
    await bench.create("t_newer")

    await bench.runner.drain(grace_s=5)
    await run

    due = await bench.tasks.due(["web"], limit=10)
    assert [task.task_id for task in due] == ["t_1", "t_newer"]


async def test_task_whose_lease_was_lost_keeps_its_place_in_the_queue(bench: Bench) -> None:
    taken = await bench.tasks.claim(await bench.create(), worker_id="w-gone", claim_id="c", lease_s=30)
    assert taken is not None
    await bench.create("t_newer")

    await bench.tasks.reap(taken, even_if_alive=True)

    due = await bench.tasks.due(["web"], limit=10)
    assert [task.task_id for task in due] == ["t_1", "t_newer"]


async def test_beats_begin_every_third_of_a_lease_however_long_each_takes(
    database: Database, cache: Cache, clock: Clock
) -> None:
    bench = Bench(database, cache, clock, lease_s=0.6)
    beat, begun, enough = bench.tasks.beat, list[float](), asyncio.Event()

    async def slow_beat(*arguments: Any, **named: Any) -> None:
        begun.append(clock.elapsed())
        await asyncio.sleep(0.1)
        await beat(*arguments, **named)
        if len(begun) > 5:
            enough.set()

    bench.tasks.beat = slow_beat  # type: ignore[method-assign]
    bench.executor.script = hang
    await bench.runner.start()
    run = asyncio.create_task(bench.run(await bench.create()))

    await asyncio.wait_for(enough.wait(), 20)

    # The least of them: a busy machine only makes them longer.
    assert min(later - earlier for earlier, later in pairwise(begun)) < 0.3
    await bench.runner.drain(grace_s=5)
    await run
    await bench.runner.stop()
