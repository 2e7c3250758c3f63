"""The rows about MongoDB and Redis: what the running server says of them, else what we see ourselves."""

import asyncio
from collections.abc import Awaitable, Callable

from loguru import logger

from backend.core.cache import Cache
from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.settings import Settings
from backend.doctor.rows import Row, same
from backend.doctor.server_rows import Look
from backend.domain.errors import CacheUnavailableError, StoreUnavailableError
from backend.domain.text import Text

_MONGO, _REDIS = Text("MongoDB 应答", "MongoDB answers"), Text("Redis 应答", "Redis answers")
_WITH_SERVER = Text("内置，随服务器启动", "embedded: it starts with the server")
_MEMORY = Text("内存模式，不需要", "memory mode: not needed")
_CHECK_MONGO = Text("检查 MongoDB 是否在运行，以及 MONGODB_URL", "Check that MongoDB runs, and MONGODB_URL")
_CHECK_REDIS = Text("检查 Redis 是否在运行，以及 REDIS_URL", "Check that Redis runs, and REDIS_URL")


def store_rows(seen: Look) -> list[Row]:
    """Return the two rows."""
    parts = (("mongodb", _MONGO), ("redis", _REDIS))
    if seen.health is not None:
        return [_as_told(seen, name, title) for name, title in parts]
    return [_mongodb(seen.settings), _redis(seen.settings)]


def _as_told(seen: Look, name: str, title: Text) -> Row:
    part, part_zh = ((one or {}).get("components", {}).get(name, {}) for one in (seen.health, seen.health_zh))
    state, latency_ms = part.get("state", "down"), part.get("latency_ms")
    took = "" if latency_ms is None else f", {latency_ms} ms"
    words = same(f"{state}{took}")
    # Who has not signed in is not told.
    if "is_embedded" in part:
        where = Text("内置", "embedded") if part["is_embedded"] else Text("外部", "external")
        words = Text(f"{state}, {where.zh}{took}", f"{state}, {where.en}{took}")
    advice = Text(part_zh.get("advice") or "", part["advice"]) if part.get("advice") else None
    return Row(name, title, "bad" if state == "down" else "ok", words, advice)


def _mongodb(settings: Settings) -> Row:
    if settings.stores == "memory" or settings.mongodb_url is None:
        return Row("mongodb", _MONGO, "none", _MEMORY if settings.stores == "memory" else _WITH_SERVER)
    url, name = settings.mongodb_url, settings.mongodb_database

    async def ask(clock: Clock) -> float:
        database = Database(url, name, clock=clock)
        try:
            await database.connect()
            return await database.measure()
        finally:
            await database.close()

    return _asked("mongodb", _MONGO, ask, _CHECK_MONGO)


def _redis(settings: Settings) -> Row:
    if settings.stores == "memory" or settings.redis_url is None:
        return Row("redis", _REDIS, "none", _MEMORY if settings.stores == "memory" else _WITH_SERVER)
    url = settings.redis_url

    async def ask(clock: Clock) -> float:
        cache = Cache(url, clock=clock)
        try:
            await cache.connect()
            return await cache.measure()
        finally:
            await cache.close()

    return _asked("redis", _REDIS, ask, _CHECK_REDIS)


def _asked(name: str, title: Text, ask: Callable[[Clock], Awaitable[float]], advice: Text) -> Row:
    async def run() -> float:
        return await ask(Clock())

    logger.disable("backend.core")
    try:
        latency_ms = asyncio.run(run())
    except (StoreUnavailableError, CacheUnavailableError) as error:
        return Row(name, title, "bad", Text(f"不应答 ({error})", f"no answer ({error})"), advice)
    finally:
        logger.enable("backend.core")
    return Row(name, title, "ok", same(f"ok, {latency_ms:.1f} ms"))
