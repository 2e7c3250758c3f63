"""Every fault of a site and of a provider, on demand: the right end, balanced books, a quick cancel in the middle."""

import asyncio
import time
from collections.abc import Iterator

import pytest
import tornado.ioloop

from backend.core.http import HttpGate
from backend.crawl.fetch import FetchLimits
from backend.domain.task import Books, StopReason, Task, TaskStatus
from tests.fixtures.bad_wire import WIRE_FAULTS
from tests.fixtures.crawls import Crawl
from tests.fixtures.generation import GenerationHouse
from tests.fixtures.hostile_server import HostileServer, until

# The site's misbehaviour, and the word for a page that met nothing else.
SITE_FAULTS = {
    "hang": "DEADLINE",
    "slow-body/60": "DEADLINE",
    "drip-head": "DEADLINE",
    "drip-body": "DEADLINE",
    "reset": "NO_ANSWER",
    "half": "BROKEN_ANSWER",
    "half-reset": "BROKEN_ANSWER",
    "busy/429": "THROTTLED",
    "busy/429/0": "THROTTLED",
    "busy/503": "HTTP_STATUS",
    "busy/503/0": "HTTP_STATUS",
}
# Those that last: a cancel finds them at work. An answer that ends at once is met in the wait for the next attempt.
LASTING = sorted(set(SITE_FAULTS) - {"busy/429/0", "busy/503/0"})
CANCEL_WITHIN_S = 1.0


@pytest.fixture
def hostile(crawl_gate: HttpGate, io_loop: tornado.ioloop.IOLoop) -> Iterator[HostileServer]:
    # The gate is named to be started before and stopped after the server.
    server = HostileServer()
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(server.stop)


def page_of(hostile: HostileServer) -> dict[str, object]:
    return {"urls": [hostile.url("as-told")], "obey_robots": False}


# -- a site ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", SITE_FAULTS)
async def test_page_that_keeps_failing_ends_by_its_word(crawl: Crawl, hostile: HostileServer, fault: str) -> None:
    crawl.slower(limits=FetchLimits(total_s=0.3), max_attempts=2)
    hostile.manner = fault

    ended = await crawl.run(page_of(hostile), "page")

    row = next(iter((await crawl.pages()).values()))
    assert (row.error, len(hostile.heads)) == (SITE_FAULTS[fault], 2)
    assert ended.books is not None
    assert (ended.books.failed + ended.books.blocked, ended.books.adds_up) == (1, True)


@pytest.mark.parametrize("fault", SITE_FAULTS)
async def test_page_that_recovers_is_stored_once(crawl: Crawl, hostile: HostileServer, fault: str) -> None:
    crawl.slower(limits=FetchLimits(total_s=0.5), max_attempts=3)
    hostile.manner = fault
    running = asyncio.ensure_future(crawl.run(page_of(hostile), "page"))

    await until(lambda: len(hostile.heads) == 1)
    hostile.manner = "html"
    ended = await running

    assert ended.books == Books(requested=1, ok=1, stored=1, fetched_unique=1)
    assert len(hostile.heads) == 2


@pytest.mark.parametrize("fault", LASTING)
async def test_cancel_in_the_middle_of_a_sites_fault_ends_at_once(
    crawl: Crawl, hostile: HostileServer, fault: str
) -> None:
    crawl.slower(limits=FetchLimits(total_s=30), back_off_s=30.0, longest_wait_s=60.0)
    hostile.manner = fault
    context = crawl.context(page_of(hostile), "page")
    running = asyncio.ensure_future(crawl.carry_out(context))
    await until(lambda: len(hostile.heads) == 1)
    await asyncio.sleep(0.05)

    begun = time.monotonic()
    context.stop(StopReason.USER)
    ended = await running

    assert time.monotonic() - begun < CANCEL_WITHIN_S
    assert ended.books is not None
    assert (ended.books.aborted, ended.books.adds_up) == (1, True)
    assert crawl.tools.gate.live().requests == 0
    assert len(hostile.heads) == 1


