import time

import pytest

from backend.cli.waiting import wait_until


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time pass by sleeping alone."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda pause_s: now.__setitem__(0, now[0] + pause_s))
    return now


def test_first_thing_found_ends_the_waiting() -> None:
    looks = iter([None, None, 0, 1])

    assert wait_until(lambda: next(looks), within_s=5) == 0


def test_none_when_it_does_not_come_in_time(virtual_time: list[float]) -> None:
    assert wait_until(lambda: None, within_s=5) is None
    assert virtual_time[0] == pytest.approx(105, abs=0.1)


def test_it_looks_once_without_any_time() -> None:
    assert wait_until(lambda: "there", within_s=0) == "there"


def test_what_is_raised_ends_the_waiting() -> None:
    def look() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        wait_until(look, within_s=5)
