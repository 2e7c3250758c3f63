"""The MongoDB client: opened once on the running loop, and the one way every store operation goes.

Motor runs the driver in threads, so a cancelled await does not stop the operation: the write still lands
(measured: 0.5 s later). `Database.do` therefore shields each operation and remembers it, per run and per process,
until it has really ended; the supervisor of a run and `close` wait for what is left.

Motor is past its end of life; only this module makes the client (docs/decisions/0001-motor.md).
"""

import asyncio
import contextvars
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

# Motor reads this when it is imported: the default is 5 threads a core, and a read behind ten slow ones took 416 ms.
os.environ.setdefault("MOTOR_MAX_WORKERS", "64")

import pymongo
from loguru import logger
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import WriteConcern
from pymongo.errors import BulkWriteError, ConnectionFailure, InvalidOperation, OperationFailure, PyMongoError

from backend.core.clock import Clock
from backend.core.journal import Breaks, written_ahead
from backend.domain.errors import StoreRefusedError, StoreUnavailableError

T = TypeVar("T")
Document = dict[str, Any]

_THREADS = int(os.environ["MOTOR_MAX_WORKERS"])
_SLOW_READS_AT_ONCE = 4
# Each batch is encoded in a thread of its own, and every thread takes its share of the interpreter from the loop.
# (Measured when a hundred crawls store a page at once: an answer waited 20 to 60 ms for the loop, with two or six of
# them at a time 5 to 15 ms.)
_BATCHES_AT_ONCE = 4
# The driver looks after the server so often, and after as long again without an answer drops all its connections:
# with its own defaults (10 and 20 s) calls went on dying on connections that a firewall had forgotten.
_LOOK_EVERY_MS = 2_000
# More connections than are needed now are closed after so long (the default keeps a burst's for good).
_IDLE_MS = 30_000
_CLOSE_MARGIN_S = 0.25
_INDEXES_WITHIN_S = 600.0
_WORDS_SHOWN = 300
# Codes of a server that is leaving, or that gave up on another member in time (the driver's own list of retryable
# errors): https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md
_AWAY_CODES = frozenset({6, 7, 89, 91, 134, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436})
# A mongod of its own that was killed and started again answers so to a write which the driver, for want of a newer
# word from it, made as for a replica set. It did nothing (seen once in 274 kills).
_ILLEGAL = 20
_TAKEN_FOR_A_SET = "Transaction numbers"
_writes_of_run: contextvars.ContextVar[set[asyncio.Future[Any]] | None] = contextvars.ContextVar(
    "writes_of_run", default=None
)


_given_s: contextvars.ContextVar[float | None] = contextvars.ContextVar("given_s", default=None)
_goes_first: contextvars.ContextVar[bool] = contextvars.ContextVar("goes_first", default=False)


@contextmanager
def first_in_line() -> Iterator[None]:
    """Let batches inside (tasks made inside included) not wait for their turn: somebody waits for this end."""
    token = _goes_first.set(True)
    try:
        yield
    finally:
        _goes_first.reset(token)


@contextmanager
def writes_counted(into: set[asyncio.Future[Any]]) -> Iterator[None]:
    """Collect every store operation started inside (tasks made inside included) in `into` until it has ended."""
    token = _writes_of_run.set(into)
    try:
        yield
    finally:
        _writes_of_run.reset(token)


