"""Which threads of this process do the work of tasks right now."""

import sys
import threading
import time
from concurrent.futures import thread as pool_thread

# Pools whose threads do the work of tasks; those of the driver are looked at through the operations in flight.
POOLS = ("asyncio", "dns", "parser", "execution", "waitpid")
_LOOK_EVERY_S = 0.005


def busy_threads(*, pools: tuple[str, ...] = POOLS, for_s: float = 0.0) -> list[str]:
    """Return the names of these pools' threads that are busy, and stay so for `for_s` or longer."""
    until = time.monotonic() + for_s
    while (busy := _busy_now(pools)) and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
    return busy


def _busy_now(pools: tuple[str, ...]) -> list[str]:
    names = {one.ident: one.name for one in threading.enumerate()}
    idle = pool_thread._worker.__code__
    return [
        names.get(ident, "?")
        for ident, frame in sys._current_frames().items()
        if names.get(ident, "").startswith(pools) and frame.f_code is not idle
    ]
