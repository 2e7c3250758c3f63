"""Cancels that reach another server than the one that works, at every stage of the work."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from typing import Any

from bench.harness.cuts import Target, until
from bench.harness.server import Server
from bench.harness.site import Manner
from bench.harness.stage_plan import crawl, crawls, film, until_visited, video, videos
from bench.several.fleet import Fleet, holders_of

_LOOK_EVERY_S = 0.004
_WAIT_S = 20
_SETTLED_S = 0.1
_CLAIM_TAKES_S = 0.006
_SPREAD_S = 0.3
_SUBMIT_TAKES_S = 0.3
_AT_ONCE = 10
_HEAVY_AT_ONCE = 2
_NEVER = 1_000_000


@dataclass(slots=True)
class Afar:
    """The cancels of one stage. `read_ms`: DELETE without wait, then reading until the end; `told_ms`: DELETE ?wait."""

    name: str
    read_ms: list[float] = field(default_factory=list)
    told_ms: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    requests_after: int = 0


@dataclass(frozen=True, slots=True)
class _Cancel:
    """One target, who cancels it, what it may rightly wait for, and whether the caller waits with DELETE."""

    target: Target
    by: Server
    is_told: bool
    added_ms: float = 0.0


Reach = Callable[[Fleet, Sequence[Server], int], Awaitable[list[Target]]]


async def measure_stage(fleet: Fleet, servers: Sequence[Server], name: str, *, count: int, told: int) -> Afar:
    """Cancel `count` tasks by reading and `told` more by DELETE ?wait, all at servers that do not run them."""
    stage = Afar(name)
    left = count + told
    while left > 0:
        batch = min(left, _HEAVY_AT_ONCE if name in {"storing", "rendering"} else _AT_ONCE)
        targets = await STAGES[name](fleet, servers, batch)
        holders = await holders_of(servers, targets)
        turn = cycle(range(len(servers) - 1))
        for target in targets:
            others = [server for server in servers if server is not holders[target.task_id]]
            is_told = len(stage.told_ms) < told and len(stage.read_ms) > len(stage.told_ms)
            await _cut(stage, _Cancel(target, others[next(turn)], is_told))
        left -= len(targets)
    return stage


async def measure_claiming(fleet: Fleet, servers: Sequence[Server], *, count: int) -> Afar:
    """Cancel tasks at another server in the very moment in which they are claimed."""
    stage = Afar("claiming")
    for number in range(count):
        visited = await crawl(fleet, servers[0], "headers")
        await asyncio.sleep(fleet.dice.uniform(0, _CLAIM_TAKES_S))
        await _cut(stage, _Cancel(visited.target, servers[1 + number % (len(servers) - 1)], is_told=False))
    return stage


async def measure_in_submit(fleet: Fleet, servers: Sequence[Server], *, count: int) -> Afar:
    """Cancel at another server while the submit is on its way: its answer is waited for, and counts apart."""
    stage = Afar("in_submit")
    fleet.vendor.behave("submit", "late", seconds=_SUBMIT_TAKES_S)
    for number in range(count):
        target = await video(fleet, servers[0])
        await until(partial(fleet.vendor.submits, target.task_id), f"the submit of {target.task_id}")
        answered_at = time.perf_counter() + _SUBMIT_TAKES_S
        holder = (await holders_of(servers, [target]))[target.task_id]
        others = [server for server in servers if server is not holder]
        added_ms = max(0.0, (answered_at - time.perf_counter()) * 1000)
        await _cut(stage, _Cancel(target, others[number % len(others)], is_told=False, added_ms=added_ms))
        if fleet.vendor.submits(target.task_id) != 1:
            stage.problems.append(f"{target.task_id}: 提交 / submits {fleet.vendor.submits(target.task_id)}")
    fleet.vendor.behave()
    return stage


async def _cut(stage: Afar, cancel: _Cancel) -> None:
    task_id = cancel.target.task_id
    begun = time.perf_counter()
    record = await _ended_by(cancel, task_id)
    took_ms = max(0.0, (time.perf_counter() - begun) * 1000 - cancel.added_ms)
    (stage.told_ms if cancel.is_told else stage.read_ms).append(took_ms)
    seen = cancel.target.requests()
    if record["status"] != "cancelled":
        stage.problems.append(f"{task_id}: {record['status']}")
    if record["books"]["balanced"] is not True:
        stage.problems.append(f"{task_id}: 账目不平 / books do not balance: {record['books']}")
    # What had left before the end was still on its way.
    await asyncio.sleep(0.02)
    seen = cancel.target.requests()
    await asyncio.sleep(0.02)
    stage.requests_after += cancel.target.requests() - seen


async def _ended_by(cancel: _Cancel, task_id: str) -> dict[str, Any]:
    if cancel.is_told:
        told: dict[str, Any] = await cancel.by.call("DELETE", f"/tasks/{task_id}", wait=_WAIT_S)
        return told
    record: dict[str, Any] = await cancel.by.call("DELETE", f"/tasks/{task_id}")
    give_up_at = time.monotonic() + _WAIT_S
    while not record["is_final"] and time.monotonic() < give_up_at:
        await asyncio.sleep(_LOOK_EVERY_S)
        record = await cancel.by.record(task_id)
    return record


async def _at_door(manner: Manner, fleet: Fleet, servers: Sequence[Server], count: int) -> list[Target]:
    visits = await crawls(fleet, servers[0], manner, count)
    await until_visited(visits, manner)
    await asyncio.sleep(fleet.dice.uniform(0, _SPREAD_S) if manner == "links" else _SETTLED_S)
    return [one.target for one in visits]


async def _in_poll_sleep(fleet: Fleet, servers: Sequence[Server], count: int) -> list[Target]:
    fleet.vendor.behave()
    targets = await videos(fleet, servers[0], count)
    for target in targets:
        await until(partial(fleet.vendor.polls, target.task_id), f"a poll of {target.task_id}")
    return targets


async def _rendering(fleet: Fleet, servers: Sequence[Server], count: int) -> list[Target]:
    targets = [await film(servers[0]) for _ in range(count)]
    for target in targets:
        while (await servers[0].record(target.task_id))["progress"]["stage"] != "render":  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(_SETTLED_S)
    return targets


STAGES: dict[str, Reach] = {
    "headers": partial(_at_door, "headers"),
    "mid_body": partial(_at_door, "body"),
    "back_off": partial(_at_door, "busy"),
    "storing": partial(_at_door, "links"),
    "poll_sleep": _in_poll_sleep,
    "rendering": _rendering,
}
