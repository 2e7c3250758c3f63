"""Following the server's events for as long as one likes, over reconnects and restarts of the server."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing

import httpx

from backend.client.errors import BadAnswerError, BrokenOffError, ServerDownError, TimeUpError, UnavailableError
from backend.client.events import OPENED, Event, EventParser
from backend.client.transport import pieces

RETRY_S = 1.0
GIVE_UP_S = 60.0

Connect = Callable[[str | None], AbstractAsyncContextManager[httpx.Response]]


async def read_events(
    connect: Connect,
    *,
    after: str | None = None,
    give_up_s: float = GIVE_UP_S,
    elapsed: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Event, None]:
    """Yield events, and OPENED each time the connection stands; goes on behind the last cursor after a break.

    Raises what keeps it from connecting once that has lasted `give_up_s`, and other errors of the API at once.
    """
    cursor = after
    failing_since: float | None = None
    while True:
        try:
            async with connect(cursor) as response:
                failing_since = None
                yield Event(OPENED, None)
                async with aclosing(_events_of(response)) as events:
                    async for event in events:
                        cursor = event.cursor or cursor
                        yield event
        except (ServerDownError, BrokenOffError, TimeUpError, UnavailableError):
            failing_since = elapsed() if failing_since is None else failing_since
            if elapsed() - failing_since >= give_up_s:
                raise
        await asyncio.sleep(RETRY_S)


async def _events_of(response: httpx.Response) -> AsyncGenerator[Event, None]:
    parser = EventParser()
    async with aclosing(pieces(response)) as chunks:
        async for chunk in chunks:
            try:
                for event in parser.feed(chunk):
                    yield event
            except ValueError as error:
                raise BadAnswerError(f"not an event of this product: {error}") from error
