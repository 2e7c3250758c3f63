"""The caps that several servers keep together: who runs a task of a capped platform holds a slot in Redis.

Redis away, each server keeps the cap by itself: for a while more may run than the cap says, which is better than
standing still (docs/decisions/0008). What a flush forgot is there again with the next beat.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from loguru import logger

from backend.core.clock import Clock
from backend.domain.errors import CacheUnavailableError
from backend.domain.task import Task
from backend.runner.edge import Edge
from backend.store.slots import SlotBoard

# A start waits so long for Redis, once; then it goes by the server's own caps until Redis answers again.
_WITHIN_S = 2.0
_RETRY_S = 1.0
# A flush is made good so soon, however long the lease is.
_LONGEST_BEAT_S = 2.0


@dataclass(frozen=True, slots=True)
class SharedSlot:
    """A slot that a run holds. Its member, `task:fence:token`, is never used again: no late word frees another's."""

    platform: str
    member: str


class SharedSlots:
    """Takes, prolongs and gives back. `caps`: tasks at once over all servers, by platform.

    One loop sends everything but the takes, in order: a slot that was given back is not prolonged after that.
    """

    def __init__(self, board: SlotBoard, caps: Mapping[str, int], *, clock: Clock, lease_s: float) -> None:
        self._board = board
        self._caps = dict(caps)
        self._clock = clock
        self._lease_s = lease_s
        self._beat_s = min(lease_s / 3, _LONGEST_BEAT_S)
        self._held: set[SharedSlot] = set()
        self._freed: dict[SharedSlot, float] = {}
        self._asking: set[asyncio.Task[bool]] = set()
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._is_away = False
        self._on_free: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Start to prolong what is held."""
        self._loop = asyncio.create_task(Edge().forever("shared-slots", self._keep_forever), name="shared-slots")

    async def stop(self) -> None:
        """Stop, and give back what was freed; a run that is still there keeps its slot for a lease."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait({self._loop})
            self._loop = None
            if self._asking:
                await asyncio.wait(self._asking)
            if not self._is_away:
                # Without Redis they fall out by their score, and a stop waits for nobody.
                await self._told(self._give_back)

    def when_freed(self, call: Callable[[], None]) -> None:
        """Have `call` called when a slot of ours is free for all servers."""
        self._on_free = call

    @property
    def is_shared(self) -> bool:
        """Whether the caps hold over all servers now, and not for each by itself."""
        return not self._is_away

    async def take(self, task: Task) -> SharedSlot | None:
        """Take a slot for the claim of this task; None when all are taken. A platform without a cap asks nobody.

        What a caller had asked for when it was cancelled is given back, whatever came of it.
        """
        cap = self._caps.get(task.platform)
        slot = SharedSlot(task.platform, f"{task.task_id}:{task.fence + 1}:{secrets.token_hex(4)}")
        if cap is None:
            return slot
        if not self._is_away and not await self._answer(slot, cap):
            return None
        self._held.add(slot)
        return slot

    def give_back(self, slot: SharedSlot) -> None:
        """Free a slot; a second time, or of a platform without a cap, nothing happens."""
        if slot in self._held:
            self._held.discard(slot)
            self._free(slot)

    def _free(self, slot: SharedSlot) -> None:
        self._freed[slot] = self._clock.elapsed()
        self._wake.set()

    async def _answer(self, slot: SharedSlot, cap: int) -> bool:
        """Ask in a task of its own: a cancel leaves it to come to its end, after which its slot is given back."""
        asking = asyncio.create_task(self._told(lambda: self._ask(slot, cap)), name=f"slot:{slot.member}")
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(lambda _: self._free(slot))
            raise

    async def _ask(self, slot: SharedSlot, cap: int) -> bool:
        return await self._board.take(slot.platform, slot.member, cap=cap)

    async def _keep_forever(self) -> None:
        beaten_at = self._clock.elapsed()
        while True:
            await self._wait(beaten_at + self._beat_s - self._clock.elapsed())
            await self._told(self._give_back)
            if self._is_away or self._clock.elapsed() - beaten_at >= self._beat_s:
                beaten_at = self._clock.elapsed()
                await self._told(self._prolong)

    async def _wait(self, seconds: float) -> None:
        if self._is_away:
            await asyncio.sleep(_RETRY_S)
        else:
            try:
                async with asyncio.timeout(max(0.0, seconds)):
                    await self._wake.wait()
            except TimeoutError:
                pass
        self._wake.clear()

    async def _give_back(self) -> bool:
        # Older ones have fallen out by their score, and a long outage must not heap them up.
        too_old = self._clock.elapsed() - self._lease_s
        freed = [slot for slot, freed_at in self._freed.items() if freed_at > too_old]
        for platform, members in _by_platform(freed).items():
            await self._board.give_back(platform, members)
        told = set(freed)
        self._freed = {slot: at for slot, at in self._freed.items() if slot not in told and at > too_old}
        if freed:
            self._on_free()
        return True

    async def _prolong(self) -> bool:
        if self._is_away and not self._held:
            # Nothing to prolong: yet the caps are shared again only when Redis answers.
            await self._board.probe()
        for platform, members in _by_platform(self._held).items():
            await self._board.prolong(platform, members)
        if self._is_away:
            self._is_away = False
            logger.info("Redis answers again: the caps of platforms hold over all servers")
        return True

    async def _told(self, step: Callable[[], Awaitable[bool]]) -> bool:
        """Do one step within its time; True too when Redis is away: then each server goes by its own caps."""
        try:
            async with asyncio.timeout(_WITHIN_S):
                return await step()
        except (CacheUnavailableError, TimeoutError):
            if not self._is_away:
                self._is_away = True
                logger.warning("Redis does not answer: each server keeps the caps of platforms by itself")
            return True


def _by_platform(slots: Iterable[SharedSlot]) -> Mapping[str, Sequence[str]]:
    members: defaultdict[str, list[str]] = defaultdict(list)
    for slot in slots:
        members[slot.platform].append(slot.member)
    return members
