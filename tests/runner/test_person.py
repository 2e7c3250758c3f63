"""The wait for a person itself, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import pytest

from backend.domain.challenge import Challenge, ChallengeKind
from backend.domain.errors import NeedsPersonError, TaskFailedError
from backend.domain.execution import LONGEST_WAIT_S
from backend.domain.text import Text
from backend.runner import person
from backend.runner.person import wait_for_person
from tests.fixtures.clocks import SetClock
from tests.fixtures.pictures import JPEG, png

SCAN = Challenge(ChallengeKind.QR, screenshot=JPEG, qr=png(), page_url="https://www.example.org/login")
LOGIN = Challenge(ChallengeKind.LOGIN)

Answer = Callable[[], Awaitable[Any]]


@dataclass
class Desk:
    """Both sides of a wait; its clock moves when the wait sleeps or a call hangs."""

    clock: SetClock = field(default_factory=SetClock)
    said: list[str | Challenge] = field(default_factory=list)
    asked: int = 0

    async def __aenter__(self) -> Self:
        self.said.append("enter")
        return self

    async def __aexit__(self, *error: object) -> None:
        self.said.append("exit")

    async def show(self, challenge: Challenge) -> None:
        self.said.append(challenge)

    async def go_on(self) -> None:
        self.said.append("go on")

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    def solved_at(self, nth: int) -> Answer:
        async def is_solved() -> bool:
            self.asked += 1
            return self.asked >= nth

        return is_solved

    async def wait(self, is_solved: Answer, *, within_s: float = LONGEST_WAIT_S, refresh: Answer | None = None) -> None:
        await wait_for_person(*(self, self, self.clock, SCAN, is_solved), within_s=within_s, refresh=refresh)


async def test_solved_at_once_goes_on_at_once() -> None:
    desk = Desk()

    await desk.wait(desk.solved_at(1))

    assert desk.said == ["enter", SCAN, "go on", "exit"]


async def test_it_is_asked_about_once_a_second() -> None:
    desk = Desk()
    begun = desk.clock.elapsed()

    await desk.wait(desk.solved_at(8))

    assert (desk.asked, desk.clock.elapsed() - begun) == (8, 7.0)


@pytest.mark.parametrize(("within_s", "ends_at"), [(30.0, 30.0), (LONGEST_WAIT_S, 600.0), (1e9, 600.0)])
async def test_unsolved_it_ends_with_the_challenge_when_the_time_is_over(within_s: float, ends_at: float) -> None:
    desk = Desk()
    begun = desk.clock.elapsed()

    with pytest.raises(NeedsPersonError) as raised:
        await desk.wait(desk.solved_at(10**9), within_s=within_s)

    assert (raised.value.challenge, raised.value.code) == (SCAN, "NEEDS_LOGIN")
    assert desk.clock.elapsed() - begun == pytest.approx(ends_at)
    assert desk.said[-1] == "exit"


async def test_new_code_is_shown_and_is_what_the_error_carries() -> None:
    desk = Desk()
    codes = [None, replace(SCAN, qr=png(grey=1)), replace(SCAN, qr=png(grey=1)), replace(SCAN, qr=png(grey=2))]

    async def refresh() -> Challenge | None:
        return codes.pop(0) if codes else None

    with pytest.raises(NeedsPersonError) as raised:
        await desk.wait(desk.solved_at(10**9), within_s=10, refresh=refresh)

    shown = [one.qr for one in desk.said if isinstance(one, Challenge)]
    assert shown == [png(), png(grey=1), png(grey=2)]
    assert raised.value.challenge is not None
    assert raised.value.challenge.qr == png(grey=2)


async def test_call_that_hangs_is_cut_and_counts_as_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person, "_CALL_S", 0.01)
    desk = Desk()
    calls = 0

    async def is_solved() -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()
        return True

    await desk.wait(is_solved)

    assert (calls, desk.said[-2]) == (2, "go on")


async def test_error_of_a_call_goes_up_as_it_is() -> None:
    desk = Desk()

    async def closed() -> bool:
        raise TaskFailedError("BROWSER_CLOSED", Text("浏览器已关闭", "Closed"), where="fetch", can_retry=True)

    with pytest.raises(TaskFailedError):
        await desk.wait(closed)

    assert desk.said == ["enter", SCAN, "exit"]
