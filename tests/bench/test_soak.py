"""The line that tells whether memory grows."""

import math
import random

from bench.soak import slope_of


def test_line_without_noise_has_its_slope_and_no_error() -> None:
    assert slope_of([0.0, 1.0, 2.0], [5.0, 7.0, 9.0]) == (2.0, 0.0)


def test_two_values_say_nothing() -> None:
    assert all(math.isnan(figure) for figure in slope_of([0.0, 1.0], [5.0, 7.0]))


def test_error_covers_the_slope_of_flat_noise() -> None:
    chance = random.Random(1)
    hours = [number / 360 for number in range(360)]

    slope, error = slope_of(hours, [100 + chance.gauss(0, 1) for _ in hours])

    assert abs(slope) < 3 * error
    assert error < 0.5


def test_error_is_wider_where_neighbours_are_alike() -> None:
    chance = random.Random(1)
    hours = [number / 360 for number in range(360)]
    apart = [chance.gauss(0, 1) for _ in hours]
    walk = [sum(apart[max(0, number - 30) : number + 1]) for number in range(360)]

    assert slope_of(hours, walk)[1] > 5 * slope_of(hours, apart)[1]
