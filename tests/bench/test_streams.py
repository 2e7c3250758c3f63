import argparse

import pytest

from bench.streams import run

FAST = argparse.Namespace(streams=30, tasks=5, seconds=1.5)


@pytest.mark.slow
def test_every_reader_is_told_every_change_once_and_every_end_once() -> None:
    figures = run(FAST).figures

    told = ("changes_lost", "changes_repeated", "changes_out_of_order", "finals_wrong", "streams_closed")
    assert {name: figures[name] for name in told} == dict.fromkeys(told, 0)
    assert (figures["opened"], figures["changes_each"] >= 10) == (1, True)
