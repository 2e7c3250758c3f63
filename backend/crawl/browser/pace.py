"""How fast a person's hand is: chance and time are arguments, so that tests need neither."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Ranges that are drawn from: pixels for each turn of the wheel, seconds between turns and after a scroll.

    The defaults are a reader's: about a screen in a second, then a look at it.
    """

    wheel_px: Range = (90.0, 180.0)
    wheel_pause_s: Range = (0.03, 0.12)
    rest_s: Range = (0.8, 2.2)
    aim_s: Range = (0.08, 0.3)
    screen_share: Range = (0.6, 0.95)

    def turns(self, height_px: float, chance: random.Random) -> Iterator[tuple[float, float]]:
        """Yield pixels and pause of each turn of the wheel until most of a screen of this height has gone by."""
        left_px = height_px * chance.uniform(*self.screen_share)
        while left_px > 0:
            turn_px = min(left_px, chance.uniform(*self.wheel_px))
            left_px -= turn_px
            yield turn_px, chance.uniform(*self.wheel_pause_s)

    def rest(self, chance: random.Random) -> float:
        """Return how long to look before the next move."""
        return chance.uniform(*self.rest_s)

    def aim(self, chance: random.Random) -> float:
        """Return how long the pointer rests on a thing before the click."""
        return chance.uniform(*self.aim_s)


def point_in(box: tuple[float, float, float, float], chance: random.Random) -> tuple[float, float]:
    """Return a point in the inner half of a box (x, y, width, height): nobody hits the very middle."""
    x, y, width, height = box
    return x + width * chance.uniform(0.25, 0.75), y + height * chance.uniform(0.25, 0.75)
