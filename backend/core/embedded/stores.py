"""Both embedded stores under the lock of the data folder: started together, kept alive, stopped together."""

import asyncio
import contextlib
import time
from pathlib import Path

from loguru import logger

from backend.core.embedded.errors import EmbeddedStoreError
from backend.core.embedded.lock import DataDirLock
from backend.core.embedded.managed import ManagedStore
from backend.core.embedded.mongo import EmbeddedMongo
from backend.core.embedded.valkey import EmbeddedValkey

MEMORY_STORES_WARNING = "IN-MEMORY STORES: EVERYTHING IS LOST ON EXIT"
LOG_CHECK_S = 60.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


class EmbeddedStores:
    """The children this process needs. `mongo` and `valkey` are None when a URL is set for them.

    Who holds `lock` with embedded stores is alone on DATA_DIR; it is taken by `start` if it is not held.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        lock: DataDirLock | None = None,
        with_mongo: bool = True,
        with_valkey: bool = True,
    ) -> None:
        self.lock = lock or DataDirLock(data_dir)
        self.mongo = EmbeddedMongo(data_dir, lock=self.lock) if with_mongo else None
        self.valkey = EmbeddedValkey(data_dir, lock=self.lock) if with_valkey else None
        self._took_lock = False

    async def start(self) -> None:
        """Start both at once; when one fails neither runs and the lock is free.

        Raises DataDirInUseError, StoreBinaryError or StoreStartError, the first that was met.
        """
        if not self.lock.is_held:
            await self.lock.acquire()
            self._took_lock = True
        is_up = False
        try:
            async with asyncio.TaskGroup() as group:
                for store in self._children():
                    group.create_task(store.start(), name=f"start:{store.program.name}")
            is_up = True
        except* EmbeddedStoreError as errors:
            raise _first(errors) from None
        finally:
            if not is_up:
                await self.stop()

    async def supervise(self) -> None:
        """Restart what dies, until cancelled; to be cancelled and awaited before `stop`."""
        async with asyncio.TaskGroup() as group:
            for store in self._children():
                group.create_task(_keep_alive(store), name=f"keep:{store.program.name}")

    async def stop(self) -> None:
        """Stop both at once, then let the lock go if `start` took it. Twice does nothing."""
        try:
            async with asyncio.TaskGroup() as group:
                for store in self._children():
                    group.create_task(store.stop(), name=f"stop:{store.program.name}")
        finally:
            if self._took_lock:
                self._took_lock = False
                self.lock.release()

    def kill(self) -> None:
        """Kill both at once, from any thread: for a process that can wait no longer. What they acknowledged is kept."""
        for store in self._children():
            store.kill()

    def _children(self) -> list[ManagedStore]:
        return [store for store in (self.mongo, self.valkey) if store is not None]


def warn_of_memory_stores() -> None:
    """Say loudly that nothing is kept."""
    logger.warning(MEMORY_STORES_WARNING)


async def _keep_alive(store: ManagedStore) -> None:
    pause_s = FIRST_PAUSE_S
    while True:
        waited_from = time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOG_CHECK_S):
                await store.wait_exit()
        try:
            # Also rotates the log of a living one.
            await store.ensure_running()
        except EmbeddedStoreError as error:
            logger.error("{}", error)
        # A store that dies again and again is not started in a tight loop.
        lasted = time.monotonic() - waited_from >= LOG_CHECK_S
        pause_s = FIRST_PAUSE_S if lasted else min(LONGEST_PAUSE_S, 2 * pause_s)
        if not lasted:
            await asyncio.sleep(pause_s)


def _first(errors: ExceptionGroup[EmbeddedStoreError]) -> EmbeddedStoreError:
    found: BaseException = errors
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, EmbeddedStoreError)  # noqa: S101  (the group holds nothing else)
    return found
