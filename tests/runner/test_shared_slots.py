import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.logs import captured_log
from backend.domain.task import StopReason, Task, TaskKind, TaskStatus
from backend.runner.runner import Runner, RunnerStores
from backend.runner.shared_slots import SharedSlot, SharedSlots
from backend.runner.slots import Slots
from backend.store.slots import SlotBoard
from tests.fixtures.fault_proxy import FaultProxy
from tests.fixtures.scripted import INFO, Bench, hang

VIDEO = replace(INFO, id="video", max_running=1)
CAPS = {"video": 1}
LEASE_S = 0.6


@pytest.fixture
def name() -> str:
    return f"test_{uuid.uuid4().hex[:12]}"


@asynccontextmanager
async def shared(cache: Cache, name: str, *, lease_s: float = LEASE_S) -> AsyncIterator[SharedSlots]:
    """What one server has of the slots that `name` shares."""
    made = SharedSlots(SlotBoard(cache, database=name, lease_s=lease_s), CAPS, clock=cache._clock, lease_s=lease_s)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def task(number: int = 1, *, platform: str = "video", fence: int = 0) -> Task:
    return stub(f"t_{number}", platform, fence)


def stub(task_id: str, platform: str, fence: int) -> Task:
    class Seen:
        pass

    seen = Seen()
    seen.task_id, seen.platform, seen.fence = task_id, platform, fence  # type: ignore[attr-defined]
    return seen  # type: ignore[return-value]


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.01)


async def until_taken(slots: SharedSlots, wanted: Task) -> None:
    async with asyncio.timeout(10):
        while await slots.take(wanted) is None:  # noqa: ASYNC110 - slots fall out unheard
            await asyncio.sleep(0.01)


async def end_of(slot: SharedSlot, cache: Cache, name: str) -> float:
    """When the slot falls out, in ms of Redis's clock; 0 when it is not there."""
    score = "return redis.call('ZSCORE', KEYS[1], ARGV[1])"
    return float(await cache.evaluate(score, [f"mcp:slots:{name}:{slot.platform}"], (slot.member,)) or 0)


async def test_cap_holds_over_two_servers(cache: Cache, name: str) -> None:
    async with shared(cache, name) as here, shared(cache, name) as there:
        held = await here.take(task(1))

        assert held is not None
        assert await there.take(task(2)) is None


async def test_slot_outlives_its_lease_while_its_server_lives(cache: Cache, name: str) -> None:
    async with shared(cache, name) as here, shared(cache, name) as there:
        held = await here.take(task(1))
        assert held is not None
        first_ms = await end_of(held, cache, name)

        async with asyncio.timeout(10):
            while await end_of(held, cache, name) < first_ms + 1000 * LEASE_S:  # noqa: ASYNC110 - see `until_taken`
                await asyncio.sleep(0.01)

        assert await there.take(task(2)) is None


async def test_slot_given_back_is_told_and_free_for_the_other_server(cache: Cache, name: str) -> None:
    freed = asyncio.Event()
    async with shared(cache, name) as here, shared(cache, name) as there:
        here.when_freed(freed.set)
        held = await here.take(task(1))
        assert held is not None

        here.give_back(held)
        await asyncio.wait_for(freed.wait(), 5)

        assert await there.take(task(2)) is not None


async def test_slot_given_back_twice_frees_nobody_elses(cache: Cache, name: str) -> None:
    async with shared(cache, name) as here, shared(cache, name) as there:
        held = await here.take(task(1))
        assert held is not None
        here.give_back(held)
        await until_taken(there, task(1))

        here.give_back(held)
        await here._give_back()

        assert await here.take(task(2)) is None


async def test_two_servers_that_claim_one_task_do_not_share_its_slot(cache: Cache, name: str) -> None:
    async with shared(cache, name) as here, shared(cache, name) as there:
        await here.take(task(1))

        assert await there.take(task(1)) is None


async def test_slot_of_a_killed_server_comes_back_with_its_lease(cache: Cache, name: str) -> None:
    async with shared(cache, name) as there:
        async with shared(cache, name) as killed:
            await killed.take(task(1))

        # Stopped with the slot still held: nobody prolongs it any more.
        await until_taken(there, task(2))


