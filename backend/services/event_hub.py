"""What happens to tasks, for this process: one subscription, a window of the latest changes, and who listens.

The window is the end of the log in memory, so a reader who comes back is answered from here, and what it missed and
what comes next cannot overlap or leave a gap. After Redis was away the log is read on where it was left, or from its
end when it is another one; either way every listener is told of a resync, since what is told in passing was lost.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Literal, Protocol

from loguru import logger

from backend.core.clock import Clock
from backend.core.event_log import KEPT, EventLog, EventSubscription, Position, Tail, Told
from backend.domain.errors import CacheUnavailableError
from backend.domain.event import TaskChanged, TaskEvent
from backend.store.event_payloads import event_of

Forever = Callable[[str, Callable[[], Awaitable[object]]], Awaitable[object]]
ResyncReason = Literal["cursor_too_old", "unknown_cursor", "slow_reader", "flushed"]

_LOOK_EVERY_S = 1.0
# One look in vain is a machine out of breath; a connection that was cut says so by itself.
_LOOKS_IN_VAIN = 2
_AGAIN_S = 0.5
_FIRST_TOUCH_S = 3.0
_EPOCHS_KNOWN = 8


class Happening:
    """One event. `frames` is for whoever shows it: made once, for all readers."""

    __slots__ = ("_event", "_maker", "_told", "frames")

    def __init__(self, told: Told) -> None:
        self._told = told
        self._event: TaskEvent | None = None
        self._maker: str | None = None
        self.frames: dict[str, bytes] = {}

    @property
    def event(self) -> TaskEvent:
        """What happened; read from its bytes when somebody asks."""
        if self._event is None:
            self._event = event_of(self._told.subject, self._told.payload)
        return self._event

    @property
    def maker(self) -> str | None:
        """Who made the task that changed; None for what is told in passing."""
        if self._maker is None:
            event = self.event
            self._maker = event.task.created_by if isinstance(event, TaskChanged) else ""
            if self.frames:
                self.let_go()
        return self._maker or None

    def let_go(self) -> None:
        """Keep the bytes only: read, an event takes ten times as many blocks of memory, and thousands are kept."""
        self._event = None

    @property
    def task_id(self) -> str:
        """The task it happened to."""
        return self._told.subject

    @property
    def size_bytes(self) -> int:
        """Of what was told; shown, it is about as long."""
        return len(self._told.payload)

    @property
    def position(self) -> Position | None:
        """Its place in the log; None when it is not replayed."""
        return self._told.position

    @property
    def cursor(self) -> str | None:
        """What a reader gives to go on after it; None when it is not replayed."""
        return None if self._told.position is None else _cursor(self._told.epoch, self._told.position)


class Listener(Protocol):
    """Is told everything, at once and in order."""

    @property
    def is_listening(self) -> bool:
        """Whether passing frames are of use now."""

    def on_event(self, happening: Happening) -> None:
        """Take an event."""

    def on_resync(self, reason: ResyncReason) -> None:
        """Take note that something may have been lost: `cursor` of the hub is where it goes on."""


async def _once(_name: str, work: Callable[[], Awaitable[object]]) -> None:
    await work()


class EventHub:
    """The hub of one process; `start` owns the task that hears. `forever` survives what nobody foresaw."""

    def __init__(self, log: EventLog, *, clock: Clock, forever: Forever = _once) -> None:
        self._log = log
        self._clock = clock
        self._forever = forever
        self._epoch = ""
        self._left_epochs: deque[str] = deque(maxlen=_EPOCHS_KNOWN)
        self._last = Position()
        self._window: deque[Happening] = deque(maxlen=KEPT)
        self._listeners: list[Listener] = []
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._is_connected = False
        self._looked_at = 0.0
        self._behind_since = 0
        self._in_vain = 0
        self._touched = asyncio.Event()
        self._loop: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Start to hear; wait a moment for the first touch with Redis, but not for ever."""
        self._loop = asyncio.create_task(_awaited(self._forever("event-hub", self._follow)), name="event-hub")
        try:
            async with asyncio.timeout(_FIRST_TOUCH_S):
                await self._touched.wait()
        except TimeoutError:
            logger.warning("Redis does not answer: the stream begins when it does")

    async def stop(self) -> None:
        """Stop hearing. Safe to call twice."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.cancel()
            await asyncio.wait({loop})
        self._is_connected = False

    # -- for readers -----------------------------------------------------------------------------------------------

    @property
    def cursor(self) -> str | None:
        """Where the events are now; None while Redis is down. To be read before what it is to go with."""
        return _cursor(self._epoch, self._last) if self._is_connected else None

    @property
    def is_connected(self) -> bool:
        """Whether events come: else a reader has to look for itself."""
        return self._is_connected

    def listen(self, listener: Listener) -> None:
        """Tell `listener` everything from now on."""
        self._listeners.append(listener)

    async def attend(self) -> None:
        """Let every process know, without waiting for the next look, that passing frames are followed."""
        try:
            await self._log.watch()
        except CacheUnavailableError as error:
            logger.debug("nobody knows that progress is followed: {}", error.detail)

    def replay(self, cursor: str) -> list[Happening] | ResyncReason:
        """Return the changes after `cursor`, or why they cannot be told. A hub that never heard yet has none."""
        epoch, _, place = cursor.partition(".")
        if not self._epoch:
            return []
        try:
            position = Position.read(place)
        except ValueError:
            return "unknown_cursor"
        if epoch != self._epoch:
            return "flushed"
        return self._since(position)

    @contextmanager
    def watching(self, task_id: str) -> Iterator[asyncio.Event]:
        """Set the event at whatever happens to this task, or may have; the caller clears it before it looks."""
        rung = asyncio.Event()
        self._watchers.setdefault(task_id, set()).add(rung)
        try:
            yield rung
        finally:
            left = self._watchers[task_id]
            left.discard(rung)
            if not left:
                del self._watchers[task_id]

    def ring_all(self) -> None:
        """Have everybody who watches a task look again."""
        self._ring(self._watchers)

    def _since(self, position: Position) -> list[Happening] | ResyncReason:
        if position == self._last:
            return []
        if position.n >= self._last.n:
            return "unknown_cursor"
        first = self._window[0].position if self._window else None
        if first is None or position.n < first.n - (position.n == 0):
            return "cursor_too_old"
        if position.n == 0:
            return list(self._window)
        index = position.n - first.n
        if self._window[index].position != position:
            return "unknown_cursor"
        return list(islice(self._window, index + 1, None))

    # -- hearing ---------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            try:
                async with self._log.subscription() as heard:
                    await self._catch_up()
                    await self._hear(heard)
            except CacheUnavailableError as error:
                if self._is_connected:
                    logger.warning("Redis does not answer: the stream waits for it ({})", error.detail)
                self._is_connected = False
            await asyncio.sleep(_AGAIN_S)

    async def _catch_up(self) -> None:
        """Go on where the log was left. Lines and progress have passed meanwhile: everybody reads anew."""
        if not self._epoch:
            self._begin(await self._log.tail(limit=KEPT))
        elif await self._fill():
            self._is_connected = True
            self._tell_resync()
        self._in_vain = 0
        self._touched.set()

    async def _fill(self) -> bool:
        """Take what was missed since the last change we know; False when that cannot be done: then begin anew."""
        tail = await self._log.after(self._last, limit=KEPT)
        if tail is None or tail.epoch != self._epoch:
            self._begin(await self._log.tail(limit=KEPT))
            return False
        for told in tail.changes:
            self._add(told)
        return True

    def _begin(self, tail: Tail) -> None:
        left = [one for one in (*self._left_epochs, self._epoch) if one != tail.epoch]
        self._left_epochs = deque(left, maxlen=_EPOCHS_KNOWN)
        self._epoch, self._last, self._behind_since = tail.epoch, tail.last, 0
        self._window.clear()
        self._window.extend(Happening(one) for one in tail.changes)
        self._is_connected = True
        self._tell_resync()

    def _tell_resync(self) -> None:
        for listener in self._listeners:
            listener.on_resync("flushed")
        self._ring(self._watchers)

    async def _hear(self, heard: EventSubscription) -> None:
        while True:
            left_s = self._looked_at + _LOOK_EVERY_S - self._clock.elapsed()
            if left_s <= 0:
                await self._look_or_bear_it()
                left_s = _LOOK_EVERY_S
            for told in await heard.next(timeout_s=left_s):
                await self._take(told)

    async def _look_or_bear_it(self) -> None:
        try:
            await self._look()
            self._in_vain = 0
        except CacheUnavailableError:
            self._in_vain += 1
            if self._in_vain >= _LOOKS_IN_VAIN:
                raise

    async def _look(self) -> None:
        """See that Redis answers, that nothing was flushed or lost, and let progress be told if it is followed."""
        self._looked_at = self._clock.elapsed()
        if self._watchers or any(one.is_listening for one in self._listeners):
            await self._log.watch()
        tail = await self._log.look()
        if tail.epoch != self._epoch or tail.last.n < self._last.n:
            self._begin(await self._log.tail(limit=KEPT))
        elif 0 < self._behind_since <= tail.last.n and self._last.n < self._behind_since:
            # It was there a second ago and has not come.
            await self._fill()
        self._behind_since = tail.last.n if tail.last.n > self._last.n else 0

    async def _take(self, told: Told) -> None:
        if told.epoch in self._left_epochs:
            # It was still in the socket when a look saw the new epoch.
            return
        if told.epoch != self._epoch:
            self._begin(await self._log.tail(limit=KEPT))
        elif told.position is None:
            # The word of an epoch that we know already has no subject.
            if told.subject:
                self._tell(Happening(told))
        elif told.position.n == self._last.n + 1:
            self._add(told)
        elif told.position.n > self._last.n:
            await self._fill()

    def _add(self, told: Told) -> None:
        if told.position is None or told.position.n <= self._last.n:
            return
        self._last = told.position
        happening = Happening(told)
        self._window.append(happening)
        self._tell(happening)

    def _tell(self, happening: Happening) -> None:
        for listener in self._listeners:
            listener.on_event(happening)
        if happening.task_id in self._watchers:
            self._ring((happening.task_id,))

    def _ring(self, task_ids: Iterable[str]) -> None:
        for task_id in task_ids:
            for rung in self._watchers[task_id]:
                rung.set()


def _cursor(epoch: str, position: Position) -> str:
    return f"{epoch}.{position}"


async def _awaited(work: Awaitable[object]) -> object:
    return await work
