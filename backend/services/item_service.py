"""What crawls found, and which URLs they looked at."""

from dataclasses import dataclass

from backend.store.frontier import FrontierStore, PageList
from backend.store.items import ItemPage, ItemStore


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which rows of a frontier; `state` and `outcome` are the words of domain.item.Page."""

    state: str | None = None
    outcome: str | None = None
    cursor: str | None = None
    limit: int = 50


class ItemService:
    """Reads items and frontier rows of one task."""

    def __init__(self, items: ItemStore, frontier: FrontierStore) -> None:
        self._items = items
        self._frontier = frontier

    async def list(self, task_id: str, *, limit: int, cursor: str | None) -> ItemPage:
        """Return the task's items in the order they were first seen. Raises BadCursorError."""
        return await self._items.list(task_id, limit=limit, cursor=cursor)

    async def pages(self, task_id: str, query: PageQuery) -> PageList:
        """Return the URLs of the task in the order they were found. Raises BadCursorError."""
        return await self._frontier.list(
            task_id, limit=query.limit, cursor=query.cursor, state=query.state, outcome=query.outcome
        )