# -- a provider ------------------------------------------------------------------------------------------------------


async def cancelled(house: GenerationHouse, task: Task, run: "asyncio.Task[Task]", *, within_s: float) -> Task:
    begun = time.monotonic()
    await house.cancel(task)
    ended = await run
    assert time.monotonic() - begun < within_s
    house.server.mark()
    await asyncio.sleep(0.05)
    assert house.server.requests_since_mark == []
    assert (house.part_files(), house.gate.live().requests) == ([], 0)
    return ended


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll waits for its answer for a moment only."""
    monkeypatch.setattr("backend.generate.zhipu.POLL_LIMIT_S", 0.3)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", sorted(WIRE_FAULTS))
async def test_poll_that_the_wire_spoils_costs_nothing_but_time(house: GenerationHouse, fault: str) -> None:
    house.server.plan("poll", fault)
    task = await house.new_task()

    ended = await house.run(task)

    assert (ended.status, ended.books.ok, ended.books.balanced) == (TaskStatus.SUCCEEDED, 1, True)
    assert house.server.submits_accepted == 1


@pytest.mark.parametrize("fault", sorted(WIRE_FAULTS))
async def test_submit_whose_answer_the_wire_spoils_is_paid_once(house: GenerationHouse, fault: str) -> None:
    await house.use_runner("w_hasty", lease_s=2.0)
    house.server.plan("submit", fault)
    task = await house.new_task()

    ended = await house.run(task)

    assert ended.error is not None or ended.status is TaskStatus.SUCCEEDED
    assert ended.error is None or ended.error.name == "SUBMIT_UNCERTAIN"
    assert (house.server.submits_accepted, ended.books.balanced) == (1, True)


@pytest.mark.parametrize("fault", sorted(WIRE_FAULTS - {"hang_body", "drip"}))
async def test_download_that_the_wire_spoils_is_fetched_again(house: GenerationHouse, fault: str) -> None:
    house.server.plan("file", fault)
    task = await house.new_task()

    ended = await house.run(task)

    assert (ended.status, ended.books.ok, ended.books.balanced) == (TaskStatus.SUCCEEDED, 1, True)
    assert (house.part_files(), house.server.submits_accepted) == ([], 1)


@pytest.mark.parametrize("kind", ["poll", "file"])
@pytest.mark.parametrize("fault", ["hang", "hang_body", "drip"])
async def test_cancel_in_the_middle_of_a_providers_fault_ends_at_once(
    house: GenerationHouse, kind: str, fault: str
) -> None:
    house.server.plan(kind, fault, times=0)
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    ended = await cancelled(house, task, run, within_s=CANCEL_WITHIN_S)

    assert (ended.status, ended.books) == (TaskStatus.CANCELLED, Books(requested=1, aborted=1, balanced=True))


@pytest.mark.parametrize("fault", ["hang_body", "drip"])
async def test_cancel_while_a_submits_answer_drips_is_bounded_and_told_truly(
    house: GenerationHouse, fault: str
) -> None:
    await house.use_runner("w_hasty", lease_s=2.0)
    house.server.plan("submit", fault)
    task = await house.new_task()
    run = house.begin(task)
    await house.server.holding.wait()

    ended = await cancelled(house, task, run, within_s=5.0)

    assert (ended.status, ended.books.balanced) == (TaskStatus.CANCELLED, True)
    assert ended.upstream is not None
    assert (ended.upstream.cancel, ended.upstream.may_bill) in {("unknown", True), ("unsupported", True)}
    assert house.server.submits_accepted == 1


async def test_answer_that_comes_after_the_cancel_changes_nothing(house: GenerationHouse) -> None:
    house.server.plan("poll", "late", seconds=0.2)
    task = await house.new_task()
    run = house.begin(task)
    await house.until(lambda: house.server.polls == 1)
    ended = await cancelled(house, task, run, within_s=CANCEL_WITHIN_S)

    await asyncio.sleep(0.3)

    assert (await house.record(task)).version == ended.version
    assert ended.status is TaskStatus.CANCELLED