async def test_flush_is_made_good_by_the_next_beat(cache: Cache, name: str) -> None:
    async with shared(cache, name) as here, shared(cache, name) as there:
        held = await here.take(task(1))
        assert held is not None
        await cache.evaluate("return redis.call('DEL', KEYS[1])", [f"mcp:slots:{name}:video"], ())

        async with asyncio.timeout(10):
            while not await end_of(held, cache, name):  # noqa: ASYNC110 - see `until_taken`
                await asyncio.sleep(0.01)

        assert await there.take(task(2)) is None


async def test_platform_without_a_cap_asks_nobody(clock: Clock) -> None:
    never_connected = Cache("", clock=clock)
    board = SlotBoard(never_connected, database="x", lease_s=30)
    slots = SharedSlots(board, CAPS, clock=clock, lease_s=30)

    held = await slots.take(task(1, platform="web"))

    assert held is not None
    assert slots.is_shared


async def test_redis_away_each_server_goes_by_itself_says_so_once_and_shares_again(
    redis_url: str, clock: Clock, name: str
) -> None:
    with FaultProxy(redis_url.removeprefix("unix://")) as proxy, captured_log() as lines:
        cache = Cache(f"redis://127.0.0.1:{proxy.port}", clock=clock, timeout_s=0.5)
        await cache.connect()
        async with shared(cache, name) as here, shared(cache, name) as there:
            await here.take(task(1))
            proxy.refuse()
            proxy.cut()

            # Neither waits for Redis, and each has its own cap beside this one.
            assert await there.take(task(2)) is not None
            assert await there.take(task(3)) is not None
            proxy.behave()
            await until(lambda: here.is_shared and there.is_shared)

            assert await here.take(task(4)) is None
        await cache.close()

    said = [line for line in lines if "each server keeps the caps" in line]
    assert 1 <= len(said) <= 2


def server(cache: Cache, database: Database, clock: Clock, slots: SharedSlots, *, worker_id: str) -> Bench:
    """A bench whose runner shares the caps."""
    made = Bench(database, cache, clock, worker_id=worker_id)
    made.executor.script = hang
    made.slots = Slots([INFO, VIDEO], total=10)
    made.runner = Runner(
        RunnerStores(database, cache, made.tasks, made.events, made.challenges),
        {TaskKind.CRAWL: made.executor},
        made.slots,
        clock=clock,
        worker_id=worker_id,
        lease_s=30,
        shared=slots,
    )
    return made


async def test_task_refused_for_the_common_cap_stays_pending_and_its_platform_is_shut_here(
    cache: Cache, database: Database, clock: Clock, name: str
) -> None:
    board = SlotBoard(cache, database=name, lease_s=30)
    await board.take("video", "elsewhere", cap=1)
    bench = server(cache, database, clock, SharedSlots(board, CAPS, clock=clock, lease_s=30), worker_id="w-1")
    await bench.runner.start()

    ran = await bench.run(await bench.create(platform="video"))

    assert ran is False
    assert (await bench.read()).status is TaskStatus.PENDING
    assert (bench.slots.used, bench.slots.has_free("video"), bench.slots.has_free("web")) == (0, False, True)
    assert "video" in bench.runner.backlog
    await bench.runner.stop()


async def test_end_of_a_run_gives_its_common_slot_back_and_rings(
    cache: Cache, database: Database, clock: Clock, name: str
) -> None:
    rung = asyncio.Event()
    board = SlotBoard(cache, database=name, lease_s=30)
    bench = server(cache, database, clock, SharedSlots(board, CAPS, clock=clock, lease_s=30), worker_id="w-1")
    bench.runner.when_put_off(rung.set)
    await bench.runner.start()
    run = asyncio.create_task(bench.run(await bench.create(platform="video")))
    await bench.executor.begun.wait()
    assert not await board.take("video", "elsewhere", cap=1)

    bench.runner.stop_run("t_1", StopReason.SHUTDOWN)
    await run
    await asyncio.wait_for(rung.wait(), 5)
    await bench.runner.stop()

    assert await board.take("video", "elsewhere", cap=1)
