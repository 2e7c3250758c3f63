"""`mediacrawer db`."""

import os
import socket
from pathlib import Path
from urllib.parse import unquote

import typer

from backend.cli.refusal import read_settings, refuse
from backend.core.embedded import mongosh_line

_NOT_RUNNING = 1
_CONNECT_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(db)


def db() -> None:
    """打印可直接使用的 mongosh 命令 / Print the mongosh command that opens the database."""
    settings = read_settings()
    if settings.stores == "memory":
        refuse("STORES=memory: 没有可连接的数据库 / there is no database to connect to")
    if settings.mongodb_url is not None:
        print(mongosh_line(_without_password(settings.mongodb_url), settings.mongodb_database))
        return
    uri = embedded_uri(settings.data_dir)
    if uri is None:
        refuse(
            f"内置 MongoDB 未运行，请先启动服务器 / the embedded MongoDB of {settings.data_dir} does not run:"
            " start the server first",
            code=_NOT_RUNNING,
        )
    print(mongosh_line(uri, settings.mongodb_database))


def _without_password(url: str) -> str:
    # mongosh asks for it: a password in a command line is seen by every user of the machine.
    scheme, _, rest = url.partition("://")
    userinfo, at, place = rest.rpartition("@")
    return f"{scheme}://{userinfo.partition(':')[0]}{at}{place}"


def embedded_uri(data_dir: Path) -> str | None:
    """Return the URI of the embedded mongod of this folder, or None when none accepts connections there."""
    try:
        uri = (data_dir / "mongo" / "uri").read_text("utf-8").strip()
    except OSError:
        return None
    return uri if _accepts(unquote(uri.partition("://")[2].partition("/")[0])) else None


def _accepts(address: str) -> bool:
    try:
        if address.startswith(os.sep):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(address)
        else:
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), _CONNECT_S).close()
    except (OSError, ValueError):
        return False
    return True
