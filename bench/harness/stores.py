"""A mongod and a Valkey of the harness's own, for servers that share them."""

from pathlib import Path

from backend.core.embedded import EmbeddedStores


class SharedStores:
    """Both stores under `folder`, from `start` to `stop`."""

    def __init__(self, folder: Path) -> None:
        self._stores = EmbeddedStores(folder)

    async def start(self) -> None:
        """Start both. Raises EmbeddedStoreError."""
        await self._stores.start()

    async def stop(self) -> None:
        """Stop both."""
        await self._stores.stop()

    def settings(self, database: str) -> dict[str, str]:
        """Return what a server is told that uses them. Raises RuntimeError before `start`."""
        mongo, valkey = self._stores.mongo, self._stores.valkey
        if mongo is None or valkey is None:
            raise RuntimeError("the shared stores are not started")
        return {"MONGODB_URL": mongo.uri, "REDIS_URL": valkey.uri, "MONGODB_DATABASE": database}
