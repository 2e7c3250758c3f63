"""Servers whose Redis is away: cancels by the beat, caps for each by itself, and all as before when it is back."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.harness.cuts import Target, until
from bench.harness.server import Server
from bench.harness.stage_plan import crawls, until_visited, videos
from bench.several.fleet import CAP, Fleet, all_ended, holders_of

_LOOK_EVERY_S = 0.02
_BACK_WITHIN_S = 20.0
_CRAWLS = 5


@dataclass(slots=True)
class Deaf:
    """`cancels_ms`: from DELETE at another server to the end, Redis away. The rest are counts."""

    cancels_ms: list[float] = field(default_factory=list)
    most_open_away: int = 0
    most_open_back: int = 0
    not_degraded: int = 0
    problems: list[str] = field(default_factory=list)


async def measure_deaf(fleet: Fleet, servers: Sequence[Server], rounds: int) -> Deaf:
    """Take Redis away, cancel and create, bring it back and see the caps hold again."""
    found = Deaf()
    for _ in range(rounds):
        await _cancel_deaf(fleet, servers, found)
    await _fill_deaf(fleet, servers, found)
    return found


async def _cancel_deaf(fleet: Fleet, servers: Sequence[Server], found: Deaf) -> None:
    fleet.vendor.behave()
    visits = await crawls(fleet, servers[0], "headers", _CRAWLS)
    await until_visited(visits, "headers")
    sleeping = await videos(fleet, servers[0], CAP)
    for target in sleeping:
        await until(partial(fleet.vendor.polls, target.task_id), f"a poll of {target.task_id}")
    targets = [*sleeping, *(visited.target for visited in visits)]
    holders = await holders_of(servers, targets)
    fleet.lose_redis()
    found.not_degraded += sum([(await _health(server))["status"] != "degraded" for server in servers])
    others = [next(one for one in servers if one is not holders[target.task_id]) for target in targets]
    found.cancels_ms += await asyncio.gather(*(_cut(*pair) for pair in zip(others, targets, strict=True)))
    fleet.regain_redis()
    await _until_well(servers, found)


async def _fill_deaf(fleet: Fleet, servers: Sequence[Server], found: Deaf) -> None:
    """Start more videos than the cap while Redis is away, then again when it is back."""
    fleet.vendor.behave()
    fleet.lose_redis()
    made = [target for server in servers for target in await videos(fleet, server, CAP)]
    await until(lambda: fleet.vendor.job_count >= CAP, "videos without Redis")
    await asyncio.sleep(2.0)
    found.most_open_away = fleet.vendor.open_jobs
    fleet.regain_redis()
    await _until_well(servers, found)
    await _end(servers, made)
    fleet.vendor.behave()
    made = [target for server in servers for target in await videos(fleet, server, CAP)]
    await until(lambda: fleet.vendor.job_count >= CAP, "videos with Redis")
    await asyncio.sleep(2.0)
    found.most_open_back = fleet.vendor.open_jobs
    await _end(servers, made)


async def _end(servers: Sequence[Server], targets: Sequence[Target]) -> None:
    await asyncio.gather(*(servers[0].call("DELETE", f"/tasks/{target.task_id}") for target in targets))
    await all_ended(servers[0], [target.task_id for target in targets])


async def _cut(server: Server, target: Target) -> float:
    begun = time.perf_counter()
    record = await server.call("DELETE", f"/tasks/{target.task_id}")
    while not record["is_final"]:
        await asyncio.sleep(_LOOK_EVERY_S)
        record = await server.record(target.task_id)
    return (time.perf_counter() - begun) * 1000


async def _until_well(servers: Sequence[Server], found: Deaf) -> None:
    give_up_at = time.monotonic() + _BACK_WITHIN_S
    for server in servers:
        while (health := await _health(server))["components"]["redis"]["state"] != "ok":
            if time.monotonic() > give_up_at:
                found.problems.append(f"/health: {health}")
                return
            await asyncio.sleep(10 * _LOOK_EVERY_S)
    # One beat of the slots, so that each server has noticed.
    await asyncio.sleep(2.5)


async def _health(server: Server) -> dict[str, Any]:
    answer = (await server.request("GET", "/health", None, {}, timeout_s=_BACK_WITHIN_S)).json()
    health: dict[str, Any] = answer.get("data", answer)
    return health
