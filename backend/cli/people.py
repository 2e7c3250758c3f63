"""Opens the users of this installation for a command, whether its server runs or not.

Straight in the store, never through the API: who may read DATA_DIR (or knows MONGODB_URL) may do this, so that it also
mends what has locked everybody out. A running server sees the change within a second.
"""

import asyncio
import secrets
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import typer
from loguru import logger

from backend.cli.opened import opened
from backend.cli.refusal import read_settings, refuse
from backend.core.settings import Settings
from backend.domain.errors import MediaCrawerError, NotFoundError, ValidationFailedError
from backend.domain.text import Text
from backend.domain.user import MAX_PASSWORD_CHARS, User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from backend.services.user_service import UserService

Work: TypeAlias = "Callable[[UserService], Awaitable[None]]"

# What records say of changes made here.
BY = "cli"
_FAILED = 1
_TIMEOUT_S = 30.0
_GENERATED_BYTES = 15


def run(work: Work) -> None:
    """Do `work` with the users of this installation; what cannot be done leaves with one line that says why."""
    settings = read_settings()
    if settings.stores == "memory":
        refuse("STORES=memory: 用户只存在于服务器进程里 / users live in the server's process alone")

    async def main() -> None:
        async with _opened_users(settings) as users:
            await work(users)

    # What the command says is for a person; the log is the server's.
    logger.disable("backend")
    try:
        asyncio.run(main())
    except ValidationFailedError as error:
        refuse("; ".join(one.message.both() for one in error.problems), code=_FAILED)
    except MediaCrawerError as error:
        advice = "" if error.advice is None else f"; {error.advice.both()}"
        refuse(f"{error.message.both()}{advice}", code=_FAILED)
    finally:
        logger.enable("backend")


async def found(users: "UserService", name: str) -> User:
    """Return the user of this name. Raises NotFoundError."""
    user = await users.named(name)
    if user is None:
        raise NotFoundError(Text(f"没有名为 {name} 的用户", f"There is no user named {name}"))
    return user


def read_password(*, from_stdin: bool, generate: bool) -> str:
    """Return a password: generated, from stdin, or asked for twice. Never from the command line, which others see."""
    if generate:
        return secrets.token_urlsafe(_GENERATED_BYTES)
    if from_stdin:
        return sys.stdin.readline(MAX_PASSWORD_CHARS + 2).rstrip("\r\n")
    return str(typer.prompt("密码 / password", hide_input=True, confirmation_prompt="再输一次 / again"))


@asynccontextmanager
async def _opened_users(settings: Settings) -> "AsyncIterator[UserService]":
    # They bring the driver; `--help` answers without.
    from backend.core.passwords import Passwords  # noqa: PLC0415
    from backend.core.secrets import SecretBox, no_key_error  # noqa: PLC0415
    from backend.services.user_directory import UserDirectory  # noqa: PLC0415
    from backend.services.user_service import UserService  # noqa: PLC0415
    from backend.store.audit import AuditStore  # noqa: PLC0415
    from backend.store.tokens import TokenStore  # noqa: PLC0415
    from backend.store.users import UserStore  # noqa: PLC0415

    async with opened(settings, timeout_s=_TIMEOUT_S) as data:
        # As a server does at its start: what a newer version wrote is refused, what an older one wrote is migrated.
        await data.schema.open()
        users, tokens = UserStore(data.database, clock=data.clock), TokenStore(data.database, clock=data.clock)
        audit = AuditStore(data.database, clock=data.clock)
        for store in (users, tokens, audit):
            await store.ensure_indexes()
        # No session is made here.
        directory = UserDirectory(users, tokens, box=SecretBox(None, problem=no_key_error()))
        yield UserService(users, tokens, audit, directory, passwords=Passwords())
