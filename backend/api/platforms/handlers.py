"""`/platforms`: what can be crawled, and what can generate."""

from backend.api.base import ApiHandler
from backend.api.openapi import Operation, Route
from backend.api.platforms.schemas import PlatformList, platforms_out
from backend.api.query import NoQuery


class PlatformsHandler(ApiHandler):
    """All platforms."""

    def get(self) -> None:
        """List crawl platforms and generation providers alike."""
        self.read_query(NoQuery)
        self.write_data(platforms_out(self.services.platforms.list(), self.speech))


ROUTES = (
    Route(
        "/api/v1/platforms",
        PlatformsHandler,
        {"get": Operation("List crawl platforms and generation providers", PlatformList)},
    ),
)
