"""The pause between two steps of everything this process does on one site."""

import random
import threading

_SPREAD = (0.8, 1.6)


class Pacer:
    """Hands out moments at least about `interval_s` apart, to all tasks of a platform together."""

    def __init__(self, interval_s: float, *, chance: random.Random) -> None:
        self._interval_s = interval_s
        self._chance = chance
        self._next = 0.0
        # Thread mode: executions run on loops of their own.
        self._turn = threading.Lock()

    def reserve(self, now: float) -> float:
        """Take the next free moment; return in how many seconds it is.

        `now` is in seconds, by a clock that never goes back: the same for all callers.
        """
        with self._turn:
            start = max(now, self._next)
            self._next = start + self._interval_s * self._chance.uniform(*_SPREAD)
            return start - now
