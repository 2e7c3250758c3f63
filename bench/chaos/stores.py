"""The mongod and the Valkey that the servers share: killed, and started again over the same data at the same place."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Literal

from loguru import logger

from backend.core.embedded.mongo import EmbeddedMongo
from backend.core.embedded.valkey import EmbeddedValkey

StoreName = Literal["mongod", "valkey"]
# What clients need to find out that it is back.
_SETTLES_S = 1.0


class ChaosStores:
    """Both stores under `folder`, from `start` to `stop`. They outlive every server: the servers only have URLs."""

    def __init__(self, folder: Path) -> None:
        # Its own lines about our kills say nothing new.
        logger.disable("backend.core.embedded")
        self._stores: dict[StoreName, EmbeddedMongo | EmbeddedValkey] = {
            "mongod": EmbeddedMongo(folder),
            "valkey": EmbeddedValkey(folder),
        }
        self._up_since: dict[StoreName, float] = {}
        self.downs: list[tuple[StoreName, float, float]] = []

    async def start(self) -> None:
        """Start both. Raises EmbeddedStoreError."""
        for name, store in self._stores.items():
            await store.start()
            self._up_since[name] = time.time()

    async def stop(self) -> None:
        """Stop both."""
        for store in self._stores.values():
            await store.stop()

    @property
    def mongo_url(self) -> str:
        """For the harness itself: straight to the socket."""
        return self._stores["mongod"].uri

    @property
    def redis_url(self) -> str:
        """For the servers."""
        return self._stores["valkey"].uri

    @property
    def mongo_socket(self) -> str:
        """The path a proxy connects to."""
        return str(self._stores["mongod"].folder / "mongod.sock")

    def pids(self) -> set[int]:
        """Return the process ids of those that run."""
        return {store.pid for store in self._stores.values() if store.pid is not None}

    def are_up(self) -> bool:
        """Whether both answer, and have for a second."""
        return len(self._up_since) == len(self._stores) and time.time() - max(self._up_since.values()) > _SETTLES_S

    def down_s(self, since: float, until: float) -> float:
        """Return for how many seconds of that time a store was down."""
        spells = sorted((max(since, down_at), min(until, up_at + _SETTLES_S)) for _, down_at, up_at in self.downs)
        total, reached = 0.0, since
        for begun, ended in spells:
            total += max(0.0, ended - max(begun, reached))
            reached = max(reached, ended)
        return total

    def can_die(self, name: StoreName) -> bool:
        """Whether it runs."""
        return name in self._up_since

    async def kill(self, name: StoreName, *, pause_s: float) -> None:
        """Kill -9 it, and start it again after a pause. Raises EmbeddedStoreError when it does not come back."""
        store = self._stores[name]
        if store.pid is None:
            return
        self._up_since.pop(name, None)
        down_at = time.time()
        os.kill(store.pid, signal.SIGKILL)
        await store.wait_exit()
        await asyncio.sleep(pause_s)
        await store.ensure_running()
        self._up_since[name] = time.time()
        self.downs.append((name, down_at, self._up_since[name]))
