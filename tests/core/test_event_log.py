"""One contract, held by a real Valkey and by memory mode."""

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.event_log import KEPT, Addition, EventLog, Position, Told
from backend.domain.errors import CacheUnavailableError

CHANGE = Addition("t_1", version=1, fence=0, payload=b"\x00\xff{1}")
FRAME = Addition("t_1", version=1, fence=0, payload=b"\xff", is_kept=False)


@pytest.fixture(params=["valkey", "memory"])
def log(request: pytest.FixtureRequest, io_loop: tornado.ioloop.IOLoop) -> Iterator[EventLog]:
    is_memory = request.param == "memory"
    url = "" if is_memory else request.getfixturevalue("redis_url")
    made = EventLog(url, name=uuid.uuid4().hex, clock=Clock(), is_memory=is_memory, kept=200)
    made.open()
    yield made
    io_loop.run_sync(made.close)


def changes_of(*versions: int) -> list[Addition]:
    return [replace(CHANGE, version=version, payload=b"%d" % version) for version in versions]


async def kept(log: EventLog) -> list[bytes]:
    return [one.payload for one in (await log.tail(limit=KEPT)).changes]


async def flush(log: EventLog) -> None:
    await log._door._live().delete(log._base, f"{log._base}:state", f"{log._base}:of:t_1")


async def test_version_not_above_the_last_is_refused(log: EventLog) -> None:
    taken = [await log.add(changes_of(version)) for version in (7, 6, 7, 8)]

    assert taken == [[True], [False], [False], [True]]
    assert await kept(log) == [b"7", b"8"]


async def test_final_change_is_taken_once_and_nothing_after_it(log: EventLog) -> None:
    end = replace(CHANGE, is_final=True)

    taken = await log.add([CHANGE, end, end, replace(CHANGE, version=9), FRAME])

    assert taken == [True, True, False, False, False]


async def test_change_of_an_older_fence_is_refused(log: EventLog) -> None:
    taken = await log.add([replace(CHANGE, fence=2), replace(CHANGE, version=5, fence=1), replace(FRAME, fence=1)])

    assert taken == [True, False, False]


async def test_frame_of_an_older_version_is_refused(log: EventLog) -> None:
    taken = await log.add([replace(CHANGE, version=3), replace(FRAME, version=2), replace(FRAME, version=-1)])

    assert taken == [True, False, True]


async def test_frame_is_told_and_not_kept(log: EventLog) -> None:
    await log.look()
    async with log.subscription() as heard:
        await log.add([FRAME])
        told = await heard.next(timeout_s=5)

    assert [one.payload for one in told] == [b"\xff"]
    assert await kept(log) == []


async def test_what_is_told_comes_in_the_order_of_the_log(log: EventLog) -> None:
    await log.look()
    async with log.subscription() as heard:
        await log.add([CHANGE, FRAME, replace(CHANGE, version=2)])
        told = await heard.next(timeout_s=5)

    assert [(one.subject, one.position and one.position.n) for one in told] == [
        ("t_1", 1),
        ("t_1", None),
        ("t_1", 2),
    ]


async def test_what_came_after_a_position_is_read_without_gap_or_repeat(log: EventLog) -> None:
    await log.add(changes_of(1, 2))
    middle = (await log.look()).last
    await log.add(changes_of(3, 4))

    tail = await log.after(middle, limit=10)

    assert tail is not None
    assert [one.payload for one in tail.changes] == [b"3", b"4"]
    assert tail.changes[-1].position == tail.last


async def test_everything_comes_after_the_beginning(log: EventLog) -> None:
    await log.add(changes_of(1, 2))

    tail = await log.after(Position(), limit=10)

    assert tail is not None
    assert len(tail.changes) == 2


async def test_position_that_was_trimmed_is_not_there(log: EventLog) -> None:
    await log.add(changes_of(1, 2))
    early = (await log.tail(limit=10)).changes[0].position
    assert early is not None
    await log._door._live().xtrim(log._base, maxlen=1, approximate=False)

    assert await log.after(early, limit=10) is None
    assert await log.after(Position(), limit=10) is None


async def test_position_of_another_past_is_not_there(log: EventLog) -> None:
    await log.add(changes_of(1, 2))
    last = (await log.look()).last

    assert await log.after(replace(last, at_ms=last.at_ms + 1), limit=10) is None
    assert await log.after(replace(last, n=last.n + 1), limit=10) is None


async def test_more_than_the_limit_is_not_read(log: EventLog) -> None:
    await log.add(changes_of(1, 2, 3))

    assert await log.after(Position(), limit=2) is None


async def test_flush_begins_a_new_epoch(log: EventLog) -> None:
    await log.add(changes_of(5))
    before = await log.look()
    await flush(log)

    after = await log.look()

    assert after.epoch != before.epoch
    assert after.last == Position()


async def test_new_epoch_is_told(log: EventLog) -> None:
    await log.look()
    async with log.subscription() as heard:
        await log.renew()
        told = await heard.next(timeout_s=5)

    assert told == (Told((await log.look()).epoch),)


async def test_renewal_forgets_what_was_kept(log: EventLog) -> None:
    await log.add(changes_of(1, 2))

    await log.renew()

    assert await kept(log) == []


async def test_log_keeps_no_more_than_it_should(log: EventLog) -> None:
    await log.add(changes_of(*range(500)))

    # Whole nodes of the stream are dropped: it may be longer by one.
    assert 200 <= len(await kept(log)) <= 300


async def test_watching_is_known_to_everybody(log: EventLog) -> None:
    before = await log.is_watched()
    await log.watch()

    assert (before, await log.is_watched()) == (False, True)


async def test_server_that_is_not_there_is_a_cache_error() -> None:
    log = EventLog("redis://127.0.0.1:1/0", name="x", clock=Clock(), timeout_s=0.5)
    log.open()

    with pytest.raises(CacheUnavailableError):
        await log.look()
    await log.close()


@pytest.mark.parametrize("text", ["", "1", "1-", "-1", "a-b", "1-2-3", "１-2", "9" * 60 + "-1"])
def test_text_that_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="position"):
        Position.read(text)
