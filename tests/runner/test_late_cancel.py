"""A cancel that comes between the end of a body and the write of that end."""

from backend.domain.errors import StoreUnavailableError
from backend.domain.execution import TaskContext
from backend.domain.task import Books, Ending, SubmitIntent, Task, TaskStatus, Upstream
from tests.fixtures.scripted import Bench


async def test_late_cancel_whose_books_were_not_counted_before_the_lease_was_lost_is_left(bench: Bench) -> None:
    async def be_cancelled_and_fail(context: TaskContext) -> Ending:
        await bench.tasks.cancel("t_1", by="local", requested_at=bench.clock.now())
        raise StoreUnavailableError("NetworkTimeout")

    async def be_away(task: Task) -> Books:
        bench.runner.live()[0].good_beat_at -= 21
        raise StoreUnavailableError("NetworkTimeout")

    bench.executor.script = be_cancelled_and_fail
    bench.executor.recount = be_away  # type: ignore[method-assign]

    await bench.run(await bench.create())

    assert (await bench.read()).status is TaskStatus.CANCELLING


async def test_late_cancel_keeps_its_lease_while_the_provider_is_asked(bench: Bench) -> None:
    async def be_cancelled_and_fail(context: TaskContext) -> Ending:
        await context.record_intent(SubmitIntent("k", 1, bench.clock.now()), Upstream(submits=1))
        await bench.tasks.cancel("t_1", by="local", requested_at=bench.clock.now())
        raise StoreUnavailableError("NetworkTimeout")

    async def ask_for_long(task: Task, context: TaskContext) -> None:
        bench.runner.live()[0].good_beat_at -= 15
        await bench.runner.keeper.beat_once()
        ages.append(bench.clock.elapsed() - bench.runner.live()[0].good_beat_at)

    ages: list[float] = []
    bench.executor.script = be_cancelled_and_fail
    bench.executor.abandon = ask_for_long  # type: ignore[method-assign]

    await bench.run(await bench.create())

    assert [age < 10 for age in ages] == [True]
