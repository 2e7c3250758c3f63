"""A server that leaves, or dies, and the others that take over what it ran."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

import httpx

from bench.harness.cuts import NotReachedError, Target, until
from bench.harness.server import GRACE_S, Server
from bench.harness.stage_plan import crawl, crawls, until_visited, video, videos
from bench.several.fleet import LEASE_S, Fleet, all_ended, at_of, claims_of, instance_of, records_of

KILL_WITHIN_S = LEASE_S + 15
_SUBMIT_TAKES_S = 0.15
_POLLING = 6
_CRAWLING = 6
_STORING = 2
_UP_TO_S = 0.6
_APART_S = 0.03
_LOOK_EVERY_S = 0.05
_LONGEST_WAIT_S = 40.0
_SECOND_AFTER_S = 0.1


@dataclass(slots=True)
class Leaving:
    """What became of the tasks of servers that left. Times in ms from the signal (`taken_ms`: to the next claim)."""

    exits_ms: list[float] = field(default_factory=list)
    taken_ms: list[float] = field(default_factory=list)
    handed_ms: list[float] = field(default_factory=list)
    tasks: int = 0
    given_back: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Load:
    """What runs on the server that is to leave; `steady` runs for good, `brief` comes and goes."""

    steady: list[Target] = field(default_factory=list)
    brief: list[Target] = field(default_factory=list)
    videos: set[str] = field(default_factory=set)

    @property
    def ids(self) -> list[str]:
        return [one.task_id for one in (*self.steady, *self.brief)]


async def measure_sigterm(fleet: Fleet, servers: Sequence[Server], rounds: int) -> Leaving:
    """Let a server leave under load, each time at a random moment, and see that the others go on at once."""
    found = Leaving()
    for number in range(rounds):
        leaver = servers[number % len(servers)]
        others = [server for server in servers if server is not leaver]
        load = await _loaded(fleet, leaver)
        stop = asyncio.Event()
        restless = asyncio.create_task(_keep_creating(fleet, leaver, load, stop), name="restless")
        await asyncio.sleep(fleet.dice.uniform(0, _UP_TO_S))
        signalled, begun = datetime.now(UTC), time.perf_counter()
        await leaver.terminate()
        found.exits_ms.append((time.perf_counter() - begun) * 1000)
        stop.set()
        await restless
        await _until_taken_over(others, load)
        await _judge(fleet, found, others, load, signalled, is_orderly=True)
        await _clear(fleet, others[0], found, load)
        await leaver.start()
    found.problems += [f"关闭用时 / the stop took {ms:.0f} ms" for ms in found.exits_ms if ms > GRACE_S * 1000]
    return found


async def measure_kill(fleet: Fleet, servers: Sequence[Server], rounds: int) -> Leaving:
    """Kill a server under load: the others take over when its leases have run out."""
    found = Leaving()
    for number in range(rounds):
        victim = servers[number % len(servers)]
        others = [server for server in servers if server is not victim]
        load = await _loaded(fleet, victim)
        killed = datetime.now(UTC)
        await victim.kill()
        await _until_taken_over(others, load)
        await _judge(fleet, found, others, load, killed, is_orderly=False)
        await _clear(fleet, others[0], found, load)
        await victim.start()
    return found


async def measure_second_signal(fleet: Fleet, servers: Sequence[Server]) -> Leaving:
    """Interrupt a server twice while a submit without an answer holds up its stop: it leaves, leases do the rest."""
    found = Leaving()
    leaver, others = servers[0], servers[1:]
    load = await _loaded(fleet, leaver)
    fleet.vendor.hang_next_submit()
    hanging = await video(fleet, leaver)
    await until(partial(fleet.vendor.submits, hanging.task_id), f"the submit of {hanging.task_id}")
    signalled = datetime.now(UTC)
    os.kill(leaver.pid, signal.SIGINT)
    await asyncio.sleep(_SECOND_AFTER_S)
    begun = time.perf_counter()
    os.kill(leaver.pid, signal.SIGINT)
    code = await leaver.wait_exit(within_s=GRACE_S)
    found.exits_ms.append((time.perf_counter() - begun) * 1000)
    if code != 128 + signal.SIGINT:
        found.problems.append(f"退出码 / exit code {code}")
    load.steady.append(hanging)
    await _until_taken_over(others, load)
    await _judge(fleet, found, others, load, signalled, is_orderly=False)
    if fleet.vendor.accepted(hanging.task_id) > 1:
        found.problems.append(f"{hanging.task_id}: 重复计费 / billed twice")
    await _clear(fleet, others[0], found, load)
    await leaver.start()
    return found


async def _loaded(fleet: Fleet, server: Server) -> _Load:
    """Bring tasks to a poll's sleep, a request's wait and a store, all on this server."""
    fleet.vendor.behave("submit", "late", seconds=_SUBMIT_TAKES_S)
    load = _Load()
    polling = await videos(fleet, server, _POLLING)
    for target in polling:
        await until(partial(fleet.vendor.polls, target.task_id), f"a poll of {target.task_id}")
    for manner, count in (("headers", _CRAWLING), ("links", _STORING)):
        visits = await crawls(fleet, server, manner, count)  # type: ignore[arg-type] # both are manners
        await until_visited(visits, manner)  # type: ignore[arg-type]
        load.steady += [visited.target for visited in visits]
    load.steady += polling
    load.videos = {target.task_id for target in polling}
    return load


async def _keep_creating(fleet: Fleet, server: Server, load: _Load, stop: asyncio.Event) -> None:
    """Create tasks until the server leaves: some are being claimed, some submitted, some finished when it does."""
    with contextlib.suppress(httpx.HTTPError, RuntimeError):
        while not stop.is_set():
            load.brief.append((await crawl(fleet, server, "page")).target)
            target = await video(fleet, server)
            load.steady.append(target)
            load.videos.add(target.task_id)
            await asyncio.sleep(_APART_S)


async def _until_taken_over(others: Sequence[Server], load: _Load) -> None:
    """Wait until each task has ended, or runs on one of the others."""
    give_up_at = time.monotonic() + _LONGEST_WAIT_S
    left = load.ids
    while left:
        if time.monotonic() > give_up_at:
            raise NotReachedError(f"{len(left)} 个任务未被接手 / tasks were not taken over, first {left[0]}")
        live = {task_id for server in others for task_id in (await server.system())["live"]["tasks"]}
        records = await records_of(others[0], [task_id for task_id in left if task_id not in live])
        left = [record["task_id"] for record in records if not record["is_final"]]
        await asyncio.sleep(_LOOK_EVERY_S)


async def _judge(
    fleet: Fleet, found: Leaving, others: Sequence[Server], load: _Load, left_at: datetime, *, is_orderly: bool
) -> None:
    records = await records_of(others[0], load.ids)
    found.tasks += len(records)
    for record in records:
        found.problems += [f"{record['task_id']}: {words}" for words in _wrong(record, is_orderly=is_orderly)]
        _time_takeover(found, record, left_at)
    for task_id in sorted(load.videos):
        if (submits := fleet.vendor.accepted(task_id)) > 1:
            found.problems.append(f"{task_id}: 重复计费 / billed {submits} times")


def _wrong(record: dict[str, Any], *, is_orderly: bool) -> Iterable[str]:
    reasons = [entry["reason"] for entry in record["history"]]
    if record["attempt"] > 1:
        yield f"计了失败 / attempt {record['attempt']}"
    if is_orderly and "lease_expired" in reasons:
        yield f"租约到期而非交还 / its lease ran out, it was not given back: {reasons}"
    if record["is_final"] and record["status"] != "succeeded":
        yield f"结束为 / ended as {record['status']}: {record['error']}"
    if len({worker for _, worker in claims_of(record)}) > 2:
        yield f"多次转手 / moved more than once: {reasons}"


def _time_takeover(found: Leaving, record: dict[str, Any], left_at: datetime) -> None:
    """Note how long the task stood still, if it was given back or lost."""
    history = record["history"]
    for entry, following in pairwise(history):
        if entry["reason"] in {"drain", "lease_expired"} and following["reason"] == "claimed":
            found.given_back += 1
            found.taken_ms.append((at_of(following) - left_at).total_seconds() * 1000)
            found.handed_ms.append((at_of(following) - at_of(entry)).total_seconds() * 1000)


async def _clear(fleet: Fleet, server: Server, found: Leaving, load: _Load) -> None:
    """End what still runs, and see that the jobs were the same ones all along."""
    await asyncio.gather(*(server.call("DELETE", f"/tasks/{task_id}") for task_id in load.ids))
    for record in await all_ended(server, load.ids):
        upstream = record["upstream"]
        if record["task_id"] in load.videos and upstream is not None and upstream["submits"] > 1:
            found.problems.append(f"{record['task_id']}: 提交次数 / submits {upstream['submits']}")
        if record["books"]["balanced"] is not True:
            found.problems.append(f"{record['task_id']}: 账目不平 / books do not balance: {record['books']}")
    await fleet.site.close()


def moved_to(record: dict[str, Any]) -> list[str]:
    """Return the instances that claimed the task, in order."""
    return [instance_of(worker) for _, worker in claims_of(record)]
