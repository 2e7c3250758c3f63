"""One request and its answer on one connection, and the body as httpx reads it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError

from backend.core.network.connector import rest_of
from backend.core.network.decoding import CHUNK_BYTES, CodingError, Decoder
from backend.core.network.errors import (
    BrokenAnswer,
    Deadline,
    DecompressionLimit,
    GateError,
    NoAnswer,
    NotConnected,
    Phase,
    TooLarge,
    described,
)

if TYPE_CHECKING:
    import weakref

    from aiohttp.connector import Connection
    from aiohttp.http_parser import RawResponseMessage
    from aiohttp.streams import StreamReader

    from backend.core.network.connector import ResponseProtocol

CLIENT_CLOSED = "Cannot send a request, as the client has been closed."

_FIRST_FINAL_STATUS = 200
_SWITCHING_PROTOCOLS = 101
# How much may be decoded before other tasks get a turn.
_TURN_BYTES = 1 << 20
# How a lost connection, a broken head and a broken body show themselves.
_LOST = (OSError, aiohttp.ClientError, aiohttp.EofStream, HttpProcessingError)


class Exchange:
    """Owns a connection from checkout until it is given back whole or aborted, exactly one of the two.

    One timer ends everything: a dripping head, a dripping body, an upload nobody reads, a reader who
    went away. `on_end` is called once, when the connection is gone from here.
    """

    def __init__(
        self,
        *,
        request: httpx.Request,
        connection: "Connection",
        protocol: "ResponseProtocol",
        deadline_at: float,
        is_reusable: bool,
        loop: asyncio.AbstractEventLoop,
        on_end: Callable[["Exchange"], None],
    ) -> None:
        self._request = request
        self._connection: Connection | None = connection
        self._protocol = protocol
        self._is_reusable = is_reusable
        self._loop = loop
        self._on_end = on_end
        self._payload: StreamReader | None = None
        self._upload: asyncio.Task[None] | None = None
        self._upload_error: BaseException | None = None
        self._has_expired = False
        self._was_shut = False
        self._phase: Phase = "answer"
        self._sent = False
        self.reused = protocol.was_used
        protocol.was_used = protocol.is_busy = True
        self._timer = loop.call_at(deadline_at, self._expire)

    async def run(self, head: bytes, body: bytes | None, *, is_secure: bool) -> "RawResponseMessage":
        """Send the request and return the head of the answer.

        With `body` None the request's stream is uploaded beside the waiting. A failure or a cancel
        aborts the connection. Raises GateError.
        """
        try:
            self._write_head(head + (body or b""), is_secure=is_secure)
            if body is None:
                self._start_upload()
            return await self._read_head()
        except _LOST as error:
            raise self._failure(error) from error
        finally:
            if self._payload is None:
                self.abort()

    def _write_head(self, data: bytes, *, is_secure: bool) -> None:
        self._protocol.set_response_params(
            skip_payload=self._request.method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=CHUNK_BYTES,
        )
        transport = self._protocol.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("closed before the request was written")
        transport.write(data)
        # asyncio writes at once: if that failed on plain TCP, nothing has left. With TLS it is unknown.
        if transport.is_closing() and not is_secure:
            raise ConnectionResetError("the first write failed")
        self._sent = True

    async def _read_head(self) -> "RawResponseMessage":
        while True:
            message, payload = await self._protocol.read()
            if self._connection is None:
                # On a loop that lags the time may be up between the head's arrival and this step.
                raise ConnectionAbortedError("broken off")
            if message.code == _SWITCHING_PROTOCOLS:
                raise HttpProcessingError(message="an upgrade that nobody asked for")
            if message.code >= _FIRST_FINAL_STATUS:
                break
        self._phase = "body"
        self._payload = payload
        # The connection goes back as soon as the body is here, even while it is still being read.
        payload.on_eof(self._finish)
        return message

    async def read(self) -> bytes:
        """Return some more of the body as it came over the wire, b"" at its end. Raises GateError."""
        if self._payload is None:
            raise RuntimeError("there is no body to be read before the head")
        try:
            return await self._payload.readany()
        except _LOST as error:
            raise self._failure(error) from error

    def rest(self) -> bytes | None:
        """Return what is left of the body as it came over the wire, None when it is not all here."""
        payload = self._payload
        if payload is None or not payload.is_eof() or payload.exception() is not None:
            return None
        return rest_of(payload)

    def _start_upload(self) -> None:
        self._upload = self._loop.create_task(self._write_body(), name="http upload")
        self._upload.add_done_callback(self._end_upload)

    async def _write_body(self) -> None:
        stream = self._request.stream
        is_chunked = "transfer-encoding" in self._request.headers
        if not isinstance(stream, httpx.AsyncByteStream):
            raise TypeError("a body to be streamed has to be an async one")
        async for part in stream:
            if part and not await self._write_part(_as_chunk(part) if is_chunked else part):
                return
        if is_chunked:
            await self._write_part(b"0\r\n\r\n")

    async def _write_part(self, data: bytes) -> bool:
        """Write and wait for room; False when the connection is lost, which the reader hears of by itself."""
        transport = self._protocol.transport
        if transport is None:
            return False
        transport.write(data)
        try:
            await self._protocol.drain()
        except ConnectionError:
            return False
        return True

    def _end_upload(self, upload: asyncio.Task[None]) -> None:
        """Hand an error of the caller's own stream to the caller, unchanged."""
        error = None if upload.cancelled() else upload.exception()
        if error is not None:
            self._upload_error = error
            self._break_off(error)

    def _expire(self) -> None:
        self._has_expired = True
        self._break_off(TimeoutError("the time is up"))

    def shut(self) -> None:
        """Abort because the client is being closed: whoever waits gets RuntimeError, no network error."""
        self._was_shut = True
        self._break_off(ConnectionAbortedError(CLIENT_CLOSED))

    def _break_off(self, error: BaseException) -> None:
        """Wake whoever waits for the head or the body with `error`, and abort."""
        if self._payload is not None:
            self._payload.set_exception(error)
        self._protocol.set_exception(error)
        self.abort()

    def _finish(self) -> None:
        """Give the connection back: the whole answer is here."""
        connection = self._connection
        if connection is None:
            return
        if not self._may_be_kept():
            self.abort()
            return
        self._leave()
        connection.release()

    def _may_be_kept(self) -> bool:
        transport = self._protocol.transport
        return (
            self._is_reusable
            and (self._upload is None or self._upload.done())
            and not self._protocol.should_close
            and transport is not None
            and transport.get_write_buffer_size() == 0
        )

    def abort(self) -> None:
        """Drop the connection at once, with whatever is still unread or unwritten. May be repeated."""
        connection = self._connection
        if connection is None:
            return
        self._leave()
        self._protocol.abort()
        connection.close()

    def _leave(self) -> None:
        self._connection = None
        self._protocol.is_busy = False
        self._timer.cancel()
        if self._upload is not None and not self._upload.done():
            self._upload.cancel()
        self._on_end(self)

    @property
    def upload(self) -> asyncio.Task[None] | None:
        """The task that uploads a streamed body, for whoever has to wait for its end."""
        return self._upload

    def _failure(self, error: Exception) -> BaseException:
        if error is self._upload_error:
            return error
        if self._was_shut:
            return RuntimeError(CLIENT_CLOSED)
        if self._has_expired:
            return self.error(Deadline, "the time for the request is up")
        if self._phase == "body" or isinstance(error, HttpProcessingError):
            return self.error(BrokenAnswer, described(error))
        return self.error(NoAnswer if self._sent else NotConnected, described(error))

    def error(self, kind: type[GateError], message: str) -> GateError:
        """Return an error of this exchange, saying how far it got."""
        return kind(message, request=self._request, phase=self._phase, sent=self._sent, reused=self.reused)


