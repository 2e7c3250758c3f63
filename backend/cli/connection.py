"""Finds the server that a command talks to, or runs one inside the command."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from backend.api.language import Speech
from backend.cli.access import target_for
from backend.cli.embedded import embedded_server
from backend.cli.interrupt import Interrupt
from backend.cli.refusal import refuse
from backend.cli.speech import accept_language
from backend.client import AsyncClient, ClientError
from backend.core.server_file import ServerFile
from backend.core.settings import Settings, vendor_environ
from backend.domain.text import Text

_ASK_S = 3.0
_NO_SERVER = Text(
    "没有正在运行的服务器；请先运行 mediacrawer serve，或用 --url 指定地址",
    "No server is running: start one with `mediacrawer serve`, or name one with --url",
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A client of a server; `is_embedded` when the server lives in this process."""

    client: AsyncClient
    is_embedded: bool = False

    @property
    def url(self) -> str:
        """Where the server is."""
        return self.client.target.url


@asynccontextmanager
async def connected(
    settings: Settings, speech: Speech, *, url: str | None, embed: Interrupt | None = None
) -> AsyncIterator[Connection]:
    """Yield a client of the server that `url`, MEDIACRAWER_URL, DATA_DIR/server.json or the PORT leads to.

    With `embed` and none of them, of one started in this process; else leaves with code 2. A server that was named and
    does not answer is refused, not replaced.
    """
    named = url or vendor_environ(settings).get("MEDIACRAWER_URL", "").strip()
    found = _client(named, settings, speech) if named else await _running(settings, speech)
    if found is not None:
        async with found as client:
            await _check(client, speech)
            yield Connection(client)
    elif embed is None:
        refuse(speech.say(_NO_SERVER))
    else:
        async with (
            embedded_server(settings, embed, speech) as own,
            AsyncClient(own.url, token=own.token, language=accept_language(speech)) as client,
        ):
            yield Connection(client, is_embedded=True)


def _client(url: str, settings: Settings, speech: Speech) -> AsyncClient:
    target = target_for(url, settings)
    try:
        return AsyncClient(target.url, token=target.token, language=accept_language(speech))
    except ValueError as error:
        refuse(str(error))


async def _check(client: AsyncClient, speech: Speech) -> None:
    try:
        is_ours = _is_ours(await client.health())
    except ClientError as error:
        said = Text(f"连接不上 {client.target.url}：{error}", f"{client.target.url} does not answer: {error}")
        refuse(speech.say(said))
    if not is_ours:
        url = client.target.url
        refuse(speech.say(Text(f"{url} 不是 MediaCrawer Pro", f"{url} is not a MediaCrawer Pro")))


async def _running(settings: Settings, speech: Speech) -> AsyncClient | None:
    """Return a client, not opened yet, of the server of this DATA_DIR, else of the one on PORT; None without either."""
    for url in _candidates(settings):
        with contextlib.suppress(ClientError):
            async with _client(url, settings, speech) as asking:
                if _is_ours(await asking.health(total_s=_ASK_S)):
                    return _client(url, settings, speech)
    return None


def _candidates(settings: Settings) -> Iterator[str]:
    # Only of a process that runs: at a dead one's port may listen whoever likes to be sent a token.
    known = ServerFile(settings.data_dir).running()
    if known is not None:
        yield known.url
    if settings.port:
        yield f"http://127.0.0.1:{settings.port}"


def _is_ours(health: Any) -> bool:
    return "memory_mode" in health or {"mongodb", "runner"} <= set(health.get("components") or ())
