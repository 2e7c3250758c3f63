"""The only clocks of the product (lifecycle.md §3, Clocks)."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Wall time that follows MongoDB's, and elapsed time that no clock jump moves.

    `set_offset` is called with the beat; a large offset shows in /health.
    """

    def __init__(self) -> None:
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """Return the time of day by MongoDB's clock, aware UTC, whole milliseconds (what BSON keeps)."""
        moment = datetime.now(UTC) + self._offset
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def elapsed(self) -> float:
        """Return seconds since some fixed moment; runs on through a suspend where the system can."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    @property
    def offset_s(self) -> float:
        """How far MongoDB's clock is ahead of ours, seconds."""
        return self._offset.total_seconds()

    def follow(self, server_time: datetime, *, sent_at: datetime, received_at: datetime) -> None:
        """Take over a server's time that was read between two moments of our own clock."""
        middle = sent_at + (received_at - sent_at) / 2
        self._offset = server_time - middle
