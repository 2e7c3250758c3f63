"""The server inside a command, for a machine on which none runs: the same start, stores and stop, on loopback only."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from backend.api.language import Speech
from backend.cli.interrupt import Interrupt, Interrupted
from backend.cli.refusal import refuse
from backend.client import AsyncClient, ClientError, Target
from backend.core.logs import configure_logs
from backend.core.server_file import new_secret
from backend.core.settings import Settings, secret_values
from backend.domain.text import Text

_LOOK_EVERY_S = 0.1
_START_S = 120.0
_ASK_S = 3.0


@asynccontextmanager
async def embedded_server(settings: Settings, interrupt: Interrupt, speech: Speech) -> AsyncIterator[Target]:
    """Run the server on a free port of loopback until the block ends; yield where it is, and its secret.

    Its warnings and errors go to stderr, and to LOG_FILE. Ctrl+C is the command's while the block runs. Leaves with
    code 2 when it cannot start, raises Interrupted when Ctrl+C comes before it has.
    """
    # It brings every client library; a command that finds a server does without.
    from backend.composition.stores import StartError  # noqa: PLC0415
    from backend.main import main  # noqa: PLC0415

    own = settings.model_copy(update={"host": "127.0.0.1", "port": _free_port()})
    target = Target(f"http://127.0.0.1:{own.port}", new_secret())
    configure_logs("WARNING", own.log_file, (*secret_values(own), target.token or ""))
    server = asyncio.create_task(main(own, local_secret=target.token), name="embedded-server")
    # Its first step takes the signals.
    await asyncio.sleep(0)
    try:
        await _until_ready(target, server, interrupt)
        if server.done():
            _say_why(server.result(), speech)
        # The server took it for its own start.
        interrupt.listen()
        yield target
    except StartError as error:
        refuse(str(error))
    finally:
        if not server.done():
            # Its own way to end: what runs is given back, the stores are closed. SIGINT is the command's.
            signal.raise_signal(signal.SIGTERM)
        await asyncio.wait({server})


async def _until_ready(target: Target, server: "asyncio.Task[int]", interrupt: Interrupt) -> None:
    """Return when the server answers, or has ended. Raises Interrupted, and TimeoutError after _START_S."""
    async with asyncio.timeout(_START_S), AsyncClient(target.url, token=target.token) as client:
        while not server.done() and not await _answers(client):
            if interrupt.told.is_set():
                raise Interrupted
            await asyncio.wait({server}, timeout=_LOOK_EVERY_S)


async def _answers(client: AsyncClient) -> bool:
    try:
        return (await client.health(total_s=_ASK_S))["status"] != "down"
    except ClientError:
        return False


def _say_why(code: int, speech: Speech) -> NoReturn:
    if code == 0:
        # Ctrl+C while it started.
        raise Interrupted
    refuse(speech.say(Text("内置服务器无法启动，原因见上", "The server cannot start, see above")))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
