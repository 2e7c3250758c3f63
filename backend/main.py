"""The composition root: settings -> clients -> stores -> runner -> app. `cd backend && python main.py` starts it.

Clients are made on the running loop and closed in reverse, by one exit stack, after what uses them has ended.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

try:
    from loguru import logger
    from tornado.httpserver import HTTPServer

    from backend.api.app import App, make_app, make_server
    from backend.composition.foundation import Foundation
    from backend.composition.stores import (
        StartError,
        Stores,
        ensure_indexes,
        make_stores,
        open_cache,
        open_data,
        open_database,
        open_log,
        open_secrets,
        start_embedded,
    )
    from backend.composition.tools import open_tools
    from backend.composition.work import Running, instance_id, open_runner
    from backend.core.clock import Clock
    from backend.core.crash_points import arm
    from backend.core.embedded import EmbeddedStoreError
    from backend.core.garbage import GarbageKeeper
    from backend.core.leaving import leave_within
    from backend.core.logs import configure_logs
    from backend.core.memory import bound_arenas
    from backend.core.port import PortTakenError, bind
    from backend.core.processes import this_process
    from backend.core.server_file import ServerFile, ServerRecord, known_by_file, new_secret, reachable_host
    from backend.core.settings import Settings, SettingsError, load_settings, log_file_of, secret_values
    from backend.domain.errors import StoreUnavailableError
    from backend.runner.edge import Edge
    from backend.services.code_version import CodeVersion
    from backend.services.event_hub import EventHub
except ModuleNotFoundError as missing:
    sys.stderr.write(
        f"缺少依赖 / missing package: {missing.name}\n请运行 / run: ./scripts/run.sh   (Windows: scripts\\run.ps1)\n"
    )
    sys.exit(2)

CANNOT_START = 2
_PACKAGE = Path(__file__).resolve().parent
# Of the grace: for the last answers and for operations that a store does not answer any more.
_CLOSING_S = 4.0
_ANSWERING_S = 1.0
_LEAST_GRACE_S = 3.0
_EXIT_S = 0.5
_STOPPING = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    # Ctrl+Break, and a console window that is closed.
    _STOPPING.append(signal.SIGBREAK)
# Pages are parsed in threads: with Python's 5 ms each of them keeps the loop, and so a cancel, waiting (measured: a
# cancel's write took up to 197 ms beside two parsers, 34 ms beside one with this).
_SWITCH_S = 0.0005


async def startup(settings: Settings, clock: Clock, closing: AsyncExitStack) -> Running:
    """Open everything, in order; `closing` closes it in reverse. Raises StartError."""
    # Before anything else: a file that is changed from here on is newer than what runs.
    code = CodeVersion(_PACKAGE)
    logger.info("🚀 MediaCrawer Pro 正在启动...")
    logger.info("📦 正在连接数据库...")
    try:
        embedded = await start_embedded(settings, closing)
        database = await open_database(settings, clock, embedded, closing)
        await open_data(database, clock, is_alone=embedded.mongo is not None)
        logger.info("🗄️  正在连接 Redis...")
        cache = await open_cache(settings, clock, embedded, closing)
    except EmbeddedStoreError as error:
        raise StartError(error.message.both()) from error
    log = open_log(settings, clock, embedded, closing)
    stores = make_stores(settings, clock, database, cache, log, box=await open_secrets(settings, database))
    await ensure_indexes(stores)
    hub = await _open_hub(stores, clock, closing)
    tools = await open_tools(settings, clock, stores, closing)
    running = await open_runner(Foundation(settings, clock, stores, tools, closing), hub=hub, code=code)
    await running.services.system.start()
    closing.push_async_callback(running.services.system.stop)
    if embedded.mongo is not None:
        await _take_back(running, settings)
    await running.sweeper.start()
    closing.push_async_callback(running.sweeper.stop)
    logger.info("✅ 所有服务初始化完成！")
    return replace(running, kill_stores=embedded.kill)


async def _open_hub(stores: Stores, clock: Clock, closing: AsyncExitStack) -> EventHub:
    # Stopped after the runner and before the stores: what the last runs changed is announced yet.
    await stores.announcer.start()
    closing.push_async_callback(stores.announcer.stop)
    hub = EventHub(stores.log, clock=clock, forever=Edge().forever)
    await hub.start()
    closing.push_async_callback(hub.stop)
    closing.push_async_callback(stores.artifacts.close)
    await stores.artifacts.sweep_parts()
    return hub


async def _take_back(running: Running, settings: Settings) -> None:
    """Free what earlier starts held: the lock on DATA_DIR says that we are alone, so it is nobody's."""
    taken_back = await running.sweeper.reap_own_past(instance_id(settings.data_dir))
    if taken_back:
        logger.info("taken back from an earlier start: {} tasks", taken_back)


# -- the life of the process -------------------------------------------------------------------------------------


