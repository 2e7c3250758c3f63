"""Waiting for what tells nobody when it happens: a process, a port, a file."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_EVERY_S = 0.05


def wait_until(look: Callable[[], T | None], *, within_s: float) -> T | None:
    """Return the first thing `look` returns that is not None; None when that has not come in time.

    It looks at least once, and what it raises ends the waiting.
    """
    end = time.monotonic() + within_s
    while True:
        found = look()
        if found is not None or time.monotonic() >= end:
            return found
        time.sleep(_LOOK_EVERY_S)
