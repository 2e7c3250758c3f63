import itertools
import random

from backend.crawl.pacer import Pacer


def test_steps_of_all_tasks_are_apart() -> None:
    pacer = Pacer(10.0, chance=random.Random(1))

    starts = [100.0 + pacer.reserve(100.0) for _ in range(20)]

    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert starts[0] == 100.0
    assert all(8.0 <= gap <= 16.0 for gap in gaps)
    assert len(set(gaps)) > 10


def test_step_after_a_long_pause_is_free() -> None:
    pacer = Pacer(10.0, chance=random.Random(1))
    pacer.reserve(0.0)

    assert pacer.reserve(1_000.0) == 0.0
