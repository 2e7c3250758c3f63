"""One fault under load, from the loss to the end of every task: what callers and stand-ins saw of it."""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.harness.server import STORE_CHILDREN, Server
from bench.outage.faults import Fault
from bench.outage.house import House, open_files
from bench.outage.listener import Listener
from bench.outage.load import Load
from bench.outage.probes import ROUTES, Callers, first_503_s, worst_s, wrong_successes, wrong_words

EACH = 10
_SUPPLY = 240
_CALM_S = 1.5
# Longer than the hub needs to be sure on a busy machine: two looks in vain.
_REDIS_AWAY_S = 9.0
_FENCE_MARGIN_S = 1.0
_RECOVERY_S = 60.0
_ENDS_WITHIN_S = 90.0
_FILES_WITHIN_S = 45.0
_HEALTH = ("health", "health_live", "health_ready")
_LOOK_EVERY_S = 0.1


@dataclass(slots=True)
class Outcome:
    """What one fault did. Times in s; NaN where the fault has no such time."""

    fault: str
    first_503_s: float = math.nan
    worst_answer_s: float = math.nan
    worst_health_s: float = math.nan
    worst_create_s: float = math.nan
    cancel_reached_s: float = math.nan
    health_told_s: float = math.nan
    takeover_s: float = math.nan
    recovered_s: float = math.nan
    resync_s: float = math.nan
    requests_after_fence: int = 0
    children_after_fence: int = 0
    runs_after_fence: int = 0
    paid_twice: int = 0
    files_left: int = 0
    wrong_answers: list[str] = field(default_factory=list)
    wrong_successes: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)


