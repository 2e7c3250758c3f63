"""What an error that nobody foresaw costs: one piece of work, never a loop of the process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from backend.core.cache import Cache
from backend.core.logs import captured_log
from backend.domain.errors import LeaseLostError, StoreUnavailableError
from backend.domain.execution import TaskContext
from backend.domain.task import Ending, TaskStatus
from backend.runner import lease
from backend.runner.edge import Edge
from tests.fixtures.scripted import DONE, Bench, hang


def failing_once(call: Callable[..., Awaitable[Any]], error: Exception, failed: asyncio.Event) -> Any:
    async def failing(*arguments: Any, **named: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise error
        return await call(*arguments, **named)

    return failing


async def fail(error: Exception) -> None:
    raise error


async def test_error_that_comes_back_every_round_is_told_once() -> None:
    edge = Edge()

    with captured_log() as lines:
        kept = [await edge.keep("sweep", fail(KeyError("x"))) for _ in range(3)]

    assert kept == [False] * 3
    assert sum("sweep failed" in line for line in lines) == 1


async def test_error_that_comes_back_after_a_good_round_is_told_again() -> None:
    edge = Edge()

    with captured_log() as lines:
        await edge.keep("sweep", fail(KeyError("x")))
        await edge.keep("sweep", asyncio.sleep(0))
        await edge.keep("sweep", fail(KeyError("x")))

    assert sum("sweep failed" in line for line in lines) == 2


async def test_words_of_a_closed_loop_are_in_no_log() -> None:
    with captured_log() as lines:
        await Edge().keep("sweep", fail(RuntimeError("Event loop is closed")))

    assert any("sweep failed: LOOP_CLOSED" in line for line in lines)
    assert not any("loop is closed" in line.lower() for line in lines)


async def test_store_that_is_away_goes_through() -> None:
    with pytest.raises(StoreUnavailableError):
        await Edge().keep("sweep", fail(StoreUnavailableError("AutoReconnect")))


async def test_log_lines_are_stored_after_the_board_met_an_error(bench: Bench) -> None:
    failed, said = asyncio.Event(), asyncio.Event()

    async def talk(context: TaskContext) -> Ending:
        context.log("info", "第一行")
        said.set()
        await asyncio.Event().wait()
        return DONE

    bench.events.add_lines = failing_once(bench.events.add_lines, OverflowError("int"), failed)  # type: ignore[method-assign]
    bench.executor.script = talk
    run = asyncio.create_task(bench.run(await bench.create()))
    await said.wait()
    await asyncio.wait_for(failed.wait(), 5)
    await bench.runner.drain(grace_s=5)
    await run

    page = await bench.events.page(await bench.read(), limit=10)
    assert [line.message for line in page.lines] == ["第一行"]
    assert bench.runner._board._loop is not None
    assert not bench.runner._board._loop.done()


@pytest.mark.parametrize("message", ["半个 \ud83d 字", "x" * 100_000])
async def test_line_that_no_store_can_hold_is_made_storable(bench: Bench, message: str) -> None:
    async def talk(context: TaskContext) -> Ending:
        context.log("info", message, big=2**70, half="\udc00", odd=object)  # type: ignore[arg-type]
        return DONE

    bench.executor.script = talk
    await bench.run(await bench.create())

    page = await bench.events.page(await bench.read(), limit=10)
    assert page.lines[0].fields == {"big": str(2**70), "half": "?", "odd": str(object)}
    assert len(page.lines[0].message) <= 4_000


async def test_flags_are_heard_again_after_the_listener_met_an_error(bench: Bench, cache: Cache) -> None:
    failed = asyncio.Event()
    await bench.runner.flags.stop()
    cache.cancel_flags = failing_once(cache.cancel_flags, RuntimeError("x"), failed)  # type: ignore[method-assign]
    bench.executor.script = hang
    await bench.runner.flags.start(wait_s=5)
    run = asyncio.create_task(bench.run(await bench.create()))
    await bench.executor.begun.wait()
    await bench.tasks.cancel("t_1", by="local", requested_at=bench.clock.now())

    await cache.flag_cancel("t_1")
    await asyncio.wait_for(run, 5)

    assert failed.is_set()
    assert bench.runner.flags.is_listening


async def test_beat_that_met_an_error_is_repeated_and_the_runs_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_RETRY_S", 0.01)
    failed, beaten = asyncio.Event(), asyncio.Event()
    beat = failing_once(bench.tasks.beat, KeyError("x"), failed)

    async def beat_and_tell(*arguments: Any, **named: Any) -> None:
        await beat(*arguments, **named)
        beaten.set()

    bench.tasks.beat = beat_and_tell  # type: ignore[method-assign]
    bench.executor.script = hang
    await bench.runner.keeper.stop()
    bench.runner.keeper.lease_s = 3.0
    await bench.runner.keeper.start()
    run = asyncio.create_task(bench.run(await bench.create()))
    await asyncio.wait_for(beaten.wait(), 10)

    assert bench.runner.is_beating
    assert bench.runner.live()[0].reason is None
    await bench.runner.drain(grace_s=5)
    await run


async def test_process_that_does_not_beat_claims_nothing(bench: Bench) -> None:
    task = await bench.create()
    await bench.runner.keeper.stop()

    assert await bench.run(task) is False


async def test_lease_is_not_confirmed_for_a_run_that_hands_in_its_end(bench: Bench) -> None:
    async def end_and_confirm(context: TaskContext) -> Ending:
        bench.runner.live()[0].is_ending = True
        with pytest.raises(LeaseLostError):
            await context.confirm_lease()
        return DONE

    bench.executor.script = end_and_confirm
    await bench.run(await bench.create())

    assert (await bench.read()).status is TaskStatus.SUCCEEDED
