"""`mediacrawer user`: who may sign in."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from backend.cli.people import BY, found, read_password, run
from backend.domain.user import Role

if TYPE_CHECKING:
    from backend.services.user_service import UserService

app = typer.Typer(name="user", help="用户 / Users: add, disable, reset.", no_args_is_help=True, add_completion=False)

UserName = Annotated[str, typer.Argument(metavar="NAME", help="用户名 / the name")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="从标准输入读密码 / password from stdin.")]
Generate = Annotated[bool, typer.Option("--generate", help="生成密码并显示一次 / make a password, shown once.")]

_FIRST = """🔒 从现在起，所有人都要先登录：网页在 /login 登录；脚本和其他机器上的命令要带令牌
   from now on everybody signs in: at /login on the page; scripts, and commands on other machines, need a token
   mediacrawer token create {name}
   MEDIACRAWER_TOKEN=<令牌 / the token> mediacrawer tasks list"""


def register(parent: typer.Typer) -> None:
    """Add the group of commands."""
    parent.add_typer(app)


@app.command()
def add(
    name: UserName,
    *,
    role: Annotated[
        Literal["admin", "member"] | None,
        typer.Option(help="第一位用户是管理员 / the first one is an admin, later ones are members."),
    ] = None,
    password_stdin: FromStdin = False,
    generate: Generate = False,
) -> None:
    """添加用户 / Add a user."""
    password = read_password(from_stdin=password_stdin, generate=generate)

    async def work(users: "UserService") -> None:
        is_first = not await users.list()
        made = await users.add(name, password, role=None if role is None else Role(role), by=BY)
        print(f"✅ 已添加 / added: {made.name} ({made.role.value})")
        _tell(password, is_generated=generate)
        if is_first:
            print(_FIRST.format(name=made.name))

    run(work)


@app.command()
def disable(name: UserName) -> None:
    """停用：会话立即结束，令牌失效 / Shut a user out; their sessions end."""
    _set_disabled(name, is_disabled=True)


@app.command()
def enable(name: UserName) -> None:
    """恢复使用 / Let a user in again."""
    _set_disabled(name, is_disabled=False)


@app.command()
def reset(name: UserName, *, password_stdin: FromStdin = False, generate: Generate = False) -> None:
    """重设密码：会话结束，令牌删除 / Set another password; sessions end, tokens go."""
    password = read_password(from_stdin=password_stdin, generate=generate)

    async def work(users: "UserService") -> None:
        user = await found(users, name)
        await users.reset(user.user_id, password, by=BY)
        print(f"✅ 密码已重设 / password set: {user.name}")
        _tell(password, is_generated=generate)

    run(work)


@app.command("list")
def list_users() -> None:
    """列出用户 / List the users."""

    async def work(users: "UserService") -> None:
        table = Table("name", "role", "state", "created", "last login", box=box.SIMPLE_HEAD)
        for one in await users.list():
            seen = "-" if one.last_login_at is None else f"{one.last_login_at:%Y-%m-%d %H:%M}Z"
            state = "disabled" if one.is_disabled else "ok"
            table.add_row(one.name, one.role.value, state, f"{one.created_at:%Y-%m-%d}", seen)
        Console(markup=False, highlight=False).print(table)

    run(work)


def _set_disabled(name: str, *, is_disabled: bool) -> None:
    async def work(users: "UserService") -> None:
        user = await found(users, name)
        await users.set_disabled(user.user_id, is_disabled=is_disabled, by=BY)
        print(f"✅ 已停用 / disabled: {user.name}" if is_disabled else f"✅ 已恢复 / enabled: {user.name}")

    run(work)


def _tell(password: str, *, is_generated: bool) -> None:
    if is_generated:
        print(f"密码（只显示这一次）/ password, shown this once: {password}")
