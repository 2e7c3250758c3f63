"""The rows about the running server: is it there, is it the code on disk, who has the port, who reaches it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import backend
from backend.cli.running_server import RunningServer, find_server, token_to
from backend.core.asking import ask
from backend.core.port import PortTakenError, check_free
from backend.core.processes import command_of, listening_pid
from backend.core.server_file import reachable_host
from backend.core.settings import Settings, is_loopback
from backend.doctor.rows import Row, same
from backend.domain.text import Text
from backend.services.code_version import CodeVersion

DEV_ORIGIN = "http://localhost:5173"
_ASK_S = 5.0
_START = Text(
    "运行 mediacrawer restart（后台）或 ./scripts/run.sh（前台）",
    "Run mediacrawer restart (in the background) or ./scripts/run.sh (in this terminal)",
)
_RESTART = Text("运行 mediacrawer restart", "Run mediacrawer restart")
_DIAGNOSE = Text(
    "看日志最后几行，再运行 mediacrawer restart", "Read the last lines of the log, then run mediacrawer restart"
)
_SERVER, _CODE = Text("后端在运行", "The backend runs"), Text("运行的是磁盘上的代码", "It runs the code on disk")
_PORT, _ORIGIN = Text("端口", "Port"), Text("前端来源可访问 /health", "/health from the frontend's origin")


@dataclass(frozen=True, slots=True)
class Look:
    """What every row is told from: the settings, the server, and /health in both languages (None: no answer)."""

    settings: Settings
    server: RunningServer | None
    health: Mapping[str, Any] | None
    health_zh: Mapping[str, Any] | None
    with_arguments: bool = True


def look(settings: Settings, *, with_arguments: bool = True) -> Look:
    """Find the server and ask it how it is. `with_arguments`: command lines may be shown whole."""
    server = find_server(settings)
    health, health_zh = (None, None) if server is None else (_health(server, settings, one) for one in ("en", "zh-CN"))
    return Look(settings, server, health, health_zh, with_arguments)


def server_rows(seen: Look) -> list[Row]:
    """Return the rows about the server itself."""
    return [_server(seen), _code(seen), _port(seen), _origin(seen)]


def _health(server: RunningServer, settings: Settings, language: str) -> Mapping[str, Any] | None:
    answer = ask(
        *(reachable_host(server.host), server.port, "/health"),
        token=token_to(server, settings),
        headers={"Accept-Language": language},
        timeout_s=_ASK_S,
    )
    found = None if answer is None else answer.json()
    return found if isinstance(found, dict) and isinstance(found.get("components"), dict) else None


def _server(seen: Look) -> Row:
    if seen.server is None:
        return Row("server", _SERVER, "bad", Text("没有运行", "not running"), _START)
    pid = seen.server.process.pid if seen.server.process else "?"
    if seen.health is None:
        silent = Text(f"pid {pid} 在 {seen.server.url} 不应答", f"pid {pid} does not answer at {seen.server.url}")
        return Row("server", _SERVER, "bad", silent, _DIAGNOSE)
    where = f"{seen.server.url}  pid {pid}"
    if "version" not in seen.health:
        hidden = Text(
            f"{where}  详情要登录：用 MEDIACRAWER_TOKEN=令牌 运行",
            f"{where}  details need a login: MEDIACRAWER_TOKEN=... doctor",
        )
        return Row("server", _SERVER, "ok", hidden)
    where, uptime_s = f"{where}  v{seen.health['version']}", round(seen.health.get("uptime_s", 0))
    return Row("server", _SERVER, "ok", Text(f"{where}  已运行 {uptime_s} 秒", f"{where}  up {uptime_s} s"))


def _code(seen: Look) -> Row:
    on_disk = CodeVersion(Path(backend.__file__).parent).revision
    if seen.health is None or "revision" not in seen.health:
        return Row("code", _CODE, "none", Text(f"磁盘上是 {on_disk}", f"on disk: {on_disk}"))
    running = seen.health["revision"]
    if seen.health["stale"]:
        change = f"{running} → {on_disk}" if running != on_disk else f"{running} → {running}+"
        words = Text(f"代码已更新，重启后生效（{change}）", f"stale: it takes effect after a restart ({change})")
        return Row("code", _CODE, "bad", words, _RESTART)
    return Row("code", _CODE, "ok", same(str(running)))


def _port(seen: Look) -> Row:
    if seen.server is not None:
        return Row("port", _PORT, "ok", Text(f"{seen.server.port} 由本服务器使用", f"{seen.server.port} is ours"))
    host, port = seen.settings.host, seen.settings.port
    try:
        if port:
            check_free(host, port)
    except PortTakenError as error:
        pid = listening_pid(port)
        if pid is None:
            return Row("port", _PORT, "bad", same(str(error)))
        name = f"{pid} ({command_of(pid, with_arguments=seen.with_arguments)})"
        words = Text(f"{port} 被进程 {name} 占用", f"{port} is taken by process {name}")
        return Row("port", _PORT, "bad", words, Text("停止它，或设置 PORT", "Stop it, or set PORT to another port"))
    return Row("port", _PORT, "ok", Text(f"{port} 空闲", f"{port} is free"))


def _origin(seen: Look) -> Row:
    if seen.server is None:
        return Row("origin", _ORIGIN, "none", Text("服务器没有运行", "the server does not run"))
    if not is_loopback(seen.server.host):
        own = Text(
            "只接受服务器自己的页面和 ALLOWED_ORIGINS", "only the server's own page and ALLOWED_ORIGINS may call"
        )
        return Row("origin", _ORIGIN, "none", own)
    answer = ask(
        *(reachable_host(seen.server.host), seen.server.port, "/health"),
        headers={"Origin": DEV_ORIGIN},
        timeout_s=_ASK_S,
    )
    if answer is None:
        return Row("origin", _ORIGIN, "bad", Text(f"{DEV_ORIGIN}: 不应答", f"{DEV_ORIGIN}: no answer"), _DIAGNOSE)
    allowed = answer.headers.get("access-control-allow-origin")
    words = same(f"{DEV_ORIGIN} → {answer.status}, Access-Control-Allow-Origin: {allowed or '–'}")
    if allowed != DEV_ORIGIN:
        return Row("origin", _ORIGIN, "bad", words, _RESTART)
    return Row("origin", _ORIGIN, "ok", words)
