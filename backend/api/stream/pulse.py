"""How the server is, for the event `system`."""

import contextlib

from backend.api.base import Services
from backend.api.stream.schemas import SystemEventData
from backend.domain.errors import StoreUnavailableError
from backend.domain.task import TaskStatus


class Pulse:
    """Asks as seldom as it is asked; while MongoDB is away the counts are the last ones known."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._counts: dict[TaskStatus, int] = {}

    async def take(self) -> SystemEventData:
        """Return the state of the server now."""
        with contextlib.suppress(StoreUnavailableError):
            self._counts = dict(await self._services.tasks.counts())
        health = await self._services.system.health()
        return {
            "running": self._counts.get(TaskStatus.RUNNING, 0),
            "pending": self._counts.get(TaskStatus.PENDING, 0),
            "waiting": self._counts.get(TaskStatus.WAITING, 0),
            "status": health.status,
            "version": self._services.system.version,
        }
