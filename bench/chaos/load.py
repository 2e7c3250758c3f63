"""Keeps many tasks live: creates them with an Idempotency-Key until answered, and cancels some at random."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from bench.chaos.fleet import ChaosServer, Fleet
from bench.chaos.options import DATABASE, ChaosOptions

# Pages that one crawl fetches at once.
CRAWL_AT_ONCE = 2
FINAL = ("cancelled", "succeeded", "partial", "failed", "timed_out")
_CALL_S = 5.0
_AGAIN_S = 0.2
_LOOK_EVERY_S = 0.5
_CANCELLED_SHARE = 0.3
_CANCEL_AFTER_S = (0.0, 25.0)
_CREATES_AT_ONCE = 16
_PAGES = (7, 13)


@dataclass(slots=True)
class Order:
    """One task that was asked for; `task_id` is known once a create was answered.

    `cancelled_as` is the status in the answer to our DELETE, None when none was sent or answered.
    """

    name: str
    platform: str
    task_id: str | None = None
    creates: int = 0
    cancelled_as: str | None = None


class Load:
    """Orders by name, which is their Idempotency-Key; `origin` is the site's."""

    def __init__(
        self, options: ChaosOptions, fleet: Fleet, *, origin: str, mongo_url: str, dice: random.Random
    ) -> None:
        self.orders: dict[str, Order] = {}
        self.refusals: list[str] = []
        self.live_counts: list[int] = []
        self._options = options
        self._fleet = fleet
        self._origin = origin
        self._dice = dice
        self._client = httpx.AsyncClient(timeout=_CALL_S, trust_env=False, limits=httpx.Limits(max_connections=None))
        self._mongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_url, timeoutMS=2000)
        self._cancels: set[asyncio.Task[None]] = set()
        self._wanted = options.live_by_platform

    async def keep(self, until: float) -> None:
        """Top up until the time of day `until`; then every create that was begun has been answered."""
        while time.time() < until:
            await asyncio.gather(self._top_up(), asyncio.sleep(_LOOK_EVERY_S))

    async def finish_cancels(self) -> None:
        """Wait until every DELETE that is due has been answered."""
        while self._cancels:
            await asyncio.wait(set(self._cancels))
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Close the clients."""
        for task in self._cancels:
            task.cancel()
        await self._client.aclose()
        await self._mongo.close()

    async def live_by_platform(self) -> dict[str, int] | None:
        """Return how many tasks are not final; None when MongoDB does not answer."""
        stages: list[dict[str, Any]] = [
            {"$match": {"status": {"$nin": list(FINAL)}}},
            {"$group": {"_id": "$platform", "tasks": {"$sum": 1}}},
        ]
        try:
            found = await (await self._mongo[DATABASE]["tasks"].aggregate(stages)).to_list()
        except PyMongoError:
            return None
        return {one["_id"]: one["tasks"] for one in found}

    async def standing(self, task_id: str, fence: int) -> Literal["same", "passed", "ended"]:
        """Return whether a task runs under a higher fence than `fence`, or has ended; "same" without MongoDB."""
        try:
            found = await self._mongo[DATABASE]["tasks"].find_one({"_id": task_id}, {"fence": 1, "status": 1})
        except PyMongoError:
            return "same"
        if found is None or found["status"] in FINAL:
            return "ended"
        return "passed" if found["fence"] > fence and found["status"] == "running" else "same"

    async def fence_of(self, task_id: str) -> int | None:
        """Return the fence of a task; None without MongoDB."""
        try:
            found = await self._mongo[DATABASE]["tasks"].find_one({"_id": task_id}, {"fence": 1})
        except PyMongoError:
            return None
        return None if found is None else int(found["fence"])

    async def unfinished(self) -> tuple[int, int] | None:
        """Return how many tasks are not final, and how many have follow-ups left; None without MongoDB."""
        tasks = self._mongo[DATABASE]["tasks"]
        try:
            live = await tasks.count_documents({"status": {"$nin": list(FINAL)}})
            return live, await tasks.count_documents({"after.0": {"$exists": True}})
        except PyMongoError:
            return None

    async def _top_up(self) -> None:
        live = await self.live_by_platform()
        if live is None:
            return
        if self.orders:
            self.live_counts.append(sum(live.values()))
        wanted = [platform for platform, count in self._wanted.items() for _ in range(count - live.get(platform, 0))]
        self._dice.shuffle(wanted)
        at_once = asyncio.Semaphore(_CREATES_AT_ONCE)
        await asyncio.gather(*(self._ordered(platform, at_once) for platform in wanted))

    async def _ordered(self, platform: str, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            order = self._new_order(platform)
            body = self._body(order)
            headers = {"Idempotency-Key": order.name}

            async def create(server: ChaosServer) -> httpx.Response:
                order.creates += 1
                return await self._send(server, "POST", "/tasks", json=body, headers=headers)

            made = await self._until_answered(create)
        if made is None:
            return
        order.task_id = made["task_id"]
        if self._dice.random() < _CANCELLED_SHARE:
            cancel = asyncio.create_task(self._cancel(order), name=f"cancel:{order.name}")
            self._cancels.add(cancel)
            cancel.add_done_callback(self._cancels.discard)

    async def _cancel(self, order: Order) -> None:
        await asyncio.sleep(self._dice.uniform(*_CANCEL_AFTER_S))
        answer = await self._until_answered(lambda server: self._send(server, "DELETE", f"/tasks/{order.task_id}"))
        if answer is not None:
            order.cancelled_as = answer["status"]

    async def _until_answered(self, send: Callable[[ChaosServer], Awaitable[httpx.Response]]) -> dict[str, Any] | None:
        """Ask one server after another until one has answered; None when the answer was a refusal."""
        while True:
            if servers := self._fleet.up:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await send(self._dice.choice(servers))
                    if answer.is_success:
                        data: dict[str, Any] = answer.json()["data"]
                        return data
                    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                        self.refusals.append(f"{answer.request.method} {answer.request.url.path}: {answer.text[:300]}")
                        return None
            await asyncio.sleep(_AGAIN_S)

    async def _send(
        self, server: ChaosServer, method: str, path: str, *, json: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        own = {"Authorization": f"Bearer {server.token}", **(headers or {})}
        return await self._client.request(method, f"{server.base}/api/v1{path}", json=json, headers=own)

    # -- what is asked for ---------------------------------------------------------------------------------------

    def _new_order(self, platform: str) -> Order:
        pages = self._dice.randint(*_PAGES)
        name = f"{platform[0]}{pages}-{self._options.seed}-{len(self.orders):05d}"
        order = self.orders[name] = Order(name, platform)
        return order

    def _body(self, order: Order) -> dict[str, Any]:
        base = f"{self._origin}/t/{order.name}"
        params: dict[str, Any]
        if order.platform == "web":
            params = {"start_urls": [f"{base}/p/0"], "max_pages": 50, "max_depth": 10, "concurrency": CRAWL_AT_ONCE}
        elif order.platform == "cogvideox":
            params = {"prompt": f"清晨的海边，一只小狗沿着沙滩奔跑 {order.name}"}
        else:
            scenes = [{"text": f"第 {number} 幕", "image": f"{base}/i/{number}"} for number in range(4)]
            params = {"scenes": scenes, "seconds_per_scene": 1, "fps": 10, "size": "160x90"}
        return {"platform": order.platform, "params": params}