async def main(settings: Settings, *, local_secret: str | None = None) -> int:
    """Serve until SIGINT, SIGTERM or a call to /system/shutdown; return the exit code.

    `local_secret` opens the server to commands of this machine; a new one unless given.
    """
    secret = local_secret or new_secret()
    try:
        sockets = bind(settings.host, settings.port)
    except PortTakenError as error:
        is_ours = error.is_ours or _is_served_at(settings)
        logger.log("INFO" if is_ours else "ERROR", "{}", error)
        return 0 if is_ours else CANNOT_START
    stop = _stop_on_signals()
    clock = Clock()
    async with AsyncExitStack() as closing:
        closing.enter_context(_known(settings, sockets, clock, secret))
        running = await _unless_stopped(startup(settings, clock, closing), stop)
        if running is None:
            logger.info("👋 MediaCrawer Pro 正在关闭...")
            return 0
        garbage = GarbageKeeper(clock=clock)
        garbage.start(asyncio.get_running_loop().call_later)
        closing.callback(garbage.stop)
        app = make_app(running.services, settings, clock=clock, local_secret=secret)
        running.services.system.when_told_to_leave(stop.set)
        server = _listen(app, settings, sockets, running)
        await _announce(settings, sockets, running)
        await stop.wait()
        leave_within(max(_LEAST_GRACE_S, settings.shutdown_grace_s) - _EXIT_S, kill_children=running.kill_stores)
        logger.info("👋 MediaCrawer Pro 正在关闭...")
        left = await _leave(server, app, running, grace_s=settings.shutdown_grace_s)
    if left:
        # A body that would not end keeps its lease; its thread or child must not keep the process.
        os._exit(0)
    return 0


def _listen(app: App, settings: Settings, sockets: list[socket.socket], running: Running) -> HTTPServer:
    server = make_server(app, settings)
    server.add_sockets(sockets)
    running.services.system.mark_ready()
    return server


async def _unless_stopped(starting: Coroutine[None, None, Running], stop: asyncio.Event) -> Running | None:
    """Return what was started; None when a signal came first, and what it had opened is to be closed.

    Raises StartError.
    """
    begun = asyncio.create_task(starting, name="startup")
    told = asyncio.create_task(stop.wait(), name="stop-while-starting")
    await asyncio.wait({begun, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if begun.done():
        return begun.result()
    # mongod may take a minute to recover its journal; nobody waits for it in vain.
    begun.cancel()
    await asyncio.wait({begun})
    if not begun.cancelled() and (error := begun.exception()) is not None:
        logger.warning("startup was cut: {}", error)
    return None


def _known(settings: Settings, sockets: list[socket.socket], clock: Clock, secret: str) -> AbstractContextManager[None]:
    process, port = this_process(), sockets[0].getsockname()[1]
    record = ServerRecord(
        pid=process.pid,
        process_started_at=process.started_at,
        host=settings.host,
        port=port,
        url=f"http://{reachable_host(settings.host)}:{port}/",
        revision=CodeVersion(_PACKAGE).revision,
        started_at=clock.now(),
        secret=secret,
    )
    return known_by_file(settings.data_dir, record, call_later=asyncio.get_running_loop().call_later)


def _is_served_at(settings: Settings) -> bool:
    """Whether the port is held by the server of our own DATA_DIR, which may be too busy, or too new, to say so."""
    record = ServerFile(settings.data_dir).running()
    return record is not None and record.port == settings.port


async def _announce(settings: Settings, sockets: list[socket.socket], running: Running) -> None:
    about = await running.services.system.about()
    port = sockets[0].getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    stale = "，代码已更新，重启后生效 / stale" if about.is_stale else ""
    logger.opt(depth=1).success(
        *("🌐 服务器启动成功！监听端口: {}  http://{}:{}/  (v{} {}{})", port, host, port),
        *(about.version, about.revision, stale),
    )


async def _leave(server: HTTPServer, app: App, running: Running, *, grace_s: float) -> int:
    """Stop accepting and claiming, give back what runs, answer what is being answered; return runs left."""
    server.stop()
    running.services.system.mark_draining()
    # Streams are no answers in progress: their readers go to the next server, and go on where they were.
    await app.streams.close()
    await running.sweeper.stop()
    left = await running.runner.drain(grace_s=max(1.0, grace_s - min(_CLOSING_S, 0.4 * grace_s)))
    running.services.events.ring_all()
    try:
        async with asyncio.timeout(_ANSWERING_S):
            await app.answering.over()
            await server.close_all_connections()
    except TimeoutError:
        logger.warning("connections are still open; they are dropped")
    return left


def _stop_on_signals() -> asyncio.Event:
    """Return an event set by the first SIGINT or SIGTERM; a second one leaves at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in _STOPPING:
        try:
            loop.add_signal_handler(number, on_signal, number)
        except NotImplementedError:
            # Windows: no handlers on the loop.
            signal.signal(number, lambda got, _frame: loop.call_soon_threadsafe(on_signal, got))
    return stop


def _open_log(settings: Settings) -> None:
    file, hidden = log_file_of(settings), secret_values(settings)
    try:
        # It names addresses and keywords.
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        configure_logs(settings.log_level, file, hidden)
    except OSError as error:
        configure_logs(settings.log_level, None, hidden)
        logger.warning("cannot write the log to {}: {}", file, error)


def run() -> int:
    """Read the settings, then serve; every refusal to start is one line that says what to do."""
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_START
    _open_log(settings)
    sys.setswitchinterval(_SWITCH_S)
    bound_arenas()
    arm(settings.crash_point)
    try:
        return asyncio.run(main(settings))
    except StartError as error:
        logger.error("启动失败 / cannot start: {}", error)
        return CANNOT_START
    except StoreUnavailableError as error:
        logger.error("启动失败，存储中途停止响应 / cannot start, the store stopped answering: {}", error.detail)
        return CANNOT_START


if __name__ == "__main__":
    sys.exit(run())
