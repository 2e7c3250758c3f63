"""Which threads of this process do the work of tasks right now."""

import sys
import threading
from concurrent.futures import thread as pool_thread

# Pools whose threads do the work of tasks; those of the driver are looked at through the operations in flight.
_POOLS = ("asyncio", "dns", "parser", "execution", "waitpid")


def busy_threads() -> list[str]:
    """Return the names of the pools' threads that are not waiting for something to do."""
    names = {one.ident: one.name for one in threading.enumerate()}
    idle = pool_thread._worker.__code__
    return [
        names.get(ident, "?")
        for ident, frame in sys._current_frames().items()
        if names.get(ident, "").startswith(_POOLS) and frame.f_code is not idle
    ]