class Round:
    """Carries out one fault in a house."""

    def __init__(self, house: House, fault: Fault, *, each: int = EACH) -> None:
        self._house = house
        self._fault = fault
        self._each = each
        self._lost_at = 0.0
        self._healed_at = 0.0
        self.outcome = Outcome(fault.name)

    async def run(self) -> Outcome:
        """Load the servers, begin the fault, undo it, and wait for every end."""
        house, outcome = self._house, self.outcome
        # Pools breathe: what counts is more than they ever held at rest. A leak adds to it at each outage.
        files = house.most_files = max(house.most_files, self._open_files())
        load = await house.loader.begin(house.first, each=self._each)
        callers = Callers(house.first, next(iter(load.crawls)), tag=f"{self._fault.name}-{time.time_ns()}")
        await callers.start(supply=_SUPPLY)
        listener = Listener(house.first)
        listener.start()
        await asyncio.sleep(_CALM_S)
        self._lost_at = time.monotonic()
        await self._fault.begin(house.stores)
        await self._hold(load)
        self._healed_at = time.monotonic()
        await self._fault.undo(house.stores)
        await self._until_recovered()
        await callers.stop()
        await listener.stop()
        if self._fault.tells_resync:
            outcome.resync_s = listener.resync_after(self._lost_at)
        self._judge(callers)
        outcome.wrong_successes = await wrong_successes(callers, house.first)
        sums = await house.loader.end(house.first, load, within_s=_ENDS_WITHIN_S)
        outcome.lost, outcome.unbalanced, outcome.paid_twice = sums.lost, sums.unbalanced, sums.paid_twice
        outcome.files_left = await self._files_left(files)
        return outcome

    # -- while it lasts ------------------------------------------------------------------------------------------

    async def _hold(self, load: Load) -> None:
        if self._fault.store == "redis":
            await self._hold_redis()
        elif self._fault.store == "mongo" and self._fault.is_total:
            await self._hold_mongo(load)
        else:
            await asyncio.sleep(_REDIS_AWAY_S)

    async def _hold_redis(self) -> None:
        health = asyncio.create_task(self._until_health(200, "degraded"), name="health")
        if self._fault.is_total:
            self.outcome.cancel_reached_s = await self._cancel_from_afar()
        await asyncio.sleep(max(0.0, self._lost_at + _REDIS_AWAY_S - time.monotonic()))
        if self._fault.is_total:
            self.outcome.health_told_s = await health
        health.cancel()

    async def _cancel_from_afar(self) -> float:
        """Cancel on one server what the other one runs; return when nothing of it ran there any more."""
        house = self._house
        params = {"start_urls": [house.site.url(-1)], "obey_robots": False, "max_pages": 1_000}
        task_id = await house.first.create("web", params, type="site")
        runs, other = house.first, house.second
        if await _becomes(lambda: _runs(house.second, task_id), within_s=1.0):
            runs, other = other, runs
        elif not await _runs(runs, task_id):
            return math.inf
        begun = time.monotonic()
        await other.call("DELETE", f"/tasks/{task_id}")
        is_gone = await _becomes(lambda: _runs_not(runs, task_id), within_s=_RECOVERY_S)
        return time.monotonic() - begun if is_gone else math.inf

    async def _hold_mongo(self, load: Load) -> None:
        lease_s = self._house.lease_s
        running = await _running(self._house.first)
        self.outcome.health_told_s = await self._until_health(503, "down")
        # Lost at two thirds, out within another sixth; nobody else may have them before the whole of it is over.
        fenced_at = self._lost_at + lease_s * 5 / 6 + _FENCE_MARGIN_S / 2
        await asyncio.sleep(max(0.0, fenced_at - time.monotonic()))
        children = set(self._house.first.children().values()) - STORE_CHILDREN
        self.outcome.children_after_fence = len(children)
        self.outcome.runs_after_fence = len(await _running(self._house.first))
        polls = self._polls(load)
        until = self._lost_at + lease_s - _FENCE_MARGIN_S / 2
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        # Where the other server still has its MongoDB, a lease that was beaten last before the loss is over by now, and
        # what it has taken over asks in its own right.
        left = running - (await _running(self._house.second) if self._fault.is_partial else set())
        crawls = [number for task_id, number in load.crawls.items() if task_id in left]
        pages = self._house.site.asked(crawls, since=fenced_at, until=until)
        after = self._polls(load)
        self.outcome.requests_after_fence = pages + sum(after[one] - polls[one] for one in load.polls if one in left)
        if self._fault.is_partial:
            self.outcome.takeover_s = await self._until_taken_over(running)

    def _polls(self, load: Load) -> dict[str, int]:
        return {one: self._house.vendor.requests(one) for one in load.polls}

    async def _until_taken_over(self, running: set[str]) -> float:
        """Return when the other server had everything that the cut one ran (but what waits for a slot)."""
        while not await self._are_taken_over(running):
            if time.monotonic() > self._lost_at + _RECOVERY_S:
                return math.inf
            await asyncio.sleep(_LOOK_EVERY_S)
        return time.monotonic() - self._lost_at

    async def _are_taken_over(self, running: set[str]) -> bool:
        listed = await self._house.second.call("GET", "/tasks", status="running,pending", limit=200)
        left = [one for one in listed["items"] if one["task_id"] in running]
        live = await _running(self._house.second)
        return all(one["status"] == "pending" or one["task_id"] in live for one in left) and any(
            one["task_id"] in live for one in left
        )

    # -- afterwards ----------------------------------------------------------------------------------------------

    async def _until_health(self, status: int, word: str) -> float:
        give_up_at = time.monotonic() + _RECOVERY_S
        while time.monotonic() < give_up_at:
            answer = await self._house.first.request("GET", "/health", None, {}, timeout_s=10)
            if answer.status_code == status and answer.json()["status"] == word:
                return time.monotonic() - self._lost_at
            await asyncio.sleep(_LOOK_EVERY_S)
        return math.inf

    async def _until_recovered(self) -> None:
        """Wait until health is whole again and everything that should run does."""
        self.outcome.recovered_s = math.inf
        await self._until_health(200, "ok")
        while time.monotonic() < self._healed_at + _RECOVERY_S:
            counted = await self._house.first.call("GET", "/tasks", status="running,pending", limit=200)
            claimed = [one for one in counted["items"] if one["status"] == "running" or one["platform"] == "storyboard"]
            live = await _running(self._house.first) | await _running(self._house.second)
            if len(claimed) == len(counted["items"]) and all(
                one["task_id"] in live for one in claimed if one["status"] == "running"
            ):
                self.outcome.recovered_s = time.monotonic() - self._healed_at
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    def _judge(self, callers: Callers) -> None:
        outcome, answers, lost_at = self.outcome, callers.answers, self._lost_at
        others = [route.name for route in ROUTES if route.name not in _HEALTH and route.name != "wait"]
        outcome.first_503_s = first_503_s(answers, lost_at)
        outcome.worst_answer_s = worst_s(answers, lost_at, others)
        outcome.worst_health_s = worst_s(answers, lost_at, _HEALTH)
        outcome.worst_create_s = worst_s(answers, lost_at, ("create", "read", "cancel"))
        may_refuse = self._fault.store == "mongo"
        allowed = frozenset({200, 503}) if may_refuse else frozenset({200})
        outcome.wrong_answers = [f"{count} x {word}" for word, count in wrong_words(answers, allowed=allowed).items()]

    def _open_files(self) -> int:
        return open_files(self._house.first, self._house.stores.redis_proxy.port)

    async def _files_left(self, before: int) -> int:
        async def is_closed() -> bool:
            return self._open_files() <= before

        await _becomes(is_closed, within_s=_FILES_WITHIN_S)
        return max(0, self._open_files() - before)


async def _becomes(is_so: Callable[[], Awaitable[bool]], *, within_s: float) -> bool:
    """Look again and again; False when it was not so in time."""
    give_up_at = time.monotonic() + within_s
    while time.monotonic() < give_up_at:
        if await is_so():
            return True
        await asyncio.sleep(_LOOK_EVERY_S)
    return False


async def _runs(server: Server, task_id: str) -> bool:
    return task_id in await _running(server)


async def _runs_not(server: Server, task_id: str) -> bool:
    return task_id not in await _running(server)


async def _running(server: Server) -> set[str]:
    with contextlib.suppress(TimeoutError):
        answer = await server.request("GET", "/api/v1/system", None, {}, timeout_s=10)
        return set(answer.json()["data"]["live"]["tasks"])
    return set()
