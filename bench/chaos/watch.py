"""Looks at the store every second while the storm lasts: which task has not moved, while it could have."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from bench.chaos.journal import Journal
from bench.chaos.load import FINAL
from bench.chaos.options import DATABASE, LEASE_S, TAKEOVER_S

STUCK_S = LEASE_S + TAKEOVER_S
_LOOK_EVERY_S = 1.0
_FIELDS = {"status": 1, "version": 1, "fence": 1, "run_at": 1, "idempotency_key": 1, "worker_id": 1}

Document = Mapping[str, Any]


@dataclass(slots=True)
class _Still:
    signature: tuple[Any, ...]
    moved_at: float
    able_s: float


class Watch:
    """`idle_s` counts, for each task, the time without a change or a request in which it could have moved.

    It could when both stores and a server that reaches them were up (`is_able`). What waits for a `run_at` of its own
    does not count.
    """

    def __init__(self, mongo_url: str, journal: Journal, is_able: Callable[[], bool]) -> None:
        self.longest_idle_s = 0.0
        self.stuck: dict[str, str] = {}
        self.active = 0
        self._mongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_url, timeoutMS=2000, tz_aware=True)
        self._journal = journal
        self._is_able = is_able
        self._still: dict[str, _Still] = {}
        self._able_s = 0.0

    async def look_on(self) -> None:
        """Go on until cancelled."""
        looked_at = time.time()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            now = time.time()
            if self._is_able():
                self._able_s += now - looked_at
            looked_at = now
            await self.look()

    async def look(self) -> None:
        """Take one look; nothing is noted when MongoDB does not answer."""
        query = {"status": {"$nin": list(FINAL)}}
        try:
            found = await self._mongo[DATABASE]["tasks"].find(query, _FIELDS).to_list()
        except PyMongoError:
            return
        self.active = len(found)
        for document in found:
            self._judge(document)
        here = {document["_id"] for document in found}
        self._still = {task_id: still for task_id, still in self._still.items() if task_id in here}

    async def close(self) -> None:
        """Close the client."""
        await self._mongo.close()

    def _judge(self, document: Document) -> None:
        task_id = document["_id"]
        signature = (document["status"], document["version"], document["fence"])
        seen_at = self._journal.last_at(task_id, document.get("idempotency_key") or "")
        still = self._still.get(task_id)
        is_put_off = document["status"] == "pending" and document["run_at"] > datetime.now(UTC)
        if still is None or still.signature != signature or seen_at > still.moved_at or is_put_off:
            self._still[task_id] = _Still(signature, time.time(), self._able_s)
            return
        idle_s = self._able_s - still.able_s
        self.longest_idle_s = max(self.longest_idle_s, idle_s)
        if idle_s > STUCK_S:
            self.stuck[task_id] = f"{task_id}: {idle_s:.0f} s without a move, {signature}, {document['worker_id']}"
