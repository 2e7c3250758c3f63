"""Servers that share their stores; who of them runs a task; and what each of them holds."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bench.harness.cuts import NotReachedError, Target
from bench.harness.lab import Lab, LabOptions
from bench.harness.server import Server
from bench.harness.vendor import Vendor
from tests.fixtures.fault_proxy import FaultProxy

LEASE_S = 6.0
# Each server starts that many crawls; what is created beyond waits for the others.
CRAWLS_EACH = 10
CAP = 5
POLL_S = 0.25
_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.02


class CountingVendor(Vendor):
    """The stand-in, with the most jobs that were open in it at once."""

    @property
    def open_jobs(self) -> int:
        """How many jobs it has taken that it has not yet told the end of."""
        server = self._server
        return sum(job.polls < server.polls_until_done for job in server.jobs.values())

    @property
    def job_count(self) -> int:
        """How many jobs it has taken in all."""
        return len(self._server.jobs)

    def hang_next_submit(self) -> None:
        """Neither take nor answer the next submit, and misbehave in no other from now on."""
        self._server.faults["submit"].clear()
        self._server.plan("submit", "hang")

    def take_polls(self, count: int) -> None:
        """Forget everything; from now on a job is done at its `count`th poll."""
        self._server.reset(polls_until_done=count)


class Fleet(Lab):
    """A lab whose servers share one MongoDB and one Redis. `settings` are given to each of them."""

    def __init__(self, options: LabOptions) -> None:
        super().__init__(options)
        self.vendor: CountingVendor = CountingVendor()
        self._redis: FaultProxy | None = None

    async def servers(self, group: str, count: int, settings: Mapping[str, str] | None = None) -> list[Server]:
        """Return that many servers on one database named after the group, started when they are first asked for."""
        shared = (await self._shared_stores()).settings(group)
        common = {"COGVIDEOX_POLL_INTERVAL_S": str(POLL_S), **shared, **(settings or {})}
        return [await self._server(f"{group}{number}", **common) for number in range(1, count + 1)]

    async def deaf_servers(self, group: str, count: int, settings: Mapping[str, str]) -> list[Server]:
        """Return such servers whose Redis can be lost and regained."""
        redis_url = (await self._shared_stores()).settings(group)["REDIS_URL"]
        self._redis = FaultProxy(redis_url.removeprefix("unix://"))
        self._redis.start()
        self._closing.callback(self._redis.stop)
        behind = f"redis://127.0.0.1:{self._redis.port}"
        return await self.servers(group, count, {**settings, "REDIS_URL": behind})

    def lose_redis(self) -> None:
        """Refuse every connection of those servers to Redis from now on."""
        if self._redis is not None:
            self._redis.refuse()

    def regain_redis(self) -> None:
        """Let them reach Redis again."""
        if self._redis is not None:
            self._redis.behave()

    async def close_group(self, servers: Sequence[Server]) -> None:
        """Stop these servers, so that they take no part of the machine from the next measurement."""
        await asyncio.gather(*(server.stop() for server in servers))


def claims_of(record: Mapping[str, Any]) -> list[tuple[datetime, str]]:
    """Return when the task was claimed and by which worker, in order."""
    return [(at_of(entry), str(entry["worker_id"])) for entry in record["history"] if entry["reason"] == "claimed"]


def at_of(entry: Mapping[str, Any]) -> datetime:
    """Return the moment of a history entry."""
    return datetime.fromisoformat(str(entry["at"]).replace("Z", "+00:00"))


def instance_of(worker_id: str) -> str:
    """Return the part of a worker id that stays over a server's starts."""
    return worker_id.rpartition("-")[0]


async def holder_of(servers: Sequence[Server], task_id: str) -> Server:
    """Return the server that runs the task. Raises NotReachedError when none does within a minute."""
    give_up_at = asyncio.get_running_loop().time() + _WITHIN_S
    while asyncio.get_running_loop().time() < give_up_at:
        for server in servers:
            if task_id in (await server.system())["live"]["tasks"]:
                return server
        await asyncio.sleep(_LOOK_EVERY_S)
    raise NotReachedError(f"{task_id}: 没有服务器在运行 / runs on no server")


async def holders_of(servers: Sequence[Server], targets: Sequence[Target]) -> dict[str, Server]:
    """Return which server runs each of these tasks."""
    found: dict[str, Server] = {}
    for server in servers:
        live = set((await server.system())["live"]["tasks"])
        found |= {target.task_id: server for target in targets if target.task_id in live}
    for target in targets:
        if target.task_id not in found:
            found[target.task_id] = await holder_of(servers, target.task_id)
    return found


async def records_of(server: Server, task_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the records of these tasks, in order."""
    return [await server.record(task_id) for task_id in task_ids]


async def all_ended(server: Server, task_ids: Sequence[str], *, within_s: float = _WITHIN_S) -> list[dict[str, Any]]:
    """Return the records of these tasks once all are final. Raises NotReachedError."""
    give_up_at = asyncio.get_running_loop().time() + within_s
    left = list(task_ids)
    ended: dict[str, dict[str, Any]] = {}
    while left:
        if asyncio.get_running_loop().time() > give_up_at:
            raise NotReachedError(f"{len(left)} 个任务未结束 / tasks have not ended, first {left[0]}")
        for record in await records_of(server, left[:50]):
            if record["is_final"]:
                ended[record["task_id"]] = record
        left = [task_id for task_id in left if task_id not in ended]
        await asyncio.sleep(5 * _LOOK_EVERY_S)
    return [ended[task_id] for task_id in task_ids]
