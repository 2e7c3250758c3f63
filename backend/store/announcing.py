"""Announces what the stores have changed: one queue a process, worked off in the background, in order per task.

It is a bell (lifecycle.md). What Redis could not take is lost and said to be: the log then begins a new epoch, and
every reader is told to read anew. Only the end of a task is announced until it is: `finish` writes the word `event`
into `after`, and it is pulled here when the event is in the log; the sweeper hands in what is left.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from loguru import logger
from pymongo import DESCENDING

from backend.core.clock import Clock
from backend.core.crash_points import crash_point
from backend.core.database import Database
from backend.core.event_log import Addition, EventLog
from backend.core.journal import ahead_of_journal
from backend.domain.errors import CacheUnavailableError, StoreUnavailableError
from backend.domain.log import LogLine
from backend.domain.task import FINAL_STATUSES, Lease
from backend.store.event_payloads import change_of, items_of, lines_of, progress_of
from backend.store.task_changes import announced
from backend.store.task_documents import Document

Forever = Callable[[str, Callable[[], Awaitable[object]]], Awaitable[object]]

# With ten thousand changes of a kilobyte waiting, Redis is too slow for us: reading anew is cheaper for everybody.
MAX_WAITING = 20_000
_AT_ONCE = 64
_READ_AT_ONCE = 200
_PROGRESS_EVERY_S = 0.25
_AGAIN_S = 1.0
_TRIES = 3
_LOOK_EVERY_S = 0.5
_BYTES_AT_ONCE = 1_000_000
_FLUSH_S = 1.0
_CLOCKS_APART = timedelta(seconds=10)
_MISSED_WITHIN = timedelta(seconds=60)
_MISSED_MOST = 1_000


async def _once(_name: str, work: Callable[[], Awaitable[object]]) -> None:
    await work()


class TaskAnnouncer:
    """The announcer of one process. Its calls only note what is to be told; `start` owns the task that tells it.

    `forever` runs that task's loop and survives what nobody foresaw (runner.edge.Edge.forever).
    """

    def __init__(self, database: Database, log: EventLog, *, clock: Clock, forever: Forever = _once) -> None:
        self._db = database
        self._log = log
        self._clock = clock
        self._forever = forever
        self._waiting: deque[Addition | list[str]] = deque()
        self._moved: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._has_lost = False
        self._is_silent = False
        self._progress_at = 0.0
        self._looked_at = -_LOOK_EVERY_S
        self._is_watched = False
        self._loop: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Start to announce, first what earlier starts may not have come to."""
        self._idle.clear()
        self._loop = asyncio.create_task(_awaited(self._forever("announcer", self._announce)), name="announcer")

    async def stop(self) -> None:
        """Announce what waits, within a second, then stop. Safe to call twice."""
        if self._loop is None:
            return
        try:
            async with asyncio.timeout(_FLUSH_S):
                await self.idle()
        except TimeoutError:
            logger.debug("{} changes are not announced", len(self._waiting))
        self._loop.cancel()
        await asyncio.wait({self._loop})
        self._loop = None

    async def idle(self) -> None:
        """Wait until everything but progress has been announced."""
        await self._idle.wait()

    # -- what the stores tell (task_changes.Announcer) ------------------------------------------------------------

    def changed(self, document: Document) -> None:
        """Announce the state of a task, as the update that won left it."""
        self._put(change_of(document))

    def changed_unseen(self, task_ids: Iterable[str]) -> None:
        """Announce the state of tasks whose documents are still to be read."""
        ids = list(task_ids)
        for start in range(0, len(ids), _READ_AT_ONCE):
            self._put(ids[start : start + _READ_AT_ONCE])

    def moved(self, task_ids: Iterable[str]) -> None:
        """Announce the progress of tasks; only the newest of each is shown, and not replayed."""
        had_none = not self._moved
        self._moved.update(dict.fromkeys(task_ids))
        if had_none and self._moved:
            self._wake.set()

    def lines(self, lease: Lease, lines: Sequence[LogLine]) -> None:
        """Announce lines that were stored, in their order; not replayed."""
        self._put(lines_of(lease, lines))

    def items(self, lease: Lease, *, added: int, stored: int) -> None:
        """Announce that a run has stored items; not replayed."""
        self._put(items_of(lease, added=added, stored=stored))

    def _put(self, one: Addition | list[str]) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._lose()
        self._waiting.append(one)
        self._idle.clear()
        self._wake.set()

    def _lose(self) -> None:
        # What waits is older than what makes everybody read anew: none of it is missed.
        self._waiting.clear()
        self._moved.clear()
        self._has_lost = True

    # -- in the background ----------------------------------------------------------------------------------------

    async def _announce(self) -> None:
        try:
            await self._note_missed()
        except (CacheUnavailableError, StoreUnavailableError) as error:
            logger.debug("nobody knows what an earlier start has not announced: {}", error.detail)
        while True:
            await self._wait()
            try:
                await self._announce_waiting()
                await self._announce_moved()
            except CacheUnavailableError as error:
                if not self._is_silent:
                    self._is_silent = True
                    logger.warning("Redis does not answer: changes are not announced until it does ({})", error.detail)
                self._lose()
                await asyncio.sleep(_AGAIN_S)
            except StoreUnavailableError as error:
                logger.debug("changes are announced later: {}", error.detail)
                await asyncio.sleep(_AGAIN_S)

    async def _note_missed(self) -> None:
        """Note what was changed last: a process that was killed has told nobody. What was told is refused.

        Ends are left to the sweeper. A log without a change is a new one: everybody reads anew.
        """
        last = (await self._log.look()).last
        if last.n == 0:
            return
        told_last = datetime.fromtimestamp(last.at_ms / 1000, UTC) - _CLOCKS_APART
        since = min(told_last, self._clock.now() - _MISSED_WITHIN)
        query = {"updated_at": {"$gte": since}, "status": {"$nin": sorted(status.value for status in FINAL_STATUSES)}}
        found = self._db.collection("tasks").find(query, {"_id": 1}).sort("updated_at", DESCENDING).limit(_MISSED_MOST)
        self.changed_unseen(row["_id"] for row in reversed(await self._db.do(found.to_list(None))))

    async def _wait(self) -> None:
        if self._waiting or self._has_lost:
            return
        self._idle.set()
        due_s = self._progress_at + _PROGRESS_EVERY_S - self._clock.elapsed() if self._moved else None
        try:
            async with asyncio.timeout(due_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _announce_waiting(self) -> None:
        if self._has_lost:
            # First, so that what is changed while we ask is announced after it.
            self._has_lost = False
            await self._log.renew()
            self._is_silent = False
        if self._waiting:
            await self._read_first()
            await self._add(self._taken())

    async def _read_first(self) -> None:
        """Read the tasks whose ids are at the head of the queue, and put them there."""
        first = self._waiting[0]
        if isinstance(first, list):
            rows = await self._read(first)
            if self._waiting and self._waiting[0] is first:
                self._waiting.popleft()
                self._waiting.extendleft(change_of(row) for row in reversed(rows))

    def _taken(self) -> list[Addition]:
        batch: list[Addition] = []
        size = 0
        while self._waiting and len(batch) < _AT_ONCE and size < _BYTES_AT_ONCE:
            first = self._waiting[0]
            if isinstance(first, list):
                break
            batch.append(first)
            size += len(first.payload)
            self._waiting.popleft()
        return batch

    async def _add(self, batch: Sequence[Addition]) -> None:
        if not batch:
            return
        ended = [one.subject for one in batch if one.is_final]
        if ended:
            await self._keep(batch, ended[-1])
            crash_point("before_event")
        await self._add_with_repeats(batch)
        if ended:
            crash_point("after_event")
            await self._pull(ended)

    async def _keep(self, batch: Sequence[Addition], task_id: str) -> None:
        """Wait for the journal: a cancel is written ahead of it, and an end that was told cannot be taken back."""
        try:
            await self._db.keep("tasks", task_id)
        except StoreUnavailableError:
            # What MongoDB has forgotten when it is back is told as it is then.
            self._waiting.appendleft(list(dict.fromkeys(one.subject for one in batch if one.is_kept)))
            raise

    async def _add_with_repeats(self, batch: Sequence[Addition]) -> None:
        for _ in range(_TRIES - 1):
            try:
                await self._log.add(batch)
            except CacheUnavailableError:
                # What had come through all the same is refused by its version; frames have none.
                batch = [one for one in batch if one.is_kept]
                await asyncio.sleep(_AGAIN_S)
            else:
                return
        await self._log.add(batch)

    async def _pull(self, task_ids: Sequence[str]) -> None:
        with ahead_of_journal():
            tasks = self._db.collection("tasks")
        try:
            query = {"_id": {"$in": list(task_ids)}, "after": "event"}
            await self._db.do(tasks.update_many(query, {"$pull": {"after": "event"}}))
        except StoreUnavailableError as error:
            logger.debug("the sweeper announces {} ends again: {}", len(task_ids), error.detail)

    async def _announce_moved(self) -> None:
        if not self._moved or self._clock.elapsed() - self._progress_at < _PROGRESS_EVERY_S:
            return
        self._progress_at = self._clock.elapsed()
        try:
            await self._add_moved()
        except CacheUnavailableError as error:
            # It passes: the next frame tells more.
            logger.debug("progress is not announced: {}", error.detail)
            self._moved.clear()

    async def _add_moved(self) -> None:
        if not await self._is_followed():
            self._moved.clear()
            return
        ids = list(self._moved)[:_READ_AT_ONCE]
        for task_id in ids:
            del self._moved[task_id]
        frames = [frame for row in await self._read(ids) if (frame := progress_of(row)) is not None]
        for start in range(0, len(frames), _AT_ONCE):
            await self._log.add(frames[start : start + _AT_ONCE])

    async def _is_followed(self) -> bool:
        if self._clock.elapsed() - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = self._clock.elapsed()
            self._is_watched = await self._log.is_watched()
        return self._is_watched

    async def _read(self, task_ids: Sequence[str]) -> list[Document]:
        tasks = self._db.collection("tasks")
        query = {"_id": {"$in": list(task_ids)}}
        rows: list[Document] = await self._db.do(tasks.find(query, announced()).to_list(None))
        return rows


async def _awaited(work: Awaitable[object]) -> object:
    return await work
