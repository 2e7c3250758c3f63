"""Long work on the loop, in short turns: what else the loop has to do never waits for more than one of them."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from backend.core.clock import Clock

T = TypeVar("T")
R = TypeVar("R")

_TURN_S = 0.005


class Turns:
    """Gives turns of some milliseconds to those who have long work, one of them at a time."""

    def __init__(self, clock: Clock, *, turn_s: float = _TURN_S) -> None:
        self._clock = clock
        self._turn_s = turn_s
        self._turn = asyncio.Lock()

    async def map(self, work: Callable[[T], R], things: Iterable[T]) -> list[R]:
        """Return what `work`, a step of well under a turn, makes of each thing, in order."""
        done: list[R] = []
        left = iter(things)
        while True:
            async with self._turn:
                has_more = self._take_turn(work, left, done)
                # Inside, so that nobody takes the next turn in this step of the loop.
                await asyncio.sleep(0)
            if not has_more:
                return done

    def _take_turn(self, work: Callable[[T], R], left: Iterator[T], done: list[R]) -> bool:
        """Work for one turn; False when nothing is left."""
        until = self._clock.elapsed() + self._turn_s
        for thing in left:
            done.append(work(thing))
            if self._clock.elapsed() >= until:
                return True
        return False
