"""From the hub's events to the open streams of this process.

Every frame is made once and kept in one short log; a reader is a place in it, a socket and a time. Readers who want the
same at the same place are given the same bytes. A socket that takes nothing holds up nobody: its reader falls behind,
and when the log is left behind it is told to read anew, and dropped.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from loguru import logger
from tornado.iostream import StreamClosedError

from backend.api.stream.frames import (
    HEARTBEAT,
    SYSTEM_TOPICS,
    event_frame,
    resync_frame,
    system_frame,
    topics_of,
)
from backend.api.stream.readers import FrameLog, Made, Reader, Shown
from backend.api.stream.schemas import SystemEventData
from backend.core.clock import Clock
from backend.domain.user import Caller
from backend.services.event_hub import EventHub, Happening, ResyncReason

MAX_READERS = 2_000
HEARTBEAT_S = 15.0
_SYSTEM_EVERY_S = 5.0
_TICK_S = 1.0
# A socket that took nothing for so long has nobody behind it.
_STALLED_S = 60.0
_LAST_WORD_S = 5.0
_AGAIN_S = 1.0
_READERS_AT_ONCE = 20
_SHORTEST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.25

Pulse = Callable[[], Awaitable[SystemEventData]]


class Broadcast:
    """The open streams of one process. Its task lives as long as there is a reader; `close` ends all at once."""

    def __init__(self, hub: EventHub, pulse: Pulse, *, clock: Clock) -> None:
        self._hub = hub
        self._pulse = pulse
        self._clock = clock
        self._readers: set[Reader] = set()
        self._parting: set[asyncio.TimerHandle] = set()
        self._log = FrameLog()
        self._system = b""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._again: asyncio.TimerHandle | None = None
        self.is_closed = False
        hub.listen(self)

    # -- readers -------------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether another reader would be one too many."""
        return len(self._readers) >= MAX_READERS

    def __len__(self) -> int:
        return len(self._readers)

    async def serve(self, reader: Reader, missed: Sequence[Happening]) -> None:
        """Take a reader in, and write what it has missed; return when it goes on with all the others."""
        now = self._clock.elapsed()
        reader.position, reader.beat_at, reader.written_at = self._log.end, now + HEARTBEAT_S, now
        self._readers.add(reader)
        reader.stream.set_close_callback(lambda: self._forget(reader))
        self._start()
        await self._hub.attend()
        try:
            await self._write_missed(reader, missed)
        except (StreamClosedError, TimeoutError):
            reader.stream.close()
            return
        reader.is_replaying = False
        self._wake.set()

    async def close(self) -> None:
        """End every stream now. Safe to call twice."""
        self.is_closed = True
        for reader in list(self._readers):
            self._end(reader)
        for handle in self._parting:
            handle.cancel()
        self._parting.clear()
        if self._again is not None:
            self._again.cancel()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def part_from(self, may_stay: Callable[[Caller], bool]) -> None:
        """End the streams of those who may be here no more."""
        for reader in [one for one in self._readers if not may_stay(one.caller)]:
            self._end(reader)

    async def _write_missed(self, reader: Reader, missed: Sequence[Happening]) -> None:
        words = self._system if not SYSTEM_TOPICS.isdisjoint(reader.topics) else b""
        for start in range(0, len(missed), _READERS_AT_ONCE):
            group = missed[start : start + _READERS_AT_ONCE]
            wanted = [one for one in group if not topics_of(one).isdisjoint(reader.topics) and reader.sees(one)]
            words += b"".join(event_frame(one, reader.speech) for one in wanted)
            if words:
                async with asyncio.timeout(_STALLED_S):
                    await reader.stream.write(reader.framed(words))
            words = b""
            await asyncio.sleep(0)
        if words:
            await reader.stream.write(reader.framed(words))

    def _forget(self, reader: Reader) -> None:
        self._readers.discard(reader)
        self._wake.set()

    def _end(self, reader: Reader) -> None:
        self._readers.discard(reader)
        with contextlib.suppress(StreamClosedError):
            if reader.is_chunked:
                reader.stream.write(b"0\r\n\r\n")
        reader.stream.close()

    def _drop(self, reader: Reader) -> None:
        """Tell a reader that it was too slow, and part."""
        self._readers.discard(reader)
        words = reader.framed(resync_frame("slow_reader", self._hub.cursor))
        with contextlib.suppress(StreamClosedError):
            reader.stream.write(words + (b"0\r\n\r\n" if reader.is_chunked else b""))
        # It may take the word yet; not for long.
        loop = asyncio.get_running_loop()
        handle = loop.call_later(_LAST_WORD_S, reader.stream.close)
        self._parting.add(handle)
        reader.stream.set_close_callback(lambda: self._parted(handle))

    def _parted(self, handle: asyncio.TimerHandle) -> None:
        handle.cancel()
        self._parting.discard(handle)

    # -- the hub's listener --------------------------------------------------------------------------------------

    @property
    def is_listening(self) -> bool:
        """Whether there is a reader."""
        return bool(self._readers)

    def on_event(self, happening: Happening) -> None:
        """Show an event."""
        if self._readers:
            self._show(Shown(topics_of(happening), happening))

    def on_resync(self, reason: ResyncReason) -> None:
        """Have every reader read anew."""
        self._show(Shown(None, words=resync_frame(reason, self._hub.cursor)))

    def _show(self, entry: Shown) -> None:
        self._log.add(entry)
        self._wake.set()

    # -- the pump ------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._task is None and not self.is_closed:
            self._task = asyncio.create_task(self._run(), name="streams")
            self._task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._task = None if self._task is task else self._task
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.opt(exception=error).error("the streams stopped; they go on")
            self._again = asyncio.get_running_loop().call_later(_AGAIN_S, self._start)
        elif self._readers:
            self._start()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            pulse = group.create_task(self._tell_system(), name="stream-pulse")
            await self._pump()
            pulse.cancel()

    async def _pump(self) -> None:
        while self._readers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._wake.wait()
            self._wake.clear()
            started = self._clock.elapsed()
            await self._write_round()
            took_s = self._clock.elapsed() - started
            # With many readers a round costs: then fewer, larger ones, and time for everything else.
            await asyncio.sleep(min(_LONGEST_PAUSE_S, max(_SHORTEST_PAUSE_S, 4 * took_s)))

    async def _write_round(self) -> None:
        made: Made = {}
        for number, reader in enumerate(list(self._readers), 1):
            # One that has left meanwhile is in the list, and not in the set.
            if reader in self._readers:
                self._advance(reader, made)
            if number % _READERS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _advance(self, reader: Reader, made: Made) -> None:
        now = self._clock.elapsed()
        if reader.is_busy:
            if reader.position < self._log.start or now - reader.written_at > _STALLED_S:
                self._drop(reader)
            return
        words = self._heartbeat(reader, now) + self._news(reader, made)
        if words:
            self._write(reader, words, now)

    def _heartbeat(self, reader: Reader, now: float) -> bytes:
        if now < reader.beat_at:
            return b""
        reader.beat_at = now + HEARTBEAT_S
        return reader.framed(HEARTBEAT)

    def _news(self, reader: Reader, made: Made) -> bytes:
        if reader.position < self._log.start:
            # It takes what it is given; it was we who could not write all that came.
            reader.position = self._log.end
            return reader.framed(resync_frame("cursor_too_old", self._hub.cursor))
        if reader.position == self._log.end:
            return b""
        key = (reader.wants, reader.position)
        if key not in made:
            made[key] = self._log.read(reader)
        news, reader.position = made[key]
        if reader.position < self._log.end:
            self._wake.set()
        return news

    def _write(self, reader: Reader, words: bytes, now: float) -> None:
        reader.written_at = now
        try:
            reader.writing = asyncio.ensure_future(reader.stream.write(words))
        except StreamClosedError:
            self._forget(reader)
            return
        if not reader.writing.done():
            reader.writing.add_done_callback(lambda _: self._wake.set())

    async def _tell_system(self) -> None:
        while True:
            said = system_frame(await self._pulse())
            if said != self._system:
                self._system = said
                self._show(Shown(SYSTEM_TOPICS, words=said))
            await asyncio.sleep(_SYSTEM_EVERY_S)
