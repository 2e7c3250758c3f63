"""Which fault strikes when: kills at most three seconds apart, and now and then a freeze or a held-up wire."""

import asyncio
import random
import time
from collections import Counter

from bench.chaos.fleet import Fleet
from bench.chaos.load import Load
from bench.chaos.options import LEASE_S
from bench.chaos.stores import ChaosStores, StoreName

# The shortest gap between two kills, as a share of the longest.
_LEAST_GAP = 0.7
_AGAIN_S = 0.05
_SHARES = {"server": 0.56, "mongod": 0.22, "valkey": 0.22}
_STORE_DOWN_S = (0.0, 1.0)
# Longer than the lease and the time until another server has taken the tasks over.
_SPELL_S = (LEASE_S + 4, 2 * LEASE_S + 6)
_FREEZE_EVERY_S = (12.0, 20.0)
_HOLD_EVERY_S = (2.0, 8.0)


class Storm:
    """Strikes from `strike(until)` on; `kills` counts them by what was killed."""

    def __init__(
        self, fleet: Fleet, stores: ChaosStores, tasks: Load, dice: random.Random, *, kill_every_s: float
    ) -> None:
        self.kills: Counter[str] = Counter()
        self.kill_moments: list[tuple[float, str]] = []
        self._fleet = fleet
        self._stores = stores
        self._tasks = tasks
        self._dice = dice
        self._gap_s = (_LEAST_GAP * kill_every_s, kill_every_s)

    async def strike(self, until: float) -> None:
        """Go on until the time of day `until`; then nothing is frozen or held, and both stores run."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill_on(until, group), name="storm:kill")
            group.create_task(self._freeze_on(until), name="storm:freeze")
            group.create_task(self._hold_on(until), name="storm:hold")

    async def _kill_on(self, until: float, group: asyncio.TaskGroup) -> None:
        while time.time() < until:
            # Who cannot be killed just now is not waited for: another lot is drawn at once.
            has_killed = self._has_killed(group)
            await asyncio.sleep(self._dice.uniform(*self._gap_s) if has_killed else _AGAIN_S)

    def _has_killed(self, group: asyncio.TaskGroup) -> bool:
        [kind] = self._dice.choices(list(_SHARES), list(_SHARES.values()))
        if kind == "server":
            candidates = self._fleet.up
            # Who froze or cut them all off would measure nothing.
            if len(candidates) < 2 or not (victim := self._dice.choice(candidates)).kill():
                return False
            victim_name = victim.tag
        else:
            store: StoreName = "mongod" if kind == "mongod" else "valkey"
            if not self._stores.can_die(store):
                return False
            pause_s = self._dice.uniform(*_STORE_DOWN_S)
            group.create_task(self._stores.kill(store, pause_s=pause_s), name=f"storm:{store}")
            victim_name = store
        self.kills[kind] += 1
        self.kill_moments.append((time.time(), victim_name))
        return True

    async def _freeze_on(self, until: float) -> None:
        while time.time() < until:
            await asyncio.sleep(self._dice.uniform(*_FREEZE_EVERY_S))
            if time.time() < until and len(self._fleet.up) > 1:
                await self._dice.choice(self._fleet.up).freeze(self._dice.uniform(*_SPELL_S))

    async def _hold_on(self, until: float) -> None:
        while time.time() < until:
            await asyncio.sleep(self._dice.uniform(*_HOLD_EVERY_S))
            if time.time() < until and len(self._fleet.up) > 1:
                await self._dice.choice(self._fleet.up).hold(_Passed(self._tasks, self._dice.uniform(*_SPELL_S)))


class _Passed:
    """Whether another run has taken over the task whose end is held up; True also when that takes too long."""

    def __init__(self, tasks: Load, limit_s: float) -> None:
        self._tasks = tasks
        self._limit_s = limit_s
        self._asked_at: float | None = None
        self._fence: int | None = None

    async def __call__(self, task_id: str) -> bool:
        self._asked_at = self._asked_at or time.time()
        if time.time() - self._asked_at > self._limit_s:
            return True
        if self._fence is None:
            self._fence = await self._tasks.fence_of(task_id)
            return False
        return await self._tasks.has_passed(task_id, self._fence)
