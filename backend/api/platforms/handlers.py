"""`/platforms`: what can be crawled, and what can generate."""

from backend.api.base import ApiHandler
from backend.api.openapi import Operation, Route
from backend.api.platforms.schemas import DriftOut, PlatformList, drift_out, platforms_out
from backend.api.query import NoQuery


class PlatformsHandler(ApiHandler):
    """All platforms."""

    def get(self) -> None:
        """List crawl platforms and generation providers alike."""
        self.read_query(NoQuery)
        self.write_data(platforms_out(self.services.platforms.list(), self.speech))


class PlatformDriftHandler(ApiHandler):
    """How a platform's fields come filled."""

    async def get(self, platform_id: str) -> None:
        """Compare its newest items with those before them."""
        self.read_query(NoQuery)
        self.write_data(drift_out(await self.services.drift.of(platform_id)))


ROUTES = (
    Route(
        "/api/v1/platforms",
        PlatformsHandler,
        {"get": Operation("List crawl platforms and generation providers", PlatformList)},
    ),
    Route(
        "/api/v1/platforms/{platform_id}/drift",
        PlatformDriftHandler,
        {"get": Operation("Say how often a crawl platform's fields come filled", DriftOut, errors=("NOT_FOUND",))},
    ),
)
