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
_LEAST_GAP = 0.6
# How much of it may be spent on waiting for a server that can be killed.
_WAIT_SHARE = 0.25
_AGAIN_S = 0.05
_SHARES = {"server": 0.64, "mongod": 0.18, "valkey": 0.18}
_STORE_DOWN_S = (0.0, 0.5)
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
        # Ends that arrived while another run had the task: what the fence is for.
        self.late_ends = 0
        self.kill_moments: list[tuple[float, str]] = []
        self._fleet = fleet
        self._stores = stores
        self._tasks = tasks
        self._dice = dice
        self._kill_every_s = kill_every_s
        self._gap_s = (_LEAST_GAP * kill_every_s, (1 - _WAIT_SHARE) * kill_every_s)

    async def strike(self, until: float) -> None:
        """Go on until the time of day `until`; then nothing is frozen or held, and both stores run."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill_on(until, group), name="storm:kill")
            group.create_task(self._freeze_on(until), name="storm:freeze")
            group.create_task(self._hold_on(until), name="storm:hold")

    async def _kill_on(self, until: float, group: asyncio.TaskGroup) -> None:
        while time.time() < until:
            await asyncio.sleep(self._dice.uniform(*self._gap_s))
            [kind] = self._dice.choices(list(_SHARES), list(_SHARES.values()))
            # A store that dies in a server's stead, again and again, lets nothing start: a server is waited for.
            if kind == "server" and await self._has_spare_server(_WAIT_SHARE * self._kill_every_s):
                self._kill_server()
            else:
                self._kill_store("mongod" if kind == "mongod" else "valkey", group)

    async def _has_spare_server(self, within_s: float) -> bool:
        give_up_at = time.time() + within_s
        # Who froze or killed them all would measure nothing. (Processes tell nobody when they are up.)
        while (is_none := len(self._fleet.up) < 2) and time.time() < give_up_at:  # noqa: ASYNC110
            await asyncio.sleep(_AGAIN_S)
        return not is_none

    def _kill_server(self) -> None:
        victim = self._dice.choice(self._fleet.up)
        if victim.kill():
            self._note("server", victim.tag)

    def _kill_store(self, drawn: StoreName, group: asyncio.TaskGroup) -> None:
        other: StoreName = "valkey" if drawn == "mongod" else "mongod"
        found = next((name for name in (drawn, other) if self._stores.can_die(name)), None)
        if found is not None:
            kill = self._stores.kill(found, pause_s=self._dice.uniform(*_STORE_DOWN_S))
            group.create_task(kill, name=f"storm:{found}")
            self._note(found, found)

    def _note(self, kind: str, victim: str) -> None:
        self.kills[kind] += 1
        self.kill_moments.append((time.time(), victim))

    async def _freeze_on(self, until: float) -> None:
        while time.time() < until:
            await asyncio.sleep(self._dice.uniform(*_FREEZE_EVERY_S))
            if await self._has_spare_server(until - time.time()):
                await self._dice.choice(self._fleet.up).freeze(self._dice.uniform(*_SPELL_S))

    async def _hold_on(self, until: float) -> None:
        while time.time() < until:
            await asyncio.sleep(self._dice.uniform(*_HOLD_EVERY_S))
            if await self._has_spare_server(until - time.time()):
                passed = _Passed(self._tasks, self._dice.uniform(*_SPELL_S))
                await self._dice.choice(self._fleet.up).hold(passed)
                self.late_ends += passed.is_so


class _Passed:
    """Whether another run has taken over the task whose end is held up; True also when that takes too long."""

    def __init__(self, tasks: Load, limit_s: float) -> None:
        self._tasks = tasks
        self.is_so = False
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
        standing = await self._tasks.standing(task_id, self._fence)
        self.is_so = standing == "passed"
        return standing != "same"
