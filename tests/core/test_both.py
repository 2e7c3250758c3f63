"""Two things side by side: what they give, and what is left when one fails or both are cancelled."""

import asyncio

import pytest

from backend.core.both import both


class Slow:
    """Ends when let go; `ended` says how."""

    def __init__(self) -> None:
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        self.ended = ""

    async def work(self) -> str:
        self.begun.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "done"
        return "slow"

    async def fail(self) -> None:
        await self.begun.wait()
        asyncio.get_running_loop().call_soon(self.let_go.set)
        raise ValueError("no")


async def test_what_both_give_is_returned_in_order() -> None:
    slow = Slow()
    slow.let_go.set()

    assert await both(asyncio.sleep(0, 1), slow.work()) == (1, "slow")


@pytest.mark.parametrize("is_first", [True, False])
async def test_error_is_raised_when_the_other_has_ended(is_first: bool) -> None:
    slow = Slow()
    works = (slow.fail(), slow.work()) if is_first else (slow.work(), slow.fail())

    with pytest.raises(ValueError, match="no"):
        await both(*works)

    assert slow.ended == "done"


async def test_cancel_reaches_both_and_waits_for_them() -> None:
    one, other = Slow(), Slow()
    running = asyncio.create_task(both(one.work(), other.work()))
    await asyncio.gather(one.begun.wait(), other.begun.wait())

    running.cancel()
    await asyncio.wait({running})

    assert (running.cancelled(), one.ended, other.ended) == (True, "cancelled", "cancelled")
