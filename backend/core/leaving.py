"""The last way out: a stop has its bound even when a store, a thread or the loop itself hangs."""

import os
import threading
from collections.abc import Callable

from loguru import logger

# Whoever reads our log may be what hangs.
_SAY_S = 0.2


def leave_within(seconds: float, *, kill_children: Callable[[], None]) -> threading.Timer:
    """End this process with code 0 in so many seconds, unless it has ended in order by then; cancel it to stay.

    `kill_children` is called first, from a thread of its own: a frozen store would outlive us.
    """

    def leave() -> None:
        saying = threading.Thread(target=_say, name="leave-saying", daemon=True)
        saying.start()
        saying.join(_SAY_S)
        kill_children()
        os._exit(0)

    timer = threading.Timer(seconds, leave)
    timer.name = "leave-within"
    timer.daemon = True
    timer.start()
    return timer


def _say() -> None:
    logger.warning("closing takes too long: leaving now, what is still held runs out with its lease")
