import asyncio

import pytest

from backend.core.passwords import MAX_WAITING, Passwords, PasswordsBusyError, ScryptCost

CHEAP = ScryptCost(log_n=4, r=8, p=1)


async def test_only_the_same_password_is_right() -> None:
    passwords = Passwords(CHEAP)
    stored = await passwords.hash("露营的第一晚")

    found = [await passwords.is_right(one, stored) for one in ("露营的第一晚", "露营的第一晚 ", "")]

    assert found == [True, False, False]
    assert "露营" not in stored


async def test_same_password_is_stored_differently_each_time() -> None:
    passwords = Passwords(CHEAP)

    assert await passwords.hash("the same") != await passwords.hash("the same")


async def test_nobodys_password_is_never_right() -> None:
    assert not await Passwords(CHEAP).is_right("", None)


async def test_hash_of_another_cost_is_known_and_outdated() -> None:
    old = await Passwords(CHEAP).hash("the same")
    today = Passwords(ScryptCost(log_n=5, r=8, p=1))

    assert await today.is_right("the same", old)
    assert today.is_outdated(old)
    assert not today.is_outdated(await today.hash("the same"))


async def test_crowd_is_refused_and_leaves_nothing_behind() -> None:
    passwords = Passwords(CHEAP)

    ended = await asyncio.gather(*(passwords.hash("x") for _ in range(MAX_WAITING + 5)), return_exceptions=True)

    assert sum(isinstance(one, PasswordsBusyError) for one in ended) == 5
    assert await passwords.is_right("x", await passwords.hash("x"))


@pytest.mark.parametrize("stored", ["", "plain", "scrypt$4$8$1$!!$??", "bcrypt$4$8$1$eA==$eA=="])
async def test_what_is_no_hash_is_refused(stored: str) -> None:
    with pytest.raises(ValueError, match="no password hash"):
        Passwords(CHEAP).is_outdated(stored)


def test_default_cost_is_one_that_owasp_names() -> None:
    assert ScryptCost() == ScryptCost(log_n=15, r=8, p=3)
