"""The `mediacrawer` command: serve, config, db, version. Only what works is listed."""

import json
import os
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import unquote

import typer
from rich import box
from rich.console import Console
from rich.table import Table

import backend
from backend.core.embedded import mongosh_line
from backend.core.logs import use_utf8
from backend.core.settings import Settings, SettingsError, describe, load_settings

_CANNOT = 2
_NOT_RUNNING = 1
_CONNECT_S = 1.0

app = typer.Typer(
    name="mediacrawer",
    help="MediaCrawer Pro: 采集与生成任务的后端 / a backend for crawl and generation tasks.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command()
def serve() -> None:
    """启动服务器 / Run the server until Ctrl+C."""
    # It brings every client library; the other commands answer without them.
    from backend.main import run  # noqa: PLC0415

    raise typer.Exit(run())


@app.command()
def config(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of a table.")] = False
) -> None:
    """显示所有设置及其来源 / Show every setting and where its value comes from; secrets are masked."""
    rows = describe(_settings())
    if as_json:
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2))
        return
    # The meaning under the name: seven columns do not fit a terminal.
    table = Table("name, meaning", "value", "source", box=box.SIMPLE_HEAD, show_lines=True)
    table.columns[1].overflow = "fold"
    for row in rows:
        default = "" if row.value == row.default else f"\ndefault: {row.default or '-'}"
        table.add_row(f"{row.name}\n{row.meaning}", f"{row.value or '-'} {row.unit}{default}", row.source)
    Console(markup=False, highlight=False).print(table)


@app.command()
def db() -> None:
    """打印可直接使用的 mongosh 命令 / Print the mongosh command that opens the database."""
    settings = _settings()
    if settings.stores == "memory":
        _refuse("STORES=memory: 没有可连接的数据库 / there is no database to connect to", code=_CANNOT)
    if settings.mongodb_url is not None:
        print(mongosh_line(_without_password(settings.mongodb_url), settings.mongodb_database))
        return
    uri = _embedded_uri(settings.data_dir)
    if uri is None:
        _refuse(
            f"内置 MongoDB 未运行，请先启动服务器 / the embedded MongoDB of {settings.data_dir} does not run:"
            " start the server first",
            code=_NOT_RUNNING,
        )
    print(mongosh_line(uri, settings.mongodb_database))


@app.command()
def version() -> None:
    """显示版本 / Print the version."""
    print(backend.__version__)


def main() -> None:
    """Run the command line; the entry point of the console script."""
    use_utf8(sys.stdout, sys.stderr)
    app()


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        _refuse(str(error), code=_CANNOT)


def _refuse(why: str, *, code: int) -> NoReturn:
    sys.stderr.write(f"{why}\n")
    raise typer.Exit(code)


def _without_password(url: str) -> str:
    # mongosh asks for it: a password in a command line is seen by every user of the machine.
    scheme, _, rest = url.partition("://")
    userinfo, at, place = rest.rpartition("@")
    return f"{scheme}://{userinfo.partition(':')[0]}{at}{place}"


def _embedded_uri(data_dir: Path) -> str | None:
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


if __name__ == "__main__":
    main()
