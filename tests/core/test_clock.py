from datetime import UTC, datetime, timedelta

import pytest

from backend.core import clock as clock_module
from backend.core.clock import Clock

HOUR = timedelta(hours=1)


class Machine:
    """This machine's two clocks, moved by hand."""

    def __init__(self) -> None:
        self.day = datetime(2026, 11, 22, 8, tzinfo=UTC)
        self.elapsed_s = 100.0

    def pass_time(self, seconds: float) -> None:
        self.elapsed_s += seconds
        self.day += timedelta(seconds=seconds)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()

    class Day(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return made.day

    monkeypatch.setattr(clock_module, "datetime", Day)
    monkeypatch.setattr(clock_module, "_elapsed", lambda: made.elapsed_s)
    return made


def hear(clock: Clock, machine: Machine, server_time: datetime, *, took_s: float = 0.0) -> None:
    sent_at = machine.elapsed_s
    machine.pass_time(took_s)
    clock.follow(server_time, sent_at=sent_at, received_at=machine.elapsed_s)


def test_time_of_day_is_the_servers(machine: Machine) -> None:
    clock = Clock()

    hear(clock, machine, machine.day + HOUR)
    machine.pass_time(5)

    assert clock.now() == machine.day + HOUR
    assert clock.offset_s == HOUR.total_seconds()


def test_setting_this_machines_clock_moves_no_time_of_ours(machine: Machine) -> None:
    clock = Clock()
    hear(clock, machine, machine.day)
    before = clock.now()

    machine.day += HOUR

    assert clock.now() == before
    assert clock.offset_s == -HOUR.total_seconds()


def test_answer_that_took_long_is_not_believed(machine: Machine) -> None:
    clock = Clock()
    hear(clock, machine, machine.day)

    hear(clock, machine, machine.day, took_s=60)

    assert clock.now() == machine.day


def test_first_look_is_believed_however_long_it_took_and_is_no_jump(machine: Machine) -> None:
    clock = Clock()

    hear(clock, machine, machine.day + HOUR, took_s=2)

    assert clock.now() == machine.day + HOUR - timedelta(seconds=1)
    assert clock.steady_s > HOUR.total_seconds()


def test_jump_of_the_servers_clock_is_remembered(machine: Machine) -> None:
    clock = Clock()
    hear(clock, machine, machine.day)

    hear(clock, machine, machine.day + HOUR)
    machine.pass_time(7)

    assert clock.steady_s == 7