class Database:
    """One MongoDB database. `do` is the only way to it; `collection` gives handles to call it with."""

    def __init__(self, url: str, name: str, *, clock: Clock, timeout_s: float = 3.0, is_memory: bool = False) -> None:
        self._url = url
        self.name = name
        self._clock = clock
        self._timeout_s = timeout_s
        self.is_memory = is_memory
        self._client: AsyncIOMotorClient[Document] | None = None
        self._collections: dict[tuple[str, bool], AsyncIOMotorCollection[Document]] = {}
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._overdue: set[asyncio.Future[Any]] = set()
        self._slow_gate = asyncio.Semaphore(_SLOW_READS_AT_ONCE)
        self._batch_gate = asyncio.Semaphore(_BATCHES_AT_ONCE)
        self._is_replica_set = False
        self._breaks = Breaks()

    async def connect(self) -> None:
        """Make the client on the running loop and prove that the server answers.

        Raises StoreUnavailableError when it does not, or when the URL or the login is no good.
        """
        try:
            self._client = self._new_client()
            sent_at = self._clock.elapsed()
            hello = await self.do(self._admin_command("hello"))
        except (StoreUnavailableError, PyMongoError, ValueError) as error:
            if self._client is not None:
                self._client.close()
                self._client = None
            if isinstance(error, StoreUnavailableError):
                raise
            # The error's own text may hold the URL, and the URL a password.
            raise StoreUnavailableError(_word_of(error)) from error
        # Before anything is claimed or reaped: by a clock of our own, other servers' leases might look run out.
        self._heard(hello, sent_at)
        self._is_replica_set = "setName" in hello
        logger.success("✅ MongoDB 连接成功")

    async def close(self) -> None:
        """Wait for the operations in flight, as long as one of them may take; then close the client.

        Safe to call twice.
        """
        try:
            async with asyncio.timeout(self._timeout_s + _CLOSE_MARGIN_S):
                await settle(self._in_flight)
        except TimeoutError:
            logger.warning("{} store operations were left unanswered", len(self._in_flight))
        self._collections.clear()
        if self._client is not None:
            self._client.close()
            self._client = None

    def collection(self, name: str) -> AsyncIOMotorCollection[Document]:
        """Return a collection whose writes are acknowledged from the journal (a majority on a replica set).

        Inside `ahead_of_journal` they are acknowledged from memory. Raises StoreUnavailableError at once while the
        driver's threads are all taken by operations that nobody waits for any more.
        """
        self._refuse_when_choked()
        is_ahead = written_ahead(self._breaks)
        found = self._collections.get((name, is_ahead))
        if found is None:
            concern = WriteConcern(w="majority") if self._is_replica_set else WriteConcern(w=1, j=True)
            if is_ahead:
                concern = WriteConcern(w=1)
            found = self._database().get_collection(name, write_concern=concern)
            self._collections[name, is_ahead] = found
        return found

    @contextmanager
    def building_indexes(self) -> Iterator[None]:
        """Give the operations inside the time that an index of many documents takes.

        Raises StoreRefusedError when the server will not have one of them.
        """
        token = _given_s.set(_INDEXES_WITHIN_S)
        try:
            with pymongo.timeout(_INDEXES_WITHIN_S):
                yield
        except OperationFailure as error:
            raise StoreRefusedError(f"{_word_of(error)}: {_said_by(error)}") from error
        finally:
            _given_s.reset(token)

    async def do(self, operation: Awaitable[T], *, within_s: float | None = None) -> T:
        """Await one store operation; cancelling this await leaves it running, and remembered.

        Raises StoreUnavailableError when the server does not answer in time, counted from here: an operation may
        have to wait for one of the driver's threads, and its own time begins only then. DuplicateKeyError and
        BulkWriteError pass through to the store that knows what they mean.
        """
        future = asyncio.ensure_future(operation)
        for owner in (self._in_flight, _writes_of_run.get()):
            if owner is not None:
                owner.add(future)
                future.add_done_callback(owner.discard)
        future.add_done_callback(_take_error)
        try:
            # Leaves the operation alone, whatever becomes of this await.
            bound_s = (_given_s.get() or self._timeout_s) if within_s is None else within_s
            await asyncio.wait({future}, timeout=bound_s)
            if not future.done():
                self._overdue.add(future)
                future.add_done_callback(self._overdue.discard)
                raise StoreUnavailableError("no answer in time")
            return future.result()
        except InvalidOperation as error:
            raise _closed_or_same(error) from error
        except PyMongoError as error:
            if not _is_away(error):
                raise
            raise StoreUnavailableError(type(error).__name__) from error
        finally:
            # The future keeps the error, the error its traceback, and that this frame: a cycle.
            del operation, future

    async def slow(self, operation: Callable[[], Awaitable[T]], *, within_s: float | None = None) -> T:
        """Do a read that may take long, at most four of them at once, so that quick ones do not wait behind.

        The wait for a turn counts. An export gives its reads a time of its own (`within_s`), after which the server
        itself stops working on them. Raises StoreUnavailableError.
        """
        bound_s = self._timeout_s if within_s is None else within_s
        begun = self._clock.elapsed()
        try:
            async with asyncio.timeout(bound_s):
                await self._slow_gate.acquire()
        except TimeoutError:
            raise StoreUnavailableError("no turn in time") from None
        try:
            left_s = bound_s - (self._clock.elapsed() - begun)
            with nullcontext() if within_s is None else pymongo.timeout(left_s):
                return await self.do(operation(), within_s=left_s)
        finally:
            self._slow_gate.release()

    async def batch(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Do one write of many documents, at most four of them at once, so that small operations do not wait behind.

        Inside `first_in_line` it does not wait. A batch that waits for its turn is not begun: cancelling it here
        leaves nothing. Raises StoreUnavailableError, also when there is no turn in time; BulkWriteError passes.
        """
        if _goes_first.get():
            return await self.do(operation())
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._batch_gate.acquire()
        except TimeoutError:
            raise StoreUnavailableError("no turn in time") from None
        try:
            return await self.do(operation())
        finally:
            self._batch_gate.release()

    async def keep(self, name: str, identity: str) -> None:
        """Wait until all that was written so far is in the journal (of a majority). Raises StoreUnavailableError.

        `identity` is the `_id` of a document of the collection `name`, or of one that was there.
        """
        # A write that changes nothing still waits for what came before it.
        await self.do(self.collection(name).update_one({"_id": identity}, {"$set": {"_id": identity}}))

    async def measure(self) -> float:
        """Return the latency of one round trip in ms, and let the clock follow the server's."""
        sent_at = self._clock.elapsed()
        self._heard(await self.do(self._admin_command("hello")), sent_at)
        return (self._clock.elapsed() - sent_at) * 1000

    @property
    def in_flight(self) -> int:
        """How many operations have been started and not ended."""
        return len(self._in_flight)

    def _heard(self, hello: Document, sent_at: float) -> None:
        # `command` decodes with the default options: its times are UTC, but do not say so.
        server_time = hello["localTime"].replace(tzinfo=UTC)
        self._clock.follow(server_time, sent_at=sent_at, received_at=self._clock.elapsed())

    def _refuse_when_choked(self) -> None:
        # What is begun now would wait behind those, be given up in its turn, and land long after its caller was told
        # to try again; and with more callers than 64 threads can let down, the queue would grow until MongoDB is back.
        if len(self._overdue) >= _THREADS:
            raise StoreUnavailableError("too many operations are unanswered")

    def _admin_command(self, name: str) -> Awaitable[Document]:
        if self.is_memory:
            return _hello()
        self._refuse_when_choked()
        if self._client is None:
            raise RuntimeError("the MongoDB client has been closed")
        return self._client.admin.command(name)

    def _database(self) -> AsyncIOMotorDatabase[Document]:
        if self._client is None:
            raise RuntimeError("the MongoDB client has been closed")
        return self._client[self.name]

    def _new_client(self) -> AsyncIOMotorClient[Document]:
        if self.is_memory:
            from mongomock_motor import AsyncMongoMockClient  # noqa: PLC0415 - an extra, only in memory mode

            client: AsyncIOMotorClient[Document] = AsyncMongoMockClient(tz_aware=True)
            return client
        return AsyncIOMotorClient(
            self._url,
            io_loop=asyncio.get_running_loop(),
            tz_aware=True,
            timeoutMS=int(self._timeout_s * 1000),
            connectTimeoutMS=int(self._timeout_s * 1000),
            heartbeatFrequencyMS=_LOOK_EVERY_MS,
            maxIdleTimeMS=_IDLE_MS,
            appname="mediacrawer-pro",
            event_listeners=[self._breaks],
        )


async def settle(operations: set[asyncio.Future[Any]]) -> None:
    """Wait until every operation of the set has ended, however it ended."""
    while operations:
        await asyncio.wait(set(operations))
        # Done callbacks run in a later step of the loop; without this the set would be seen unchanged.
        await asyncio.sleep(0)


async def _hello() -> Document:
    """Answer for the memory store: its clock is this machine's."""
    return {"localTime": datetime.now(UTC)}


def _take_error(future: asyncio.Future[Any]) -> None:
    # An operation whose caller was cancelled has nobody to read its error: read it, so that no warning is logged.
    if not future.cancelled():
        future.exception()


def _is_away(error: PyMongoError) -> bool:
    """Whether it says that the server does not answer, or is about to leave: the effect is unknown."""
    if isinstance(error, ConnectionFailure) or error.timeout:
        return True
    if isinstance(error, BulkWriteError):
        details = cast("Document", error.details)
        said = [*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]
        return any(one.get("code") in _AWAY_CODES for one in said)
    if not isinstance(error, OperationFailure):
        return False
    return error.code in _AWAY_CODES or (error.code == _ILLEGAL and _TAKEN_FOR_A_SET in _said_by(error))


def _said_by(error: OperationFailure) -> str:
    return str((error.details or {}).get("errmsg", error))[:_WORDS_SHOWN]


def _word_of(error: PyMongoError | ValueError) -> str:
    details = error.details if isinstance(error, OperationFailure) else None
    return str((details or {}).get("codeName", type(error).__name__))


def _closed_or_same(error: PyMongoError) -> Exception:
    if "after close" in str(error):
        return RuntimeError("the MongoDB client has been closed")
    return error