def _as_chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


class Body(httpx.AsyncByteStream):
    """The body of an answer: decoded, in pieces of at most CHUNK_BYTES, at most `limit_bytes` in all.

    `response` is the answer that httpx made of it, where there is one.
    """

    def __init__(self, exchange: Exchange, *, decoder: Decoder | None, limit_bytes: int) -> None:
        self._exchange = exchange
        self._decoder = decoder
        self._limit_bytes = limit_bytes
        self._wire_bytes = 0
        self._decoded_bytes = 0
        self.response: weakref.ref[httpx.Response] | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        turn_bytes = 0
        try:
            while data := await self._exchange.read():
                self._count_wire(data)
                for piece in self._pieces(data):
                    self._count_decoded(piece)
                    yield piece
                    turn_bytes += len(piece)
                    if turn_bytes >= _TURN_BYTES:
                        turn_bytes = 0
                        await asyncio.sleep(0)
            self._check_end()
        finally:
            # A whole answer has given its connection back by now, this is for every other case.
            self._exchange.abort()

    async def whole(self) -> bytes:
        """Read the body to its end. Raises GateError."""
        # Most answers to a poll arrive in one piece: then nothing has to be waited for.
        if self._decoder is None and (rest := self._exchange.rest()) is not None:
            self._count_wire(rest)
            return rest
        return b"".join([piece async for piece in self])

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if self._decoder is None:
            yield from (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))
            return
        try:
            yield from self._decoder.feed(data)
        except CodingError as error:
            raise self._exchange.error(BrokenAnswer, f"bad content coding: {error}") from error

    def _count_wire(self, data: bytes) -> None:
        self._wire_bytes += len(data)
        if self._wire_bytes > self._limit_bytes:
            raise self._exchange.error(TooLarge, f"the body is over {self._limit_bytes} bytes")

    def _count_decoded(self, piece: bytes) -> None:
        self._decoded_bytes += len(piece)
        if self._decoded_bytes > self._limit_bytes:
            raise self._exchange.error(
                DecompressionLimit, f"{self._wire_bytes} bytes decode to over {self._limit_bytes}"
            )

    def _check_end(self) -> None:
        """Refuse a coded body that is cut short: the framing may be whole all the same."""
        if self._decoder is not None and self._wire_bytes and not self._decoder.is_finished:
            raise self._exchange.error(BrokenAnswer, "the coded body is cut short")

    async def aclose(self) -> None:
        """Abort what was not read, and let the answer go with its last reference."""
        self._exchange.abort()
        response = None if self.response is None else self.response()
        if response is not None:
            # httpx 0.28 puts a stream around us that refers to the answer, whose stream it is: a cycle, and with it
            # the bytes of every answer wait for the collector (measured: 80 % of all garbage).
            response.stream = self
