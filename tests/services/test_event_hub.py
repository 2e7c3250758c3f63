"""What the hub tells its listeners: everything once and in order, or to read anew. On Valkey and in memory mode."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.event_log import Addition, EventLog, EventSubscription
from backend.domain.errors import CacheUnavailableError
from backend.services.event_hub import EventHub, Happening, ResyncReason

CHANGE = Addition("t_1", version=1, fence=0, payload=b"x")
_WITHIN_S = 20


class Ear:
    """A listener that remembers."""

    is_listening = True

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self.cursors: list[str | None] = []
        self.heard: list[Happening] = []
        self.resyncs: list[ResyncReason] = []
        self._came = asyncio.Event()

    def on_event(self, happening: Happening) -> None:
        self.heard.append(happening)
        self._came.set()

    def on_resync(self, reason: ResyncReason) -> None:
        self.resyncs.append(reason)
        self.cursors.append(self._hub.cursor)
        self._came.set()

    async def has(self, events: int = 0, resyncs: int = 0) -> None:
        async with asyncio.timeout(_WITHIN_S):
            while len(self.heard) < events or len(self.resyncs) < resyncs:
                self._came.clear()
                await self._came.wait()


class Cut(EventLog):
    """A log whose subscription can be cut, and that can be down."""

    def __init__(self, url: str, *, name: str, is_memory: bool) -> None:
        super().__init__(url, name=name, clock=Clock(), is_memory=is_memory)
        self.cut = asyncio.Event()
        self.is_down = False
        self.refused = asyncio.Event()

    def subscription(self) -> AbstractAsyncContextManager[EventSubscription]:  # type: ignore[override]
        if self.is_down:
            self.refused.set()
            raise CacheUnavailableError("down")
        self.cut.clear()
        return super().subscription()


class Heard(EventHub):
    """A hub that looks every 50 ms, and hears the cut."""

    async def _hear(self, heard: EventSubscription) -> None:
        hearing = asyncio.create_task(super()._hear(heard))
        cutting = asyncio.create_task(self._log.cut.wait())  # type: ignore[attr-defined]
        try:
            await asyncio.wait({hearing, cutting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (hearing, cutting):
                one.cancel()
            await asyncio.gather(hearing, cutting, return_exceptions=True)
        raise CacheUnavailableError("cut")


@pytest.fixture(params=["valkey", "memory"])
def log(request: pytest.FixtureRequest, io_loop: tornado.ioloop.IOLoop) -> Iterator[Cut]:
    is_memory = request.param == "memory"
    made = Cut("" if is_memory else request.getfixturevalue("redis_url"), name=uuid.uuid4().hex, is_memory=is_memory)
    made.open()
    yield made
    io_loop.run_sync(made.close)


@pytest.fixture
def hub(log: Cut, io_loop: tornado.ioloop.IOLoop) -> Iterator[EventHub]:
    made = Heard(log, clock=Clock())
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def ear(hub: EventHub) -> Ear:
    made = Ear(hub)
    hub.listen(made)
    return made


def changes(*versions: int) -> list[Addition]:
    return [replace(CHANGE, version=version, payload=b"%d" % version) for version in versions]


def payloads(happenings: list[Happening]) -> list[bytes]:
    return [one._told.payload for one in happenings]


async def outage(log: Cut, *, during: list[Addition]) -> None:
    """Cut the subscription, add meanwhile, and let it come back."""
    log.is_down = True
    log.refused.clear()
    log.cut.set()
    await log.refused.wait()
    if during:
        await log.add(during)
    log.is_down = False


async def flushed(log: Cut, *subjects: str) -> None:
    keys = [log._base, f"{log._base}:state", *(f"{log._base}:of:{one}" for one in subjects)]
    await log._door.ask(lambda redis: redis.delete(*keys))


async def test_listener_hears_every_event_once_and_in_order(log: Cut, ear: Ear) -> None:
    await log.add([*changes(1, 2), replace(CHANGE, version=2, payload=b"f", is_kept=False)])
    await log.add(changes(3))
    await ear.has(events=4)

    assert payloads(ear.heard) == [b"1", b"2", b"f", b"3"]
    assert [one.cursor is None for one in ear.heard] == [False, False, True, False]


async def test_reader_who_comes_back_is_given_what_it_missed(log: Cut, hub: EventHub, ear: Ear) -> None:
    await log.add(changes(1, 2, 3))
    await ear.has(events=3)

    missed = hub.replay(ear.heard[0].cursor or "")

    assert isinstance(missed, list)
    assert payloads(missed) == [b"2", b"3"]
    assert hub.replay(hub.cursor or "") == []


async def test_what_is_left_of_the_last_epoch_has_nobody_read_anew_again(log: Cut, hub: EventHub, ear: Ear) -> None:
    await log.add(changes(1))
    await ear.has(events=1)
    last = ear.heard[0]._told
    await log.renew()
    await ear.has(resyncs=1)

    # It was in the socket while the hub saw the new epoch by itself.
    for _ in range(3):
        await hub._take(last)

    assert ear.resyncs == ["flushed"]


async def test_another_process_gives_a_reader_what_it_missed(log: Cut, hub: EventHub, ear: Ear) -> None:
    await log.add(changes(1, 2))
    await ear.has(events=2)
    cursor = ear.heard[0].cursor
    await hub.stop()
    await log.add(changes(3))

    other = EventHub(log, clock=Clock())
    await other.start()
    missed = other.replay(cursor or "")
    await other.stop()

    assert isinstance(missed, list)
    assert payloads(missed) == [b"2", b"3"]


async def test_flush_is_told_to_everybody(log: Cut, hub: EventHub, ear: Ear) -> None:
    await log.add(changes(7))
    await ear.has(events=1)
    before = hub.cursor or ""
    await flushed(log, "t_1")

    await ear.has(resyncs=1)

    assert ear.resyncs == ["flushed"]
    assert hub.replay(before) == "flushed"
    assert hub.replay(hub.cursor or "") == []


async def test_change_right_after_a_flush_is_heard(log: Cut, ear: Ear) -> None:
    await log.add(changes(7))
    await ear.has(events=1)
    await flushed(log, "t_1")
    await log.add(changes(8, 9))

    await ear.has(resyncs=1)
    await log.add(changes(10))
    await ear.has(events=2)

    assert payloads(ear.heard)[-1] == b"10"


async def test_what_was_lost_for_good_is_told_to_everybody(log: Cut, ear: Ear) -> None:
    await log.renew()

    await ear.has(resyncs=1)

    assert ear.resyncs == ["flushed"]


async def test_changes_during_an_outage_are_heard_once_and_everybody_reads_anew(log: Cut, ear: Ear) -> None:
    await log.add(changes(1))
    await ear.has(events=1)

    await outage(log, during=changes(2, 3))
    await ear.has(events=3, resyncs=1)
    assert ear.resyncs == ["flushed"]
    assert ear.cursors == [ear.heard[-1].cursor]
    await log.add(changes(4))
    await ear.has(events=4)

    assert payloads(ear.heard) == [b"1", b"2", b"3", b"4"]


async def test_there_is_no_cursor_while_redis_is_down(log: Cut, hub: EventHub) -> None:
    log.is_down = True
    log.cut.set()
    await log.refused.wait()

    assert hub.cursor is None
    assert not hub.is_connected


@pytest.mark.parametrize(
    "cursor", ["", "x", ".", "1-2", "{epoch}.", "{epoch}.x", "{epoch}.99-1", "{epoch}.1-1", "｡.１-1"]
)
async def test_cursor_that_is_none_of_ours_is_unknown_or_flushed(
    log: Cut, hub: EventHub, ear: Ear, cursor: str
) -> None:
    await log.add(changes(1, 2))
    await ear.has(events=2)

    found = hub.replay(cursor.format(epoch=(hub.cursor or "").partition(".")[0]))

    assert found in {"unknown_cursor", "flushed"}


async def test_cursor_before_the_window_is_too_old(log: Cut, hub: EventHub, ear: Ear) -> None:
    await log.add(changes(1, 2, 3))
    await ear.has(events=3)
    hub._window.popleft()

    assert hub.replay(ear.heard[0].cursor or "") == "cursor_too_old"
    assert hub.replay(f"{(hub.cursor or '').partition('.')[0]}.0-0") == "cursor_too_old"


async def test_watcher_of_a_task_is_rung_for_it_alone(log: Cut, hub: EventHub, ear: Ear) -> None:
    with hub.watching("t_1") as rung, hub.watching("t_2") as other:
        await log.add(changes(1))
        async with asyncio.timeout(_WITHIN_S):
            await rung.wait()

        assert not other.is_set()


async def test_hub_starts_without_redis_and_says_so_when_it_is_there(log: Cut) -> None:
    log.is_down = True
    hub = EventHub(log, clock=Clock())
    ear = Ear(hub)
    hub.listen(ear)
    starting = asyncio.create_task(hub.start())
    await log.refused.wait()
    assert hub.replay("abc.1-1") == []
    log.is_down = False

    await starting
    await ear.has(resyncs=1)

    assert hub.is_connected
    await hub.stop()
