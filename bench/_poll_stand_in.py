"""A provider of videos that are never ready, in a process of its own, as cheap as asyncio allows.

It answers submits and polls as Zhipu's video API does, counts the polls of each job, and costs some 30 us a poll, so
that ten thousand pollers are not held up by it. Run by `poll_stand_in()`; prints its port. A job's id is the submit's
`request_id`. `GET /_polls` answers with the polls of each job, `GET /_jobs` with how many were polled at all.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import orjson

_BACKLOG = 4096
_HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\nContent-Type: application/json; charset=UTF-8\r\n"
    b"Content-Length: %d\r\n\r\n"
)
_PROCESSING = b'{"model":"cogvideox-flash","request_id":"made-by-the-stand-in","task_status":"PROCESSING"}'
_END_OF_HEAD = b"\r\n\r\n"


def _whole(body: bytes) -> bytes:
    return _HEAD % len(body) + body


_POLLED = _whole(_PROCESSING)


@dataclass(frozen=True, slots=True)
class PollStandIn:
    """A running stand-in, seen from the process that started it."""

    origin: str
    pid: int

    @property
    def settings(self) -> dict[str, str]:
        """What a server is told of it, but for the poll interval."""
        return {"COGVIDEOX_API_KEY": "stand-in-key.stand-in-secret", "COGVIDEOX_BASE_URL": f"{self.origin}/v4"}

    def jobs(self) -> int:
        """Return how many jobs were asked about at least once."""
        return int(httpx.get(f"{self.origin}/_jobs", trust_env=False).content)

    def polls(self) -> dict[str, int]:
        """Return how often each job was asked about."""
        found: dict[str, int] = httpx.get(f"{self.origin}/_polls", trust_env=False).json()
        return found


@contextlib.contextmanager
def poll_stand_in() -> Iterator[PollStandIn]:
    """Run the stand-in for the length of a `with`."""
    command = [sys.executable, "-m", "bench._poll_stand_in"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout is not None
            yield PollStandIn(f"http://127.0.0.1:{int(process.stdout.readline())}", process.pid)
        finally:
            process.terminate()


class _Connection(asyncio.Protocol):
    """One keep-alive connection; requests come one after the other, each in one or a few pieces."""

    def __init__(self, polls: Counter[bytes]) -> None:
        self._polls = polls
        self._held = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._held + data
        while (end := data.find(_END_OF_HEAD)) >= 0:
            end += len(_END_OF_HEAD)
            is_post = data.startswith(b"POST ")
            length = _length_of(data[:end]) if is_post else 0
            if len(data) < end + length:
                break
            answer = self._submitted(data[end : end + length]) if is_post else self._got(data)
            if self._transport is not None:
                self._transport.write(answer)
            data = data[end + length :]
        self._held = data

    def _got(self, data: bytes) -> bytes:
        path = data[4 : data.index(b" ", 4)]
        if path == b"/_jobs":
            return _whole(b"%d" % len(self._polls))
        if path == b"/_polls":
            return _whole(orjson.dumps({job.decode(): count for job, count in self._polls.items()}))
        self._polls[path.rpartition(b"/")[2]] += 1
        return _POLLED

    @staticmethod
    def _submitted(body: bytes) -> bytes:
        key = orjson.loads(body)["request_id"]
        return _whole(orjson.dumps({"id": key, "request_id": key, "task_status": "PROCESSING"}))


def _length_of(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length: ")
    return int(rest.split(b"\r\n", 1)[0])


async def _main() -> None:
    polls: Counter[bytes] = Counter()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(polls), "127.0.0.1", 0, backlog=_BACKLOG
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
