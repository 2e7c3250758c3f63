"""Writes that need not wait for the journal, because one that does follows them, and whether that held for all of them.

The journal is one and in order, so the write that waited holds for those before it, as long as the server was there
all the while. One that was killed in between has forgotten what it had not journalled, and an operation that waits for
it to be back lands without them (seen once in 794 kills: a crawl ended with one page of twelve). A server that goes
away is noticed at once, by the driver's monitor, and long before it can be back: its pool of connections is cleared.
"""

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.monitoring import (
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionCheckOutStartedEvent,
    ConnectionClosedEvent,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
    ConnectionReadyEvent,
    PoolClearedEvent,
    PoolClosedEvent,
    PoolCreatedEvent,
    PoolReadyEvent,
)

from backend.domain.errors import StoreUnavailableError


class Breaks(ConnectionPoolListener):
    """Counts how often the server was lost. Called from the driver's threads."""

    def __init__(self) -> None:
        self.count = 0

    def pool_cleared(self, event: PoolClearedEvent) -> None:
        """Count one more."""
        del event
        self.count += 1

    def pool_created(self, event: PoolCreatedEvent) -> None:
        """Pass."""

    def pool_ready(self, event: PoolReadyEvent) -> None:
        """Pass."""

    def pool_closed(self, event: PoolClosedEvent) -> None:
        """Pass."""

    def connection_created(self, event: ConnectionCreatedEvent) -> None:
        """Pass."""

    def connection_ready(self, event: ConnectionReadyEvent) -> None:
        """Pass."""

    def connection_closed(self, event: ConnectionClosedEvent) -> None:
        """Pass."""

    def connection_check_out_started(self, event: ConnectionCheckOutStartedEvent) -> None:
        """Pass."""

    def connection_check_out_failed(self, event: ConnectionCheckOutFailedEvent) -> None:
        """Pass."""

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:
        """Pass."""

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:
        """Pass."""


class Ahead:
    """What was written ahead of the journal in one `ahead_of_journal`, those inside it included."""

    def __init__(self, outer: "Ahead | None") -> None:
        self._outer = outer
        self._counts: dict[Breaks, int] = {}

    def note(self, breaks: Breaks) -> None:
        """Remember that something is about to be written to this server."""
        self._counts.setdefault(breaks, breaks.count)
        if self._outer is not None:
            self._outer.note(breaks)

    def check(self) -> None:
        """Raise StoreUnavailableError when the server was lost since: all of it is to be done again.

        Call it when the write that waited for the journal is acknowledged.
        """
        if any(breaks.count != count for breaks, count in self._counts.items()):
            raise StoreUnavailableError("it was lost between two writes")


_ahead: contextvars.ContextVar[Ahead | None] = contextvars.ContextVar("ahead_of_journal", default=None)


@contextmanager
def ahead_of_journal() -> Iterator[Ahead]:
    """Let writes inside (tasks made inside included) not wait for the journal, because one that does follows them.

    MongoDB's journal is one and in order, as a replica set's oplog is: the acknowledged write that comes after holds
    for all of these too, if `check` of what is given says so then. (Measured beside a crawl that stores thousands of
    links: each wait took 3 to 27 ms.)
    """
    ahead = Ahead(_ahead.get())
    token = _ahead.set(ahead)
    try:
        yield ahead
    finally:
        _ahead.reset(token)


def written_ahead(breaks: Breaks) -> bool:
    """Tell whether a write begun here need not wait for the journal, and note it if so."""
    ahead = _ahead.get()
    if ahead is not None:
        ahead.note(breaks)
    return ahead is not None
