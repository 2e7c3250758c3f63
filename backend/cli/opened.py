"""Opens the data of this installation for a command that works on it itself, whether its server runs or not."""

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import backend
from backend.cli.db import embedded_uri
from backend.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from backend.core.clock import Clock
    from backend.core.database import Database
    from backend.store.schema import Schema


@dataclass(frozen=True, slots=True)
class Opened:
    """The database, its schema, not looked at yet, and the clock they go by."""

    database: "Database"
    schema: "Schema"
    clock: "Clock"


@asynccontextmanager
async def opened(settings: Settings, *, timeout_s: float) -> "AsyncIterator[Opened]":
    """Yield MongoDB of the settings, the embedded one that runs, or one started for as long as the block lasts.

    Raises EmbeddedStoreError, StoreUnavailableError.
    """
    # They bring the driver; `--help` answers without.
    from backend.core.clock import Clock  # noqa: PLC0415
    from backend.core.database import Database  # noqa: PLC0415
    from backend.core.embedded import EmbeddedStores  # noqa: PLC0415
    from backend.store.schema import Schema  # noqa: PLC0415

    clock = Clock()
    url = settings.mongodb_url or embedded_uri(settings.data_dir)
    is_alone = url is None
    async with AsyncExitStack() as closing:
        if url is None:
            stores = EmbeddedStores(settings.data_dir, with_valkey=False)
            await stores.start()
            closing.push_async_callback(stores.stop)
            url = stores.mongo.uri if stores.mongo is not None else ""
        database = Database(url, settings.mongodb_database, clock=clock, timeout_s=timeout_s)
        await database.connect()
        closing.push_async_callback(database.close)
        yield Opened(database, Schema(database, clock=clock, by=backend.__version__, is_alone=is_alone), clock)
