"""`/system/retention`: how long ended tasks are kept, and what would go now."""

from backend.api.base import ApiHandler
from backend.api.openapi import Operation, Route
from backend.api.query import NoQuery
from backend.api.retention.schemas import RetentionOut, retention_out


class RetentionHandler(ApiHandler):
    """The rules, counted."""

    async def get(self) -> None:
        """Say what each rule would purge now, and how full the disk is."""
        self.read_query(NoQuery)
        self.write_data(retention_out(await self.services.retention.preview()))


ROUTES = (
    Route(
        "/api/v1/system/retention",
        RetentionHandler,
        {"get": Operation("Preview what the retention rules would purge", RetentionOut)},
    ),
)
