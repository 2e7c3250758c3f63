"""`mediacrawer token`: what programs sign in with."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from backend.cli.people import BY, found, run

if TYPE_CHECKING:
    from backend.services.user_service import UserService

app = typer.Typer(name="token", help="程序用的令牌 / Tokens for programs.", no_args_is_help=True, add_completion=False)

UserName = Annotated[str, typer.Argument(metavar="USER", help="用户名 / whose")]


def register(parent: typer.Typer) -> None:
    """Add the group of commands."""
    parent.add_typer(app)


@app.command()
def create(
    user: UserName, *, label: Annotated[str, typer.Option(help="用途 / what it is for")] = "mediacrawer token create"
) -> None:
    """创建令牌，只显示一次 / Make a token; it is shown this once."""

    async def work(users: "UserService") -> None:
        made, secret = await users.add_token(await found(users, user), label[:50], by=BY)
        print(f"✅ {made.token_id}\n{secret}")

    run(work)


@app.command("list")
def list_tokens(user: UserName) -> None:
    """列出一个用户的令牌 / List a user's tokens."""

    async def work(users: "UserService") -> None:
        table = Table("id", "label", "ends in", "created", "by", box=box.SIMPLE_HEAD)
        for one in await users.tokens_of((await found(users, user)).user_id):
            table.add_row(one.token_id, one.label, one.last_four, f"{one.created_at:%Y-%m-%d}", one.created_by)
        Console(markup=False, highlight=False).print(table)

    run(work)


@app.command()
def remove(token_id: Annotated[str, typer.Argument(metavar="ID", help="令牌的 id / its id")]) -> None:
    """删除令牌 / Remove a token; it opens nothing from now on."""

    async def work(users: "UserService") -> None:
        removed = await users.remove_token(token_id, user_id=None, by=BY)
        print(f"✅ 已删除 / removed: {removed.token_id}")

    run(work)
