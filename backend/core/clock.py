"""The only clocks of the product (lifecycle.md §3, Clocks)."""

import math
import sys
import time
from datetime import UTC, datetime, timedelta

# A longer round trip does not tell when in it the server read its clock: we may have been frozen meanwhile.
_LONGEST_TRIP_S = 1.0
_JUMP = timedelta(seconds=2)


class Clock:
    """Wall time that follows MongoDB's, and elapsed time that no clock jump moves.

    Between two looks at MongoDB's clock `now` runs with `elapsed`, so that setting this machine's clock moves no lease.
    """

    def __init__(self) -> None:
        self._seen, self._seen_at = datetime.now(UTC), _elapsed()
        self._is_following = False
        self._jumped_at = -math.inf

    def now(self) -> datetime:
        """Return the time of day by MongoDB's clock, aware UTC, whole milliseconds (what BSON keeps)."""
        moment = self._at(_elapsed())
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def elapsed(self) -> float:
        """Return seconds since some fixed moment; runs on through a suspend where the system can."""
        return _elapsed()

    @property
    def offset_s(self) -> float:
        """How far MongoDB's clock is ahead of this machine's, seconds."""
        return (self._at(_elapsed()) - datetime.now(UTC)).total_seconds()

    @property
    def steady_s(self) -> float:
        """For how many seconds MongoDB's clock has made no jump that we saw; infinite when it never has."""
        return _elapsed() - self._jumped_at

    def follow(self, server_time: datetime, *, sent_at: float, received_at: float) -> None:
        """Take over a server's time that was read between two elapsed times; a slow answer tells too little."""
        if self._is_following and received_at - sent_at > _LONGEST_TRIP_S:
            return
        middle = sent_at + (received_at - sent_at) / 2
        if self._is_following and abs(server_time - self._at(middle)) > _JUMP:
            self._jumped_at = received_at
        self._seen, self._seen_at, self._is_following = server_time, middle, True

    def _at(self, elapsed_s: float) -> datetime:
        return self._seen + timedelta(seconds=elapsed_s - self._seen_at)


def _elapsed() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()
