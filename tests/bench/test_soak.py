"""The line that tells whether memory grows."""

import math
import random

from bench.report import judge
from bench.soak import TARGETS, Sample, slope_of, trends


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


def hour_of(mb_per_h: float) -> list[Sample]:
    """An hour's samples: memory that swings by some MB, as films come and go, and grows all the while."""
    chance = random.Random(1)
    return [
        Sample(
            at_s=at_s,
            rss_mb=125 + mb_per_h * at_s / 3_600 + chance.choice((0.0, 0.0, 1.7, 3.4)),
            anon_mb=95 + mb_per_h * at_s / 3_600,
            mongod_mb=160,
            valkey_mb=12,
            blocks_k=500,
            fds=80,
            threads=80,
            tasks=20,
        )
        for at_s in range(10, 3_601, 10)
    ]


def is_flat(samples: list[Sample]) -> bool:
    return judge(trends(samples, warm_up_s=600), TARGETS)["rss_mb_per_h_beyond_noise"].met


def test_leak_of_two_kilobytes_a_task_misses_the_goal() -> None:
    tasks_an_hour = 3_000

    assert is_flat(hour_of(2 * tasks_an_hour / 1_000)) is False


def test_memory_that_only_swings_meets_the_goal() -> None:
    assert is_flat(hour_of(0.0)) is True


def test_growth_before_the_end_of_the_warm_up_is_not_counted() -> None:
    samples = hour_of(0.0)
    cold = [Sample(at_s, 100 + at_s / 20, 70, 160, 12, 400, 80, 80, 20) for at_s in range(10, 600, 10)]

    assert trends([*cold, *samples[60:]], warm_up_s=600) == trends(samples[60:], warm_up_s=600)
