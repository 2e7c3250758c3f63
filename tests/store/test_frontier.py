from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.errors import LeaseLostError
from backend.domain.task import Lease
from backend.store.frontier import FrontierStore, NewRow, Row, RowResult

ORIGIN = "https://example.org"
LEASE = Lease("t_1", "w_1", 1)
NEXT = Lease("t_1", "w_2", 2)


class SetClock(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.moment = datetime(2026, 11, 22, 8, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def set_clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=["mongod", "memory"])
def frontier(
    request: pytest.FixtureRequest, set_clock: SetClock, io_loop: tornado.ioloop.IOLoop
) -> Iterator[FrontierStore]:
    if request.param == "mongod":
        database = request.getfixturevalue("database")
    else:
        database = Database("", "test", clock=set_clock, is_memory=True)
        io_loop.run_sync(database.connect)
    store = FrontierStore(database, clock=set_clock)
    io_loop.run_sync(store.ensure_indexes)
    yield store
    if request.param == "memory":
        io_loop.run_sync(database.close)


def row(name: str, *, depth: int = 0, priority: int = 0, origin: str = ORIGIN) -> NewRow:
    return NewRow(fingerprint=name, url=f"{origin}/{name}", origin=origin, depth=depth, priority=priority)


def ok(name: str) -> RowResult:
    return RowResult(name, "ok", 1, http_status=200, item_id=name)


async def taken(frontier: FrontierStore, *names: str, lease: Lease = LEASE) -> list[Row]:
    await frontier.add_many(lease, [row(name) for name in names])
    return await frontier.take(lease, ORIGIN, len(names))


async def test_url_found_twice_is_one_row(frontier: FrontierStore) -> None:
    first = await frontier.add_many(LEASE, [row("a"), row("b")])
    second = await frontier.add_many(LEASE, [row("b"), row("c")])

    assert (first, second) == (2, 1)


async def test_take_prefers_high_priority_then_low_depth(frontier: FrontierStore) -> None:
    await frontier.add_many(LEASE, [row("deep", depth=2), row("flat", depth=1), row("first", depth=3, priority=1)])

    order = [(await frontier.take(LEASE, ORIGIN, 1))[0].fingerprint for _ in range(3)]

    assert order == ["first", "flat", "deep"]


async def test_row_taken_is_not_taken_again(frontier: FrontierStore) -> None:
    await taken(frontier, "a")

    assert await frontier.take(LEASE, ORIGIN, 5) == []


async def test_take_leaves_other_origins_and_other_tasks(frontier: FrontierStore) -> None:
    await frontier.add_many(LEASE, [row("a", origin="https://other.example")])
    await frontier.add_many(Lease("t_2", "w_1", 1), [row("b")])

    assert await frontier.take(LEASE, ORIGIN, 5) == []


async def test_origins_counts_what_waits(frontier: FrontierStore) -> None:
    await frontier.add_many(LEASE, [row("a"), row("b"), row("c", origin="https://other.example")])
    await frontier.take(LEASE, ORIGIN, 1)

    assert await frontier.origins("t_1") == {ORIGIN: 1, "https://other.example": 1}


async def test_row_backing_off_is_taken_when_its_time_has_come(frontier: FrontierStore, set_clock: SetClock) -> None:
    (in_hand,) = await taken(frontier, "a")
    due = set_clock.moment + timedelta(seconds=3)
    await frontier.requeue(LEASE, in_hand, due)

    early = await frontier.take(LEASE, ORIGIN, 1)
    announced = await frontier.next_due("t_1")
    set_clock.moment = due
    (again,) = await frontier.take(LEASE, ORIGIN, 1)

    assert early == []
    assert announced == (ORIGIN, due)
    assert (again.fingerprint, again.attempts, again.was_taken) == ("a", 1, True)
    assert await frontier.next_due("t_1") is None


async def test_finish_of_a_row_that_another_run_holds_is_refused(frontier: FrontierStore) -> None:
    await taken(frontier, "a")
    await frontier.give_back("t_1", below_fence=2)
    await frontier.take(NEXT, ORIGIN, 1)

    with pytest.raises(LeaseLostError):
        await frontier.finish(LEASE, [ok("a")])


async def test_finish_may_be_repeated(frontier: FrontierStore) -> None:
    await taken(frontier, "a")

    await frontier.finish(LEASE, [ok("a")])
    await frontier.finish(LEASE, [ok("a")])

    assert (await frontier.books("t_1", is_over=True)).ok == 1


async def test_rows_of_a_dead_run_go_back_first_and_count_as_lost(frontier: FrontierStore) -> None:
    await taken(frontier, "a")
    await frontier.add_many(LEASE, [row("b")])

    given_back = await frontier.give_back("t_1", below_fence=2)
    (again,) = await frontier.take(NEXT, ORIGIN, 1)

    assert given_back == 1
    assert (again.fingerprint, again.lost, again.attempts, again.was_taken) == ("a", 1, 0, True)


async def test_row_lost_more_than_ten_times_has_failed(frontier: FrontierStore) -> None:
    await frontier.add_many(LEASE, [row("a")])
    for fence in range(1, 12):
        await frontier.take(Lease("t_1", "w", fence), ORIGIN, 1)
        await frontier.give_back("t_1", below_fence=fence + 1)

    (page,) = (await frontier.list("t_1", limit=5)).pages

    assert (page.state, page.outcome, page.error) == ("failed", "failed", "ATTEMPTS_USED_UP")


async def test_reclaim_spares_what_is_in_hand(frontier: FrontierStore) -> None:
    await taken(frontier, "a", "b")

    reclaimed = await frontier.reclaim(LEASE, ["a"])

    assert reclaimed == 1
    assert [one.fingerprint for one in await frontier.take(LEASE, ORIGIN, 5)] == ["b"]


async def test_released_row_goes_back_without_being_lost(frontier: FrontierStore) -> None:
    await taken(frontier, "a")

    await frontier.release(LEASE)

    (again,) = await frontier.take(NEXT, ORIGIN, 1)
    assert again.lost == 0


async def test_row_put_back_before_it_was_started_was_never_taken_up(frontier: FrontierStore) -> None:
    rows = await taken(frontier, "a")

    await frontier.put_back(LEASE, rows)

    books = await frontier.books("t_1", is_over=True)
    assert (books.requested, books.queued_left) == (0, 1)


async def test_row_put_back_after_an_earlier_attempt_stays_taken_up(frontier: FrontierStore) -> None:
    (in_hand,) = await taken(frontier, "a")
    await frontier.requeue(LEASE, in_hand, datetime(2026, 1, 1, tzinfo=UTC))
    rows = await frontier.take(LEASE, ORIGIN, 1)

    await frontier.put_back(LEASE, rows)

    books = await frontier.books("t_1", is_over=True)
    assert (books.requested, books.aborted, books.queued_left) == (1, 1, 0)


async def test_abort_ends_rows_in_flight_and_rows_backing_off(frontier: FrontierStore, set_clock: SetClock) -> None:
    rows = await taken(frontier, "a", "b")
    await frontier.add_many(LEASE, [row("c")])
    await frontier.requeue(LEASE, rows[0], set_clock.moment + timedelta(hours=1))

    aborted = await frontier.abort(LEASE)

    books = await frontier.books("t_1", is_over=True)
    assert aborted == 2
    assert (books.requested, books.aborted, books.queued_left) == (2, 2, 1)


async def test_rows_waiting_when_the_limit_is_reached_are_skipped(frontier: FrontierStore, set_clock: SetClock) -> None:
    rows = await taken(frontier, "a")
    await frontier.requeue(LEASE, rows[0], set_clock.moment + timedelta(hours=1))

    await frontier.skip_rest(LEASE)

    books = await frontier.books("t_1", is_over=True)
    assert (books.skipped, books.skipped_by) == (1, {"limit": 1})


async def test_books_add_up_over_every_outcome(frontier: FrontierStore) -> None:
    names = ["ok", "empty", "blocked", "failed", "skipped"]
    await taken(frontier, *names, "open")
    await frontier.add_many(LEASE, [row("left")])
    results = [RowResult(name, name, 1, reason="robots" if name == "skipped" else None) for name in names]
    await frontier.finish(LEASE, results)

    books = await frontier.books("t_1", is_over=True)

    assert books.adds_up
    assert (books.requested, books.aborted, books.queued_left) == (6, 1, 1)
    assert books.skipped_by == {"robots": 1}


async def test_books_of_a_task_that_goes_on_give_open_rows_no_outcome(frontier: FrontierStore) -> None:
    await taken(frontier, "a")

    books = await frontier.books("t_1", is_over=False)

    assert (books.requested, books.aborted) == (1, 0)


async def test_final_url_belongs_to_the_row_that_claimed_it_first(frontier: FrontierStore) -> None:
    await taken(frontier, "a", "b")

    first = await frontier.claim_final(LEASE, {"a": "target"})
    second = await frontier.claim_final(LEASE, {"b": "target"})
    repeated = await frontier.claim_final(LEASE, {"a": "target"})

    assert (first, second, repeated) == (frozenset(), frozenset({"b"}), frozenset())


async def test_final_url_with_a_row_of_its_own_belongs_to_that_row(frontier: FrontierStore) -> None:
    await taken(frontier, "a", "b")

    assert await frontier.claim_final(LEASE, {"a": "b"}) == {"a"}


async def test_claimed_final_url_is_no_unit_of_work(frontier: FrontierStore) -> None:
    await taken(frontier, "a")
    await frontier.claim_final(LEASE, {"a": "target"})

    added = await frontier.add_many(LEASE, [row("target")])

    assert added == 0
    assert (await frontier.books("t_1", is_over=True)).requested == 1
    assert len((await frontier.list("t_1", limit=5)).pages) == 1


async def test_list_filters_by_state_and_outcome(frontier: FrontierStore) -> None:
    await taken(frontier, "a", "b", "c")
    await frontier.finish(LEASE, [ok("a"), RowResult("b", "failed", 3, error="DEADLINE")])

    by_state = await frontier.list("t_1", limit=5, state="in_flight")
    by_outcome = await frontier.list("t_1", limit=5, outcome="failed")
    contradiction = await frontier.list("t_1", limit=5, state="queued", outcome="failed")

    assert [page.url for page in by_state.pages] == [f"{ORIGIN}/c"]
    assert [(page.error, page.attempts) for page in by_outcome.pages] == [("DEADLINE", 3)]
    assert contradiction.pages == ()


async def test_list_walks_every_row_once(frontier: FrontierStore) -> None:
    await frontier.add_many(LEASE, [row(f"{number:02}") for number in range(7)])

    seen: list[str] = []
    cursor: str | None = None
    while True:
        found = await frontier.list("t_1", limit=3, cursor=cursor)
        seen += [page.url for page in found.pages]
        cursor = found.next_cursor
        if cursor is None:
            break

    assert sorted(seen) == [f"{ORIGIN}/{number:02}" for number in range(7)]


async def test_delete_removes_the_rows_of_one_task_only(frontier: FrontierStore) -> None:
    await frontier.add_many(LEASE, [row("a"), row("b")])
    await frontier.add_many(Lease("t_2", "w_1", 1), [row("a")])

    removed = await frontier.delete_of("t_1")

    assert removed == 2
    assert await frontier.origins("t_2") == {ORIGIN: 1}


async def test_books_counted_kind_by_kind_are_those_of_all_rows_grouped(
    frontier: FrontierStore, set_clock: SetClock
) -> None:
    await frontier.add_many(LEASE, [row(str(number)) for number in range(14)])
    found = await frontier.take(LEASE, ORIGIN, 10)
    outcomes = ("ok", "ok", "empty", "blocked", "failed")
    ends = [RowResult(one.fingerprint, outcome, 1) for one, outcome in zip(found, outcomes, strict=False)]
    ends += [
        RowResult(one.fingerprint, "skipped", 1, reason=why)
        for one, why in zip(found[5:7], ("robots", "scope"), strict=True)
    ]
    await frontier.finish(LEASE, ends)
    await frontier.requeue(LEASE, found[8], set_clock.now())

    for is_over in (False, True):
        alone = await frontier.books("t_1", is_over=is_over)

        assert alone == (await frontier.books_of(["t_1", "t_2"], is_over=is_over))["t_1"]
        assert (alone.requested, alone.queued_left, alone.aborted) == (10, 4, 3 if is_over else 0)


async def test_what_a_unit_needs_comes_back_and_is_never_shown(frontier: FrontierStore) -> None:
    data = {"unit": "note", "token": "TOKEN", "card": {"title": "露营"}}
    await frontier.add_many(LEASE, [NewRow("a", f"{ORIGIN}/a", ORIGIN, 0, data=data), row("b")])

    found = {one.fingerprint: one.data for one in await frontier.take(LEASE, ORIGIN, 2)}

    assert found == {"a": data, "b": None}
    assert "TOKEN" not in str(await frontier.list("t_1", limit=10))
