"""A plain HTTP/1.1 server in a process of its own, so that it does not share the measured loop.

Paths: /page, /slow/SECONDS, /slow-body/SECONDS, /echo. Run by `stand_in()`; prints its port.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

PAGE = bytes(range(256)) * 180
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
_BACKLOG = 2048


@contextlib.contextmanager
def stand_in() -> Iterator[str]:
    """Run the server for the length of a `with`; gives its origin."""
    command = [sys.executable, "-m", "bench._stand_in"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length_of(head))
            await _answer(head.split(b" ", 2)[1].decode(), body, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client left, which is what it is made to do here
    finally:
        writer.transport.abort()


def _length_of(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length: ")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


async def _answer(path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
    name, _, seconds = path.lstrip("/").partition("/")
    content = body if name == "echo" else PAGE
    writer.write(_HEAD % len(content))
    if name == "slow-body":
        writer.write(content[:20_000])
        content = content[20_000:]
    if seconds:
        await writer.drain()
        await asyncio.sleep(float(seconds))
    writer.write(content)
    await writer.drain()


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, backlog=_BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
