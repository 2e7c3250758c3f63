"""`mediacrawer stop` and `mediacrawer restart`."""

import time
from typing import Annotated

import typer

from backend.cli.detached import DidNotStartError, start_detached
from backend.cli.refusal import read_settings, refuse
from backend.cli.running_server import (
    CannotStopError,
    RunningServer,
    find_server,
    stop_server,
    wait_until_free,
    why_taken,
)
from backend.core.processes import command_of, environment_of
from backend.core.settings import Settings

_CANNOT_STOP = 1
_PORT_TAKEN = 3
_HOW = {
    "asked": "已按请求停止 / it stopped when asked",
    "signalled": "已按信号停止 / it stopped by a signal",
    "killed": "未在限期内退出，已强制结束 / it did not leave in time and was killed",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(stop)
    app.command()(restart)


def stop() -> None:
    """停止服务器并等端口空闲 / Stop the server and wait until its port is free."""
    settings = read_settings()
    if _stop(settings) is None:
        print("没有正在运行的服务器 / no server is running")


def restart(
    *,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay in this terminal, with the log; Ctrl+C stops it.")
    ] = False,
) -> None:
    """停止后以最新代码在后台启动 / Stop, then start the code on disk."""
    settings = read_settings()
    begun = time.monotonic()
    server, environ = find_server(settings), {}
    if server is not None and server.process is not None:
        # It may have been started with another PORT, or with keys that this terminal does not know.
        environ = environment_of(server.process)
    _stop(settings, server)
    if foreground:
        from backend.main import run  # noqa: PLC0415

        raise typer.Exit(run())
    try:
        started = start_detached(settings, environ)
    except DidNotStartError as error:
        refuse(f"✗ 未能启动 / it did not start:\n{error}", code=_CANNOT_STOP)
    old = f"{(server.revision if server else None) or '–'} → "
    took_ms = (time.monotonic() - begun) * 1000
    print(f"✓ 已启动 / started  {old}{started.record.revision}  {started.record.url}  ({took_ms:,.0f} ms)")
    print(f"  pid {started.record.pid}, 日志 / log: {started.log}")
    if not started.is_healthy:
        print("! 有组件不正常，请运行 mediacrawer doctor / a part of it is not well: run mediacrawer doctor")


def _stop(settings: Settings, server: RunningServer | None = None) -> RunningServer | None:
    """Stop what runs and wait for its port; leaves the program when either cannot be had."""
    begun = time.monotonic()
    server = server or find_server(settings)
    if server is not None:
        _end(server, settings)
    host, port = (server.host, server.port) if server else (settings.host, settings.port)
    if not port:
        return server
    problem = why_taken(host, port) if server is None else wait_until_free(host, port)
    if problem is not None:
        refuse(f"✗ {problem}", code=_PORT_TAKEN)
    if server is not None:
        print(f"✓ 端口 {port} 已空闲 / port {port} is free  ({(time.monotonic() - begun) * 1000:,.0f} ms)")
    return server


def _end(server: RunningServer, settings: Settings) -> None:
    who = f"pid {server.process.pid} ({command_of(server.process.pid)})" if server.process else "?"

    def say(wait_s: float) -> None:
        print(f"▸ 正在停止 / stopping {server.url} {who}, ≤ {wait_s:.0f} s", flush=True)

    begun = time.monotonic()
    try:
        ended = stop_server(server, settings, say=say)
    except CannotStopError as error:
        refuse(f"✗ 停不下来 / it cannot be stopped: {error}", code=_CANNOT_STOP)
    print(f"✓ {_HOW[ended.how]}  ({(time.monotonic() - begun) * 1000:,.0f} ms)")
    if ended.killed_children:
        print(f"! 强制结束了 {ended.killed_children} 个子进程 / children that were killed: {ended.killed_children}")
