from bench.environment import report_of
from bench.environment_lab.facts import Fact


def test_part_that_cannot_be_looked_at_is_skipped_and_no_failure() -> None:
    report = report_of([Fact("clock", "skipped", None, "no libfaketime"), Fact("disk-logs", "goes on", is_so=True)])

    assert report.is_ok
    assert report.figures["skipped"] == 1


def test_one_thing_that_is_not_so_fails_the_measurement() -> None:
    assert not report_of([Fact("disk-logs", "goes on", is_so=False), Fact("clock", "right", is_so=True)]).is_ok
