"""The runner's edge: where an error nobody foresaw is logged, and costs one piece of work instead of a whole loop."""

import asyncio
from collections.abc import Awaitable, Callable

from loguru import logger

from backend.domain.errors import StoreUnavailableError, is_loop_closed

_AGAIN_S = 1.0
_REMEMBERED = 1_000


class Edge:
    """Keeps the background work of a process going; an error that comes back every round is told once."""

    def __init__(self) -> None:
        self._said: set[tuple[str, type[BaseException]]] = set()

    async def keep(self, what: str, work: Awaitable[object]) -> bool:
        """Await `work`; False when it failed. StoreUnavailableError goes through: its loop knows what to put off."""
        try:
            await work
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - the one place where any error is an outcome
            self._say(what, error)
            return False
        self._said -= {said for said in self._said if said[0] == what}
        return True

    async def forever(self, what: str, loop: Callable[[], Awaitable[object]]) -> None:
        """Run an endless loop; should it end with an error all the same, begin it again after a second."""
        while True:
            try:
                await self.keep(what, loop())
            except StoreUnavailableError as error:
                self._say(what, error)
            await asyncio.sleep(_AGAIN_S)

    def _say(self, what: str, error: Exception) -> None:
        key = (what, type(error))
        if key in self._said:
            return
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said.add(key)
        if is_loop_closed(error):
            # Neither the exception's text nor its traceback is shown: its words must be in no log.
            logger.error("{} failed: LOOP_CLOSED", what)
        else:
            logger.opt(exception=error).error("{} failed", what)
