"""`/stream`: what happens, while it happens."""

from backend.api.base import ApiHandler
from backend.api.errors import ApiError
from backend.api.openapi import Operation, Route
from backend.api.stream.broadcast import Broadcast
from backend.api.stream.frames import RETRY, resync_frame
from backend.api.stream.readers import Reader
from backend.api.stream.schemas import StreamEventData, StreamQuery
from backend.domain.errors import ShuttingDownError
from backend.domain.text import Text

EVENT_STREAM = "text/event-stream; charset=utf-8"
_FULL = Text("打开的实时连接过多，请关闭一些页面", "Too many open streams: close some pages")
_MAX_CURSOR_CHARS = 512


class StreamHandler(ApiHandler):
    """The stream; one connection for everything a page shows."""

    @property
    def streams(self) -> Broadcast:
        """The open streams."""
        streams: Broadcast = self.application.settings["streams"]
        return streams

    async def get(self) -> None:
        """Open a stream; it ends when the reader leaves, is too slow, or the server stops."""
        query = self.read_query(StreamQuery)
        await self._refuse_hidden(query.topics)
        self._refuse_when_full()
        # Whoever was shut out while their tasks were looked up is not among the readers that are parted from.
        if not self.door.callers.is_current(self.caller):
            self.check_caller()
        # The header first: a browser that connects again by itself still has the `after` it began with.
        cursor = self.request.headers.get("Last-Event-ID", "")[:_MAX_CURSOR_CHARS] or query.after
        hub = self.services.events
        missed = hub.replay(cursor) if cursor else []
        first = RETRY if not isinstance(missed, str) else RETRY + resync_frame(missed, hub.cursor)
        reader = self._open(frozenset(query.topics or ("tasks",)), first)
        await self.streams.serve(reader, [] if isinstance(missed, str) else missed)

    async def head(self) -> None:  # type: ignore[override]
        """Answer with the headers; there is nothing to follow."""
        query = self.read_query(StreamQuery)
        await self._refuse_hidden(query.topics)
        self._refuse_when_full()
        self._say_what_comes()

    async def _refuse_hidden(self, topics: tuple[str, ...]) -> None:
        """Raise TaskNotFoundError for a task that the caller may not see."""
        if self.services.access.sees_all(self.caller):
            return
        for task_id in {topic.partition(":")[2] for topic in topics} - {""}:
            await self.services.access.check(task_id, self.caller, is_change=False)

    def _refuse_when_full(self) -> None:
        if self.services.system.is_draining or self.streams.is_closed:
            raise ShuttingDownError
        if self.streams.is_full:
            raise ApiError("RATE_LIMITED", _FULL, can_retry=True, headers={"Retry-After": "10"})

    def _say_what_comes(self) -> None:
        self.set_header("Content-Type", EVENT_STREAM)
        # A proxy that collects the answer first would show nothing for ever (nginx's own header for it).
        self.set_header("X-Accel-Buffering", "no")

    def _open(self, topics: frozenset[str], first: bytes) -> Reader:
        """Send the headers and the first bytes, and take the connection out of Tornado's hands."""
        self._say_what_comes()
        self.write(first)
        self.flush()
        # It is no answer in progress that a server which leaves has to wait for.
        self.door.answering.remove(self)
        self.application.log_request(self)
        is_chunked = self.request.version == "HTTP/1.1"
        only_by = None if self.services.access.sees_all(self.caller) else self.caller.name
        return Reader(self.detach(), topics, self.speech, is_chunked, self.caller, only_by)


ROUTES = (
    Route(
        "/api/v1/stream",
        StreamHandler,
        {
            "get": Operation(
                "Follow tasks live, as Server-Sent Events; the schema is that of the events' data",
                StreamEventData,
                query=StreamQuery,
                errors=("TASK_NOT_FOUND", "SHUTTING_DOWN", "RATE_LIMITED"),
                headers={"Last-Event-ID": "As `after`, and before it; a browser sends it when it connects again"},
                is_bare=True,
                media_type="text/event-stream",
            )
        },
    ),
)
