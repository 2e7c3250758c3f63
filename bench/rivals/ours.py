"""The product: two servers on one MongoDB and Redis."""

from collections.abc import Mapping
from pathlib import Path

from bench.harness.server import Server, ServerPlan
from bench.rivals.rival import AT_ONCE, WORKERS

LEASE_S = 5


class Ours:
    """Two servers with ten crawls each at once; tasks go to them in turn."""

    name = "MediaCrawer Pro"

    def __init__(self, *, folder: Path, site: str, steps: int, stores: Mapping[str, str]) -> None:
        settings = {**stores, "LEASE_S": str(LEASE_S), "MAX_RUNNING_CRAWLS": str(AT_ONCE)}
        self._servers = [
            Server(ServerPlan(name=f"ours-{number}", folder=folder / f"o{number}", logs=folder, settings=settings))
            for number in range(WORKERS)
        ]
        self._site = site
        self._steps = steps
        self._submitted = 0

    async def start(self) -> None:
        """Start both."""
        for server in self._servers:
            await server.start()

    async def submit(self, job: str) -> str:
        """Create a crawl of the job's pages."""
        server = self._servers[self._submitted % len(self._servers)]
        self._submitted += 1
        params = {"start_urls": [f"{self._site}/t/{job}/0"], "max_pages": self._steps, "max_depth": self._steps}
        return await server.create("web", params, type="site")

    async def cancel(self, reference: str) -> bool:
        """Cancel it at the server that did not create it, and do not wait for its end."""
        await self._servers[-1].call("DELETE", f"/tasks/{reference}")
        return True

    async def kill_one(self) -> None:
        """End the first server with SIGKILL."""
        await self._servers[0].kill()
        del self._servers[0]

    async def stop(self) -> None:
        """End everything."""
        for server in self._servers:
            await server.kill()
