"""Keeps Python's garbage collector from holding up the loop.

A full collection looks at every container there is, and nothing else runs meanwhile (measured with 400 pollers and 60
crawls: 64 to 165 ms of CPU each; collections of the middle generation up to 16 ms). So the collector is called less
often, and what a full one leaves is set aside (`gc.freeze`): the next looks only at what is new. What was set aside
still goes when its last reference does; cycles among it wait until everything is looked at once more.
"""

import gc
from typing import Any

from backend.core.clock import Clock

# 700, 10, 10 is Python's default. With 10,000 the youngest generation alone took up to 45 ms on a busy machine.
_THRESHOLDS = (2_000, 10, 10)
_OLDEST = 2
_LOOK_AT_ALL_EVERY_S = 600.0
# So much more than after the last whole look may be dead.
_MOST_GROWTH = 1.5


class GarbageKeeper:
    """One per process, from `start` to `stop`."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._before = gc.get_threshold()
        self._whole_at = clock.elapsed()
        self._kept = 0
        self._is_whole = True

    def start(self) -> None:
        """Collect once, and set aside what the process has made so far."""
        gc.callbacks.append(self._heard)
        gc.set_threshold(*_THRESHOLDS)
        self._is_whole = True
        gc.collect()

    def stop(self) -> None:
        """Leave the collector as it was."""
        gc.callbacks.remove(self._heard)
        gc.set_threshold(*self._before)
        gc.unfreeze()

    def _heard(self, phase: str, info: dict[str, Any]) -> None:
        if info["generation"] != _OLDEST:
            return
        if phase == "start":
            self._before_full()
        else:
            self._after_full()

    def _before_full(self) -> None:
        is_old = self._clock.elapsed() - self._whole_at >= _LOOK_AT_ALL_EVERY_S
        if is_old or gc.get_freeze_count() > _MOST_GROWTH * self._kept:
            self._is_whole = True
            gc.unfreeze()

    def _after_full(self) -> None:
        gc.freeze()
        if self._is_whole:
            self._is_whole = False
            self._whole_at = self._clock.elapsed()
            self._kept = gc.get_freeze_count()
