"""`/tasks/{id}/export` and `/items/export`: results as a file, streamed while it is made."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import Finish

from backend.api.base import ApiHandler
from backend.api.disposition import disposition
from backend.api.exports.schemas import ExportQuery, ItemsExportQuery, export_of_items, export_of_task
from backend.api.openapi import Operation, Route
from backend.api.query import QueryModel
from backend.api.tasks.handlers import TaskPartHandler
from backend.core.hang_up import hang_up
from backend.domain.errors import MediaCrawerError
from backend.services.exports.service import Export, ExportRequest

# A reader that takes nothing for so long holds a place that others wait for.
STALLED_S = 60.0


class ExportHandler(ApiHandler):
    """Sends a file whose length nobody knows before its end."""

    stalled_s = STALLED_S

    async def send_export(self, request: ExportRequest) -> None:
        """Stream the file; HEAD says whether it could be, and under which name."""
        export = await self.while_connected(self.services.exports.plan(request))
        self._headers["Content-Type"] = export.media_type
        self._headers["Content-Disposition"] = disposition("attachment", export.file_name)
        if self.request.method != "HEAD":
            await self.while_connected(self._pour(export))

    async def _pour(self, export: Export) -> None:
        is_whole = False
        try:
            async with aclosing(self.services.exports.chunks(export)) as chunks:
                async for chunk in chunks:
                    self.write(chunk)
                    async with asyncio.timeout(self.stalled_s):
                        await self.flush()
            is_whole = True
        except (StreamClosedError, TimeoutError):
            # The reader has gone, or has taken nothing for long.
            raise Finish from None
        except MediaCrawerError:
            if not self._headers_written:
                raise
            raise Finish from None
        finally:
            if not is_whole and self._headers_written:
                self._cut()

    def _cut(self) -> None:
        """End the connection without the last chunk: half a file must not look whole."""
        connection: Any = self.request.connection
        hang_up(connection.stream)


class TaskExportHandler(ExportHandler, TaskPartHandler):
    """The items of a task as a file."""

    async def get(self, task_id: str) -> None:
        """Send them in the order they were first seen."""
        query = self.read_query(ExportQuery)
        task = await self.find_task(task_id)
        await self.send_export(export_of_task(query, task, speech=self.speech, by=self.caller.name))


class ItemsExportHandler(ExportHandler):
    """The items of many tasks as a file."""

    async def get(self) -> None:
        """Send those that match, task by task."""
        query = self.read_query(ItemsExportQuery)
        request = export_of_items(query, speech=self.speech, by=self.caller.name)
        scope = replace(request.scope, query=self.services.access.seen(request.scope.query, self.caller))
        await self.send_export(replace(request, scope=scope))


def _operation(summary: str, query: type[QueryModel], *errors: str) -> Operation:
    return Operation(
        summary,
        None,
        query=query,
        errors=(*errors, "RATE_LIMITED"),
        answer_headers={"Content-Disposition": "The name of the file"},
        statuses={200: "The file, chunked; a connection that ends before the last chunk means that it failed"},
        media_type="application/octet-stream",
    )


ROUTES = tuple(
    Route(path, handler, {verb: _operation(summary, query, *errors) for verb, summary in summaries.items()})
    for path, handler, query, errors, summaries in (
        (
            "/api/v1/tasks/{task_id}/export",
            TaskExportHandler,
            ExportQuery,
            ("TASK_NOT_FOUND",),
            {"get": "Export what a task found", "head": "Ask whether it can be exported, and as which file"},
        ),
        (
            "/api/v1/items/export",
            ItemsExportHandler,
            ItemsExportQuery,
            (),
            {"get": "Export the items that match", "head": "Ask whether they can be exported, and as which file"},
        ),
    )
)
