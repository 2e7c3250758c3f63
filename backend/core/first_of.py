"""Waiting for whichever event comes first."""

import asyncio


async def first_of(*events: asyncio.Event, timeout_s: float) -> bool:
    """Wait until one of the events is set; False when none was after `timeout_s`."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return bool(done)
