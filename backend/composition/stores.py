"""Opens MongoDB and Redis, ours or somebody else's, and makes the stores over them."""

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass

from loguru import logger

import backend
from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.embedded import EmbeddedStores, warn_of_memory_stores
from backend.core.event_log import EventLog
from backend.core.secrets import SecretBox, open_box
from backend.core.settings import Settings
from backend.domain.errors import SchemaError, StoreRefusedError, StoreUnavailableError
from backend.runner.edge import Edge
from backend.store.accounts import AccountStore, has_sealed
from backend.store.announcing import TaskAnnouncer
from backend.store.artifacts import ArtifactStore
from backend.store.audit import AuditStore
from backend.store.challenges import ChallengeStore
from backend.store.events import EventStore
from backend.store.field_counts import FieldCountStore
from backend.store.frontier import FrontierStore
from backend.store.items import ItemStore
from backend.store.retention import RetentionStore
from backend.store.schema import Schema
from backend.store.task_queries import TaskQueries
from backend.store.task_sets import TaskSets
from backend.store.tasks import TaskStore
from backend.store.tokens import TokenStore
from backend.store.users import UserStore

# There is no Valkey for Windows: the bell is kept in the process there, and rings for this process only.
NO_VALKEY = sys.platform == "win32"
# Below the 3 s of the design: the API says 503 within 3.5 s of the loss on a busy machine too.
_MAX_STORE_TIMEOUT_S = 2.75


class StartError(Exception):
    """The server cannot start; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that reads and writes our data."""

    database: Database
    cache: Cache
    log: EventLog
    announcer: TaskAnnouncer
    tasks: TaskStore
    sets: TaskSets
    queries: TaskQueries
    events: EventStore
    challenges: ChallengeStore
    accounts: AccountStore
    box: SecretBox
    items: ItemStore
    frontier: FrontierStore
    artifacts: ArtifactStore
    field_counts: FieldCountStore
    retention: RetentionStore
    users: UserStore
    tokens: TokenStore
    audit: AuditStore

    async def ensure_indexes(self) -> None:
        """Make every index that is missing."""
        for store in (
            *(self.tasks, self.events, self.items, self.frontier, self.artifacts, self.accounts),
            *(self.field_counts, self.retention, self.users, self.tokens, self.audit),
        ):
            await store.ensure_indexes()


async def ensure_indexes(stores: Stores) -> None:
    """Make every index that is missing. Raises StartError when one is in the way."""
    try:
        with stores.database.building_indexes():
            await stores.ensure_indexes()
    except StoreRefusedError as error:
        raise StartError(
            f"MongoDB 拒绝建立索引，请删除冲突的索引后重试 ({error.detail}) / MongoDB refused an index:"
            f" drop the one that is in its way, then start again ({error.detail})"
        ) from error


async def start_embedded(settings: Settings, closing: AsyncExitStack) -> EmbeddedStores:
    """Start the stores that are ours to start. Raises EmbeddedStoreError."""
    is_memory = settings.stores == "memory"
    if is_memory:
        warn_of_memory_stores()
    with_mongo = settings.mongodb_url is None and not is_memory
    with_valkey = settings.redis_url is None and not is_memory and not NO_VALKEY
    embedded = EmbeddedStores(settings.data_dir, with_mongo=with_mongo, with_valkey=with_valkey)
    if not (with_mongo or with_valkey):
        return embedded
    await embedded.start()
    closing.push_async_callback(embedded.stop)
    keeper = asyncio.create_task(Edge().forever("embedded-stores", embedded.supervise), name="embedded-stores")
    closing.push_async_callback(_end, keeper)
    return embedded


