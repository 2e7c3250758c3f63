"""How many tasks may run here at once: in all, of one kind, of one platform.

Other servers on the same stores have caps of their own in all and by kind: those protect this process's memory and
loop. A platform's cap protects the other side, so `shared_slots` keeps it over all servers besides.
"""

import asyncio
import bisect
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backend.domain.platform import PlatformInfo
from backend.domain.task import TaskKind


@dataclass(slots=True, eq=False)
class Turn:
    """A place in the queue for a slot, kept when it is asked for again; `came` is set when the slot is there."""

    platform: str
    number: int
    came: asyncio.Event = field(default_factory=asyncio.Event)


class Slots:
    """Caps counted in this process; a task without a slot stays `pending` in MongoDB, not as a coroutine."""

    def __init__(
        self, platforms: Sequence[PlatformInfo], *, total: int, by_kind: Mapping[TaskKind, int] | None = None
    ) -> None:
        self.total = total
        self._platforms = {one.id: one for one in platforms}
        self._by_kind = dict(by_kind or {})
        self._used: Counter[str] = Counter()
        self._shut: set[str] = set()
        self._queue: list[Turn] = []
        self._numbers = itertools.count()

    @property
    def platforms(self) -> list[str]:
        """Every platform there is here."""
        return list(self._platforms)

    @property
    def used(self) -> int:
        """How many slots are taken."""
        return sum(self._used.values())

    @property
    def free(self) -> int:
        """How many slots of the whole are left."""
        return max(0, self.total - self.used)

    def has_free(self, platform: str) -> bool:
        """Whether a task of this platform could take a slot now."""
        info = self._platforms.get(platform)
        if info is None or self.free == 0 or platform in self._shut:
            return False
        if info.max_running is not None and self._used[platform] >= info.max_running:
            return False
        cap = self._by_kind.get(info.kind)
        return cap is None or self._used_by(info.kind) < cap

    def take(self, platform: str) -> bool:
        """Take a slot; False when none is free."""
        if not self.has_free(platform):
            return False
        self._used[platform] += 1
        return True

    def release(self, platform: str) -> None:
        """Give a slot back; whoever queues for it has it at once, before any new task."""
        self._used[platform] -= 1
        self._serve()

    def new_turn(self, platform: str) -> Turn:
        """Return the next place in the queue; `queue` takes it."""
        return Turn(platform, next(self._numbers))

    def queue(self, turn: Turn) -> None:
        """Wait for a slot in this turn: it is taken for the turn as soon as there is one, maybe now."""
        turn.came.clear()
        bisect.insort(self._queue, turn, key=lambda one: one.number)
        self._serve()

    def leave(self, turn: Turn) -> bool:
        """Leave the queue; True when the slot had come, and is the caller's now."""
        if turn.came.is_set():
            return True
        self._queue.remove(turn)
        return False

    def shut(self, platform: str) -> None:
        """Count this platform as full: all servers together have taken its slots."""
        self._shut.add(platform)

    def reopen(self) -> None:
        """Ask anew for every platform that was shut: a slot may have come free somewhere."""
        self._shut.clear()
        self._serve()

    def open_platforms(self) -> list[str]:
        """Return the platforms that have a free slot."""
        return [name for name in self._platforms if self.has_free(name)]

    def plan(self) -> "Slots":
        """Return a copy to reckon with: what would still fit beside what runs."""
        made = Slots(list(self._platforms.values()), total=self.total, by_kind=self._by_kind)
        made._used = self._used.copy()
        made._shut = self._shut.copy()
        return made

    def _serve(self) -> None:
        for turn in list(self._queue):
            if self.take(turn.platform):
                self._queue.remove(turn)
                turn.came.set()

    def _used_by(self, kind: TaskKind) -> int:
        return sum(count for name, count in self._used.items() if self._platforms[name].kind is kind)
