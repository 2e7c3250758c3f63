"""Keeps Python's garbage collector from holding up the loop.

A full collection looks at every container there is, and nothing else runs meanwhile (measured with 400 pollers and 60
crawls: 64 to 165 ms of CPU each; collections of the middle generation up to 16 ms). So the collector is called less
often, and what a full one leaves is set aside (`gc.freeze`): the next looks only at what is new. What was set aside
still goes when its last reference does; cycles among it wait until everything is looked at once more.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

from backend.core.clock import Clock

# 700, 10, 10 is Python's default. What the collector is called for is growth and cycles, and neither is what ten
# thousand waits make that come and go: with 2,000 they called it three times a second for 5 to 10 ms each, and every
# four seconds for 20 to 37; with 50,000 every ten seconds, but for 28 to 93 (measured with a thousand pollers and a
# hundred crawls). Between the two, ten thousand tasks are cancelled with 23 to 29 ms of lag at p99, not 40 to 46.
_THRESHOLDS = (10_000, 10, 10)
# What it is called for seldom, is looked for now and then: the last minute's cycles, and every ten minutes all of them.
_LOOK_EVERY_S = 60.0
_YOUNG = 1
_OLDEST = 2
_LOOK_AT_ALL_EVERY_S = 600.0
# So much more than after the last whole look may be dead.
_MOST_GROWTH = 1.5


Later = Callable[[float, Callable[[], None]], asyncio.TimerHandle | None]


def _never(_seconds: float, _call: Callable[[], None]) -> None:
    return None


class GarbageKeeper:
    """One per process, from `start` to `stop`."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._before = gc.get_threshold()
        self._whole_at = clock.elapsed()
        self._kept = 0
        # Never less than what is set aside: counting that itself costs up to 0.1 s (measured at a million things).
        self._at_most = 0
        self._is_whole = True
        self._later: Later = _never
        self._timer: asyncio.TimerHandle | None = None

    def start(self, later: Later | None = None) -> None:
        """Collect once, and set aside what the process has made so far; `later` (a loop's) calls back each minute."""
        gc.callbacks.append(self._heard)
        gc.set_threshold(*_THRESHOLDS)
        self._is_whole = True
        gc.collect()
        self._later = later or _never
        self._wait()

    def stop(self) -> None:
        """Leave the collector as it was."""
        if self._timer is not None:
            self._timer.cancel()
        gc.callbacks.remove(self._heard)
        gc.set_threshold(*self._before)
        gc.unfreeze()

    def _wait(self) -> None:
        self._timer = self._later(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        gc.collect(_OLDEST if self._is_time_for_all() else _YOUNG)
        self._wait()

    def _is_time_for_all(self) -> bool:
        return self._clock.elapsed() - self._whole_at >= _LOOK_AT_ALL_EVERY_S

    def _heard(self, phase: str, info: dict[str, Any]) -> None:
        if info["generation"] != _OLDEST:
            return
        if phase == "start":
            self._before_full()
        else:
            self._after_full()

    def _before_full(self) -> None:
        if self._is_time_for_all() or self._has_grown():
            self._is_whole = True
            gc.unfreeze()

    def _has_grown(self) -> bool:
        most = _MOST_GROWTH * self._kept
        if self._at_most > most:
            # What has gone since with its last reference was not taken off.
            self._at_most = gc.get_freeze_count()
        return self._at_most > most

    def _after_full(self) -> None:
        if self._is_whole:
            gc.freeze()
            self._is_whole = False
            self._whole_at = self._clock.elapsed()
            self._kept = self._at_most = gc.get_freeze_count()
        else:
            self._at_most += len(gc.get_objects(_OLDEST))
            gc.freeze()
