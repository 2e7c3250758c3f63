"""SIGTERM at the steps of a run: what was begun is given back as it was, and another server goes on with it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.task import Task, TaskKind, TaskStatus
from backend.runner.runner import Runner, RunnerStores
from backend.runner.shared_slots import SharedSlots
from backend.store.slots import SlotBoard
from tests.fixtures.scripted import Bench, hang

Step = Callable[..., Awaitable[Any]]


class Halfway:
    """A store step that has been done, but whose answer is on its way until `let_go` is set."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self.done = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, *arguments: Any, **named: Any) -> Any:
        answer = await self._step(*arguments, **named)
        self.done.set()
        await self.let_go.wait()
        return answer


async def leave_during(bench: Bench, step: Halfway, run: "asyncio.Task[bool]") -> int:
    """Drain while the step's answer is on its way; return how many runs were left."""
    await step.done.wait()
    leaving = asyncio.create_task(bench.runner.drain(grace_s=10))
    await asyncio.sleep(0)
    step.let_go.set()
    await run
    return await leaving


async def claimed_by_another(bench: Bench) -> Task | None:
    return await bench.tasks.claim(await bench.read(), worker_id="w-2", claim_id="c2", lease_s=30)


async def test_leaving_in_the_middle_of_a_claim_gives_the_task_back_as_it_was(bench: Bench) -> None:
    bench.executor.script = hang
    step = Halfway(bench.tasks.claim)
    bench.tasks.claim = step  # type: ignore[method-assign]
    run = asyncio.create_task(bench.run(await bench.create()))

    left = await leave_during(bench, step, run)

    task = await bench.read()
    assert (left, task.status, task.attempt, task.lost) == (0, TaskStatus.PENDING, 0, 0)
    assert not bench.executor.begun.is_set()


async def test_leaving_in_the_middle_of_a_finish_keeps_the_end(bench: Bench) -> None:
    step = Halfway(bench.tasks.finish)
    bench.tasks.finish = step  # type: ignore[method-assign]
    run = asyncio.create_task(bench.run(await bench.create()))

    left = await leave_during(bench, step, run)

    assert (left, (await bench.read()).status) == (0, TaskStatus.SUCCEEDED)


async def test_task_given_back_is_another_servers_at_once(bench: Bench) -> None:
    bench.executor.script = hang
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()
    await bench.runner.drain(grace_s=10)
    await run

    taken = await claimed_by_another(bench)

    assert taken is not None
    assert (taken.attempt, taken.lost, taken.worker_id) == (1, 0, "w-2")


async def test_leaving_while_a_common_slot_is_asked_for_claims_nothing(
    cache: Cache, database: Database, clock: Clock
) -> None:
    board = SlotBoard(cache, database=database.collection("x").database.name, lease_s=30)
    step = Halfway(board.take)
    board.take = step  # type: ignore[method-assign]
    bench = Bench(database, cache, clock)
    bench.runner = Runner(
        RunnerStores(database, cache, bench.tasks, bench.events, bench.challenges),
        {TaskKind.CRAWL: bench.executor},
        bench.slots,
        clock=clock,
        worker_id="w-1",
        lease_s=30,
        shared=SharedSlots(board, {"web": 1}, clock=clock, lease_s=30),
    )
    await bench.runner.start()
    run = asyncio.create_task(bench.run(await bench.create()))

    left = await leave_during(bench, step, run)
    await bench.runner.stop()

    task = await bench.read()
    assert (left, task.status, task.fence) == (0, TaskStatus.PENDING, 0)
    assert bench.slots.used == 0
