"""Who runs what: tasks made at one server and run by all, a bell instead of a round, and caps that hold together."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.harness.cuts import NotReachedError, until
from bench.harness.server import Server
from bench.harness.stage_plan import crawl, crawls, until_visited, video
from bench.several.fleet import CAP, CRAWLS_EACH, Fleet, all_ended, at_of, claims_of, instance_of

_FINISH_WITHIN_S = 120.0


@dataclass(slots=True)
class Spread:
    """How many tasks each server ran, by its instance id; what was run twice; how long one waited for elsewhere."""

    ran: Counter[str] = field(default_factory=Counter)
    not_succeeded: int = 0
    run_twice: int = 0
    waits_ms: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Caps:
    """The most jobs open at the vendor at once, how often the look found the cap reached, and what went wrong."""

    most_open: int = 0
    looks: int = 0
    at_cap: int = 0
    not_succeeded: int = 0
    submits_too_many: int = 0
    most_crawls: int = 0


async def measure_spread(fleet: Fleet, servers: Sequence[Server], count: int) -> Spread:
    """Create `count` one-page crawls at the first server and see who runs them."""
    found = Spread()
    visits = await crawls(fleet, servers[0], "page", count)
    records = await all_ended(servers[-1], [one.target.task_id for one in visits], within_s=_FINISH_WITHIN_S)
    for record in records:
        claims = claims_of(record)
        found.ran[instance_of(claims[0][1])] += 1
        found.run_twice += len(claims) > 1
        found.not_succeeded += record["status"] != "succeeded"
    return found


async def measure_bell(fleet: Fleet, servers: Sequence[Server], count: int) -> list[float]:
    """Fill the first server, then create tasks there one by one; return the ms until each is claimed elsewhere."""
    filling: list[str] = []
    while len(live := (await servers[0].system())["live"]["tasks"]) < CRAWLS_EACH:
        # One after another: the others may have taken some.
        visited = await crawl(fleet, servers[0], "headers")
        await until_visited([visited], "headers")
        filling.append(visited.target.task_id)
    here = instance_of((await servers[0].record(live[0]))["worker_id"])
    waits_ms = []
    for _ in range(count):
        visited = await crawl(fleet, servers[0], "page")
        (record,) = await all_ended(servers[1], [visited.target.task_id])
        created, (claimed, worker_id) = at_of(record["history"][0]), claims_of(record)[0]
        if instance_of(worker_id) == here:
            raise NotReachedError(f"{record['task_id']}: 未溢出 / was not put off by the full server")
        waits_ms.append((claimed - created).total_seconds() * 1000)
    for task_id in filling:
        await servers[0].cancel(task_id)
    return waits_ms


async def measure_caps(fleet: Fleet, servers: Sequence[Server], count: int) -> Caps:
    """Create `count` videos over all servers, whose vendor allows `CAP` at once, and look at the vendor meanwhile."""
    found = Caps()
    fleet.vendor.take_polls(2)
    made = await asyncio.gather(*(video(fleet, servers[number % len(servers)]) for number in range(count)))
    ended = asyncio.create_task(
        all_ended(servers[0], [one.task_id for one in made], within_s=_FINISH_WITHIN_S), name="all-ended"
    )
    while not ended.done():
        open_jobs = fleet.vendor.open_jobs
        found.looks += 1
        found.most_open = max(found.most_open, open_jobs)
        found.at_cap += open_jobs == CAP
        await asyncio.sleep(0.002)
    found.not_succeeded = sum(record["status"] != "succeeded" for record in await ended)
    found.submits_too_many = sum(fleet.vendor.submits(one.task_id) - 1 for one in made)
    return found


async def measure_crawls_each(fleet: Fleet, servers: Sequence[Server]) -> int:
    """Create more crawls than all servers may run together; return how many the site had open at once in the end."""
    expected = CRAWLS_EACH * len(servers)
    visits = await crawls(fleet, servers[0], "headers", expected + CRAWLS_EACH)

    def open_visits() -> int:
        return sum(one.door.requests for one in visits)

    with contextlib.suppress(NotReachedError):
        await until(lambda: open_visits() >= expected, f"{expected} crawls at once")
    # None above it comes later either.
    await asyncio.sleep(1.5)
    most = open_visits()
    await asyncio.gather(*(servers[0].call("DELETE", f"/tasks/{one.target.task_id}") for one in visits))
    await all_ended(servers[0], [one.target.task_id for one in visits])
    return most
