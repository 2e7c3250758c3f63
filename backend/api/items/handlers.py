"""What one task found and looked at: `/tasks/{id}/items` and `/tasks/{id}/pages`."""

from backend.api.items.schemas import ItemList, ItemsQuery, PageList, PagesQuery, item_out, page_out
from backend.api.openapi import Operation, Route
from backend.api.tasks.handlers import TaskPartHandler
from backend.services.item_service import PageQuery


class TaskItemsHandler(TaskPartHandler):
    """The items of a task."""

    async def get(self, task_id: str) -> None:
        """List them in the order they were first seen."""
        query = self.read_query(ItemsQuery)
        await self.find_task(task_id)
        found = await self.services.items.list(task_id, limit=query.limit, cursor=query.cursor)
        items = [item_out(item, with_raw=query.raw) for item in found.items]
        self.write_data({"items": items, "next_cursor": found.next_cursor})


class TaskPagesHandler(TaskPartHandler):
    """The URLs of a crawl."""

    async def get(self, task_id: str) -> None:
        """List them in the order they were found."""
        query = self.read_query(PagesQuery)
        await self.find_task(task_id)
        found = await self.services.items.pages(task_id, PageQuery(**query.model_dump()))
        self.write_data({"items": [page_out(page) for page in found.pages], "next_cursor": found.next_cursor})


_ERRORS = ("TASK_NOT_FOUND", "BAD_CURSOR")
ROUTES = (
    Route(
        "/api/v1/tasks/{task_id}/items",
        TaskItemsHandler,
        {"get": Operation("List what a task found", ItemList, query=ItemsQuery, errors=_ERRORS)},
    ),
    Route(
        "/api/v1/tasks/{task_id}/pages",
        TaskPagesHandler,
        {"get": Operation("List the URLs a crawl looked at", PageList, query=PagesQuery, errors=_ERRORS)},
    ),
)
