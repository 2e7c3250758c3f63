"""The server's events as they come over the wire: Server-Sent Events, parsed without any input or output.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html, checked 2026-11-22.
"""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Not the server's: the connection stands (again), and nothing has come for a while.
OPENED = "opened"
HEARTBEAT = "heartbeat"
# Far above any frame of ours: what has no end must not fill the memory.
MAX_EVENT_CHARS = 8 << 20

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: task.created, task.updated, task.log, task.items, system or resync, and its data.

    `cursor` is where a reader goes on behind it; None for what is not replayed (progress, log lines).
    """

    name: str
    data: Any
    cursor: str | None = None


class EventTooLongError(ValueError):
    """An event without an end."""


class EventParser:
    """Takes bytes as they arrive, gives whole events. A comment, the server's heartbeat, is a HEARTBEAT."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest = ""
        self._name = ""
        self._data: list[str] = []
        self._cursor: str | None = None

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield what `data` completes. Raises EventTooLongError, and ValueError for data that is no JSON."""
        self._rest += self._decode(data)
        while (end := _LINE_END.search(self._rest)) is not None:
            if end.group() == "\r" and end.end() == len(self._rest):
                # Perhaps the first half of a CRLF.
                break
            line, self._rest = self._rest[: end.start()], self._rest[end.end() :]
            event = self._take(line)
            if event is not None:
                yield event
        if len(self._rest) + sum(map(len, self._data)) > MAX_EVENT_CHARS:
            raise EventTooLongError(f"an event of over {MAX_EVENT_CHARS} characters")

    def _take(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        if not name:
            return Event(HEARTBEAT, None)
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._cursor = value
        return None

    def _dispatch(self) -> Event | None:
        name, data, cursor = self._name or "message", self._data, self._cursor
        self._name, self._data, self._cursor = "", [], None
        return Event(name, json.loads("\n".join(data)), cursor) if data else None
