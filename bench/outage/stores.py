"""A mongod and a Valkey that can be stopped, killed, frozen and brought back, with a proxy before each."""

import os
import signal
from pathlib import Path
from urllib.parse import unquote

from backend.core.embedded import EmbeddedStores
from backend.core.embedded.managed import ManagedStore
from tests.fixtures.fault_proxy import FaultProxy, Target


class FaultyStores:
    """Both stores under `folder`; `mongo_proxy` and `redis_proxy` lead to them over TCP."""

    def __init__(self, folder: Path) -> None:
        self._stores = EmbeddedStores(folder)
        self.mongo_proxy = FaultProxy("")
        self.redis_proxy = FaultProxy("")

    async def start(self) -> None:
        """Start the stores, then their proxies. Raises EmbeddedStoreError."""
        await self._stores.start()
        for proxy, store in ((self.mongo_proxy, self.mongo), (self.redis_proxy, self.valkey)):
            proxy.target = _address(store.uri)
            proxy.start()

    async def stop(self) -> None:
        """Stop the proxies, then the stores; a frozen one too."""
        self.mongo_proxy.stop()
        self.redis_proxy.stop()
        for store in (self.mongo, self.valkey):
            signal_to(store, signal.SIGCONT)
        await self._stores.stop()

    @property
    def mongo(self) -> ManagedStore:
        """MongoDB's process."""
        assert self._stores.mongo is not None
        return self._stores.mongo

    @property
    def valkey(self) -> ManagedStore:
        """Valkey's process."""
        assert self._stores.valkey is not None
        return self._stores.valkey

    def settings(self, database: str, *, through_proxies: bool = True) -> dict[str, str]:
        """Return what a server is told; without proxies MongoDB is reached directly, Redis never is."""
        mongo = f"mongodb://127.0.0.1:{self.mongo_proxy.port}/?directConnection=true"
        return {
            "MONGODB_URL": mongo if through_proxies else self.mongo.uri,
            "REDIS_URL": f"redis://127.0.0.1:{self.redis_proxy.port}",
            "MONGODB_DATABASE": database,
        }


def signal_to(store: ManagedStore, number: int) -> None:
    """Send a signal to a store's process if it lives."""
    if store.pid is not None:
        os.kill(store.pid, number)


async def end(store: ManagedStore, number: int) -> None:
    """Send a signal that ends it, and wait until it has ended."""
    signal_to(store, number)
    await store.wait_exit()


def _address(uri: str) -> Target:
    scheme, _, rest = uri.partition("://")
    if scheme == "unix":
        return rest.partition("?")[0]
    place = unquote(rest.partition("/")[0])
    if place.startswith("/"):
        return place
    host, _, port = place.rpartition(":")
    return host, int(port)
