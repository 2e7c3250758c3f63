"""Everything a measurement of outages starts: stores behind proxies, two servers, stand-ins."""

import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from bench.harness.server import Server, ServerPlan
from bench.harness.vendor import Vendor
from bench.outage.load import Loader, PacedSite
from bench.outage.stores import FaultyStores

LEASE_S = 15.0
_POLL_S = 1.0


class House:
    """Use it in `async with`. Both servers reach MongoDB and Redis through proxies, the second one MongoDB directly."""

    def __init__(self, *, lease_s: float = LEASE_S, logs: Path | None = None) -> None:
        self.lease_s = lease_s
        self.most_files = 0
        self.vendor = Vendor()
        self.site = PacedSite()
        self.loader = Loader(self.site, self.vendor)
        self._closing = AsyncExitStack()
        # Short, because a unix socket's path may not pass 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="mco-"))
        self.logs = logs or self.folder / "logs"
        self.stores = FaultyStores(self.folder / "stores")
        self.first: Server
        self.second: Server

    async def __aenter__(self) -> Self:
        self._closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            await self._open()
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.__aexit__(kind, error, trace)

    async def _open(self) -> None:
        for part in (self.vendor, self.stores):
            await part.start()
            self._closing.push_async_callback(part.stop)
        await self.site.open()
        self._closing.push_async_callback(self.site.close)
        self.first = await self._server("first", through_proxies=True)
        self.second = await self._server("second", through_proxies=False)

    async def _server(self, name: str, *, through_proxies: bool) -> Server:
        settings = {
            **self.stores.settings("outages", through_proxies=through_proxies),
            **self.vendor.settings,
            "COGVIDEOX_POLL_INTERVAL_S": str(_POLL_S),
            "LEASE_S": str(self.lease_s),
        }
        server = Server(ServerPlan(name=name, folder=self.folder / name, logs=self.logs, settings=settings))
        self._closing.push_async_callback(server.stop)
        await server.start()
        return server


def open_files(server: Server, redis_port: int) -> int:
    """Return how many file descriptors the server's process holds, without those of its callers and of Redis.

    The driver of Redis keeps every connection that it ever needed at once.
    """
    process = psutil.Process(server.pid)
    port = int(server.address.rpartition(":")[2])
    remote = [one for one in process.net_connections("tcp") if one.raddr]
    apart = [one for one in remote if one.laddr.port == port or one.raddr.port == redis_port]
    return int(process.num_fds()) - len(apart)
