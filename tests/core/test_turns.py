import asyncio
from itertools import pairwise

from backend.core.turns import Turns
from tests.fixtures.clocks import SetClock


async def test_results_come_in_order_over_many_turns() -> None:
    clock = SetClock()
    turns = Turns(clock, turn_s=0.005)

    def work(thing: int) -> int:
        clock.advance(0.002)
        return -thing

    assert await turns.map(work, range(50)) == [-thing for thing in range(50)]


async def test_loop_goes_on_after_each_turn_and_one_worker_works_at_a_time() -> None:
    clock, done, seen = SetClock(), [], []
    turns = Turns(clock, turn_s=0.005)

    def work(thing: str) -> None:
        clock.advance(0.002)
        done.append(thing)

    async def watch() -> None:
        while len(done) < 24:
            seen.append(len(done))
            await asyncio.sleep(0)

    await asyncio.gather(watch(), turns.map(work, "a" * 12), turns.map(work, "b" * 12))

    assert max(after - before for before, after in pairwise(seen)) == 3
    assert set("".join(done)[:6]) == {"a", "b"}


async def test_error_of_the_work_reaches_its_caller_and_lets_the_next_one_work() -> None:
    turns = Turns(SetClock())

    def fail(thing: int) -> int:
        raise ZeroDivisionError

    first = await asyncio.gather(turns.map(fail, [1]), return_exceptions=True)

    assert isinstance(first[0], ZeroDivisionError)
    assert await turns.map(abs, [-1]) == [1]