async def open_database(
    settings: Settings, clock: Clock, embedded: EmbeddedStores, closing: AsyncExitStack
) -> Database:
    """Connect to MongoDB. Raises StartError."""
    is_memory = settings.stores == "memory"
    url = settings.mongodb_url or (embedded.mongo.uri if embedded.mongo else "") or ""
    timeout_s = min(_MAX_STORE_TIMEOUT_S, settings.lease_s / 5)
    database = Database(url, settings.mongodb_database, clock=clock, timeout_s=timeout_s, is_memory=is_memory)
    try:
        await database.connect()
    except StoreUnavailableError as error:
        raise StartError(
            f"MONGODB_URL 无法连接 ({error.detail})，请检查地址与服务 / MONGODB_URL does not answer ({error.detail}):"
            " check the address and that MongoDB runs"
        ) from error
    closing.push_async_callback(database.close)
    return database


async def open_data(database: Database, clock: Clock, *, is_alone: bool) -> None:
    """Bring the stored data to this version. Raises StartError when it is newer, or not whole."""
    try:
        await Schema(database, clock=clock, by=backend.__version__, is_alone=is_alone).open()
    except SchemaError as error:
        advice = "" if error.advice is None else f"; {error.advice.both()}"
        raise StartError(f"{error.message.both()}{advice}") from error


async def open_cache(settings: Settings, clock: Clock, embedded: EmbeddedStores, closing: AsyncExitStack) -> Cache:
    """Connect to Redis. Raises StartError."""
    url = settings.redis_url or (embedded.valkey.uri if embedded.valkey else "") or ""
    if NO_VALKEY and not url and settings.stores != "memory":
        logger.warning(
            "Windows 上没有 Valkey：取消照常有效，但重启后实时推送不能补发；需要时请设置 REDIS_URL"
            " / no Valkey on Windows: cancel works, but the stream cannot replay over a restart; set REDIS_URL for that"
        )
    cache = Cache(url, clock=clock, is_memory=_is_bell_in_memory(settings))
    try:
        await cache.connect()
    except StoreUnavailableError as error:
        raise StartError(
            f"REDIS_URL 无法连接 ({error.detail})，请检查地址与服务 / REDIS_URL does not answer ({error.detail}):"
            " check the address and that Redis runs"
        ) from error
    closing.push_async_callback(cache.close)
    return cache


def open_log(settings: Settings, clock: Clock, embedded: EmbeddedStores, closing: AsyncExitStack) -> EventLog:
    """Open the log of changes in Redis."""
    url = settings.redis_url or (embedded.valkey.uri if embedded.valkey else "") or ""
    log = EventLog(url, name=settings.mongodb_database, clock=clock, is_memory=_is_bell_in_memory(settings))
    log.open()
    closing.push_async_callback(log.close)
    return log


def _is_bell_in_memory(settings: Settings) -> bool:
    return settings.stores == "memory" or (NO_VALKEY and settings.redis_url is None)


async def open_secrets(settings: Settings, database: Database) -> SecretBox:
    """Open the box of this installation's secrets, made at the very first start."""
    return open_box(settings.data_dir, has_sealed=await has_sealed(database))


def make_stores(
    settings: Settings, clock: Clock, database: Database, cache: Cache, log: EventLog, *, box: SecretBox
) -> Stores:
    """Make the stores over what was opened."""
    announcer = TaskAnnouncer(database, log, clock=clock, forever=Edge().forever)
    return Stores(
        database=database,
        cache=cache,
        log=log,
        announcer=announcer,
        tasks=TaskStore(database, clock=clock, announcer=announcer),
        sets=TaskSets(database, clock=clock, announcer=announcer),
        queries=TaskQueries(database),
        events=EventStore(database, announcer=announcer),
        challenges=ChallengeStore(database, clock=clock, announcer=announcer),
        accounts=AccountStore(database, clock=clock, box=box),
        box=box,
        items=ItemStore(database),
        frontier=FrontierStore(database, clock=clock),
        artifacts=ArtifactStore(database, settings.data_dir / "artifacts", clock),
        field_counts=FieldCountStore(database),
        retention=RetentionStore(database),
        users=UserStore(database, clock=clock),
        tokens=TokenStore(database, clock=clock),
        audit=AuditStore(database, clock=clock),
    )


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
