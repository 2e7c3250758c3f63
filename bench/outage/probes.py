"""Callers of every route, all the time: how long they wait, and whether what they are told is true."""

import asyncio
import itertools
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from bench.harness.server import Server

_EVERY_S = 0.5
_AT_ONCE = 8
_OK = 200
_UNAVAILABLE = 503
_GIVES_UP_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One call and what came of it. `status` 0: no answer. Times are of the monotonic clock."""

    route: str
    begun: float
    ended: float
    status: int
    name: str = ""
    retry_after: str = ""
    key: str = ""
    task_id: str = ""

    def waited_s(self, lost_at: float) -> float:
        """How long the caller waited after both the call and the loss."""
        return self.ended - max(self.begun, lost_at)


@dataclass(frozen=True, slots=True)
class Route:
    """One call that is made again and again; `{new}` is a task made in advance, used up by the call."""

    name: str
    method: str
    path: str

    @property
    def needs_store(self) -> bool:
        """Whether it cannot be answered without MongoDB."""
        return not self.name.startswith(("health", "platforms", "system"))


ROUTES = (
    Route("create", "POST", "/api/v1/tasks"),
    Route("cancel", "DELETE", "/api/v1/tasks/{new}"),
    Route("read", "GET", "/api/v1/tasks/{old}"),
    Route("wait", "GET", "/api/v1/tasks/{old}?wait=10&until=final"),
    Route("list", "GET", "/api/v1/tasks?facets=1"),
    Route("items", "GET", "/api/v1/tasks/{old}/items"),
    Route("pages", "GET", "/api/v1/tasks/{old}/pages"),
    Route("artifacts", "GET", "/api/v1/tasks/{old}/artifacts"),
    Route("logs", "GET", "/api/v1/tasks/{old}/logs"),
    Route("history", "GET", "/api/v1/tasks/{old}/history"),
    Route("start", "POST", "/api/v1/tasks/{new}/start"),
    Route("platforms", "GET", "/api/v1/platforms"),
    Route("system", "GET", "/api/v1/system"),
    Route("health", "GET", "/health"),
    Route("health_live", "GET", "/health/live"),
    Route("health_ready", "GET", "/health/ready"),
)


class Callers:
    """One caller for each route of a server, from `start` to `stop`. `old` is a task they read."""

    def __init__(self, server: Server, old: str, *, tag: str, routes: Sequence[Route] = ROUTES) -> None:
        self._server = server
        self._old = old
        self._tag = tag
        self._routes = routes
        self._new: Iterator[str] = iter(())
        self._callers: list[asyncio.Task[None]] = []
        self._keys = (f"{tag}-{number}" for number in itertools.count())
        self._is_over = False
        self.answers: list[Answer] = []

    async def start(self, *, supply: int) -> None:
        """Make `supply` held tasks to cancel and to start, then begin to call."""
        made = [await self._server.create("web", _PARAMS, **_HELD, labels=["supply"]) for _ in range(supply)]
        # More than are used; should they run out, a second cancel of one is no wrong question either.
        self._new = itertools.cycle(made)
        self._callers = [
            asyncio.create_task(self._call_forever(one), name=f"caller:{one.name}") for one in self._routes
        ]

    async def stop(self) -> None:
        """Call no more, and wait for the answers still to come."""
        self._is_over = True
        await asyncio.gather(*self._callers)

    async def _call_forever(self, route: Route) -> None:
        while not self._is_over:
            self.answers.append(await self.call(route))
            await asyncio.sleep(_EVERY_S)

    async def call(self, route: Route, *, key: str = "") -> Answer:
        """Make one call."""
        new = next(self._new) if "{new}" in route.path else ""
        key = key or (next(self._keys) if route.name == "create" else "")
        body = {"platform": "web", "params": _PARAMS, **_HELD, "labels": [key]} if key else None
        headers = {"Idempotency-Key": key} if key else {}
        begun = time.monotonic()
        try:
            path = route.path.format(new=new, old=self._old)
            answer = await self._server.request(route.method, path, body, headers, timeout_s=_GIVES_UP_S)
        except httpx.HTTPError:
            return Answer(route.name, begun, time.monotonic(), 0, key=key, task_id=new)
        ended, told = time.monotonic(), answer.json()
        return Answer(
            *(route.name, begun, ended, answer.status_code),
            name=(told.get("error") or {}).get("name", ""),
            retry_after=answer.headers.get("Retry-After", ""),
            key=key,
            task_id=new or (told.get("data") or {}).get("task_id", ""),
        )


# Nobody listens there: whoever is started ends at once.
_PARAMS: dict[str, Any] = {"urls": ["http://127.0.0.1:9/"], "obey_robots": False}
_HELD: dict[str, Any] = {"type": "page", "start": "manual"}


def worst_s(answers: Sequence[Answer], lost_at: float, names: Sequence[str] = ()) -> float:
    """Return the longest wait of a caller who was answered after the loss; 0 when there was none."""
    waits = [one.waited_s(lost_at) for one in answers if one.ended >= lost_at and (not names or one.route in names)]
    return max(waits, default=0.0)


def first_503_s(answers: Sequence[Answer], lost_at: float) -> float:
    """Return when the first caller was told that the store is away; NaN when none was."""
    ends = [one.ended - lost_at for one in answers if one.status == _UNAVAILABLE and one.name and one.ended >= lost_at]
    return min(ends, default=math.nan)


def wrong_words(answers: Sequence[Answer], *, allowed: frozenset[int]) -> Counter[str]:
    """Count the answers of routes other than health that are not of these statuses, or lack what a 503 must say."""
    found: Counter[str] = Counter()
    for one in answers:
        if one.route.startswith("health"):
            continue
        is_whole = one.status != _UNAVAILABLE or (one.name == "STORE_UNAVAILABLE" and one.retry_after.isdigit())
        if one.status not in allowed or not is_whole:
            found[f"{one.route} {one.status} {one.name}"] += 1
    return found


async def wrong_successes(callers: Callers, server: Server) -> list[str]:
    """Return what callers were told and is not so; every create that was refused is asked for again by its key."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def check(one: Answer) -> str:
        async with turn:
            if one.route == "create" and one.key:
                return await _untrue_create(one, callers, server)
            if one.route == "cancel" and one.status == _OK:
                return await _untrue_cancel(one, server)
            return ""

    found = await asyncio.gather(*(check(one) for one in callers.answers))
    return [one for one in found if one]


async def _untrue_create(one: Answer, callers: Callers, server: Server) -> str:
    again = await callers.call(ROUTES[0], key=one.key)
    told = one.task_id if one.status == _OK else again.task_id
    if again.status != _OK or again.task_id != told:
        return f"create {one.key}: told {one.status} {told}, again {again.status} {again.task_id}"
    listed = await server.call("GET", "/tasks", label=one.key)
    count = len(listed["items"])
    return "" if count == 1 else f"create {one.key}: {count} tasks of one key"


async def _untrue_cancel(one: Answer, server: Server) -> str:
    record = await server.record(one.task_id)
    return "" if record["status"] == "cancelled" else f"cancel {one.task_id}: told 200, is {record['status']}"
