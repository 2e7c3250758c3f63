"""Two things done side by side, neither of which runs on behind its caller."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar, cast

A = TypeVar("A")
B = TypeVar("B")


async def both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Return what the two give; an error of one is raised when the other has ended too.

    A plain gather raises at once, and a write of the other could still land when it is done all over again.
    """
    given = await asyncio.gather(first, second, return_exceptions=True)
    for one in given:
        if isinstance(one, BaseException):
            raise one
    return cast("tuple[A, B]", tuple(given))
