"""Everything a verification starts: servers, stand-ins, stores; and that it leaves nothing behind."""

import random
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dotenv import dotenv_values

from backend.core.settings import ROOT
from bench.harness.cuts import LIMIT_MS
from bench.harness.server import STORE_VARIABLES, Server, ServerPlan
from bench.harness.site import Site
from bench.harness.stores import SharedStores
from bench.harness.vendor import Vendor

# The first poll comes after one interval, the next after another: time to cancel twenty tasks in between.
POLL_S = 2.0
SHORT_POLL_S = 0.1
# The shortest one that is allowed: a cancel that only the heartbeat carries takes up to a third of it.
SHORT_LEASE_S = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """`count`: cancels in each stage; `moments`: cancels at random moments.

    `logs`: where servers' logs are kept, a temporary folder when None.
    """

    count: int = 20
    moments: int = 0
    limit_ms: float = LIMIT_MS
    seed: int = 1
    logs: Path | None = None
    without_flag_check: bool = False


class Lab:
    """Use it in `async with`. Servers are started when a stage first asks for them, and stopped at the end."""

    def __init__(self, options: LabOptions) -> None:
        self.options = options
        self.dice = random.Random(options.seed)
        self.vendor = Vendor()
        self.site = Site()
        self._closing = AsyncExitStack()
        self._servers: dict[str, Server] = {}
        self._shared: SharedStores | None = None
        # Short, because a unix socket's path may not pass 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="mcv-"))
        self.logs = options.logs or self._folder / "logs"

    async def __aenter__(self) -> Self:
        self._closing.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            await self.vendor.start()
        except BaseException:
            await self._closing.aclose()
            raise
        self._closing.push_async_callback(self.vendor.stop)
        self._closing.push_async_callback(self.site.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.__aexit__(kind, error, trace)

    async def main(self) -> Server:
        """Return the server most stages use: its own embedded stores, everything by default."""
        return await self._server("main")

    async def quick(self) -> Server:
        """Return the server that polls as often as it may."""
        return await self._server("quick", COGVIDEOX_POLL_INTERVAL_S=str(SHORT_POLL_S))

    async def threaded(self) -> Server:
        """Return the server whose work runs in pool threads."""
        return await self._server("thread", EXECUTION_MODE="thread")

    async def pair(self) -> tuple[Server, Server]:
        """Return two servers on the same MongoDB and Redis."""
        settings = {**(await self._shared_stores()).settings("pair"), "LEASE_S": str(SHORT_LEASE_S)}
        first = await self._server("first", **settings)
        return first, await self._server("second", **settings)

    async def clear(self) -> None:
        """Cancel whatever a failed stage left, so that the next one starts from nothing."""
        self.vendor.behave()
        for server in self._servers.values():
            if server.is_running:
                left = await server.call("GET", "/tasks", status="active", limit=200)
                for task in left["items"]:
                    await server.cancel(task["task_id"])

    async def stop_servers(self) -> None:
        """Stop all servers, so that their logs are whole. Raises ServerError for one that does not stop in order."""
        for server in self._servers.values():
            await server.stop()

    async def _server(self, name: str, **settings: str) -> Server:
        if name not in self._servers:
            if _names_stores() and "MONGODB_URL" not in settings:
                settings |= (await self._shared_stores()).settings(name)
            vendor = {**self.vendor.settings, "COGVIDEOX_POLL_INTERVAL_S": str(POLL_S)}
            plan = ServerPlan(
                name=name,
                folder=self._folder / name,
                logs=self.logs,
                settings=vendor | settings,
                without_flag_check=self.options.without_flag_check,
                has_window=True,
            )
            server = Server(plan)
            self._closing.push_async_callback(server.stop)
            await server.start()
            self._servers[name] = server
        return self._servers[name]

    async def _shared_stores(self) -> SharedStores:
        if self._shared is None:
            stores = SharedStores(self._folder / "shared")
            self._closing.push_async_callback(stores.stop)
            await stores.start()
            self._shared = stores
        return self._shared


def _names_stores() -> bool:
    """Whether a developer's .env names stores: an empty variable would not overrule it, and those are not for us."""
    return any(dotenv_values(ROOT / ".env").get(name) for name in STORE_VARIABLES)
