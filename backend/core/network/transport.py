"""httpx's transport on our own connections: guarded addresses, one deadline, nothing sent twice."""

import asyncio
import dataclasses
import ssl
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import aiohttp
import httpx

from backend.core.network.connector import (
    AddressRefusedError,
    GuardedConnector,
    GuardedResolver,
    Lookup,
    ResponseProtocol,
    Route,
    route_to,
)
from backend.core.network.decoding import codings_of, decoder_for
from backend.core.network.errors import (
    BrokenAnswer,
    Deadline,
    DnsFailed,
    Forbidden,
    GateError,
    NotConnected,
    SchemeRefused,
    TlsFailed,
    TooLarge,
    described,
)
from backend.core.network.exchange import CLIENT_CLOSED, Body, Exchange
from backend.core.network.message import head_bytes, known_body, strip_credentials
from backend.core.network.policy import DEFAULT_PORTS, Guard, origin_of
from backend.core.network.repeated import Prepared, WholeAnswer

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.http_parser import RawResponseMessage

TRIP = "gate_trip"
# A kept connection may turn out stale; only what is safe to have been sent for nothing goes there.
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Defaults per request (`total_s`, `max_body_bytes`), and how many requests run at once."""

    total_s: float
    max_body_bytes: int
    requests: int


@dataclasses.dataclass(slots=True)
class Trip:
    """What the hops of one request share: its deadline (loop time), and where the last hop went."""

    deadline_at: float
    route: Route


class GateTransport(httpx.AsyncBaseTransport):
    """Sends one request at a time as it is, on a guarded connection; never again by itself.

    With `only_origin` every other origin is refused. Belongs to one event loop.
    """

    def __init__(
        self,
        *,
        guard: Guard,
        limits: Limits,
        tls: ssl.SSLContext,
        executor: ThreadPoolExecutor,
        lookup: Lookup,
        loop: asyncio.AbstractEventLoop,
        only_origin: str | None = None,
    ) -> None:
        self._guard = guard
        self._limits = limits
        self._loop = loop
        self._only_origin = only_origin
        resolver = GuardedResolver(guard, executor, lookup)
        self._keeping, self._closing = (
            GuardedConnector(guard=guard, resolver=resolver, tls=tls, is_reusing=is_reusing, loop=loop)
            for is_reusing in (True, False)
        )
        self._slots = asyncio.Semaphore(limits.requests)
        self._requests = 0
        self._exchanges: set[Exchange] = set()
        self._uploads: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def requests(self) -> int:
        """How many requests are queued, connecting, waiting or not read to their end."""
        return self._requests

    @property
    def sockets(self) -> int:
        """How many sockets are open."""
        return self._keeping.sockets + self._closing.sockets

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, return its answer with the body still to be read. Raises GateError."""
        self._check_usable()
        route = self._route_of(request)
        trip = self._trip_of(request, route)
        is_reusable = request.method in _SAFE_METHODS and not request.extensions.get("fresh")
        head, body = head_bytes(request, is_closing=not is_reusable), known_body(request)
        exchange = await self._open(request, route, trip.deadline_at, is_reusable=is_reusable)
        message = await exchange.run(head, body, is_secure=route.is_secure)
        return self._answer(request, exchange, message)

    def prepare(self, request: httpx.Request) -> Prepared:
        """Check a GET without a body and write it out. Raises GateError, httpx.LocalProtocolError."""
        self._check_usable()
        route = self._route_of(request)
        return Prepared(request, route, head_bytes(request, is_closing=False), self._total_s(request))

    async def send_prepared(self, prepared: Prepared) -> WholeAnswer:
        """Send a prepared GET once more and read the whole answer, within one deadline. Raises GateError."""
        self._check_usable()
        request, route = prepared.request, prepared.route
        exchange = await self._open(request, route, self._loop.time() + prepared.total_s, is_reusable=True)
        message = await exchange.run(prepared.head, b"", is_secure=route.is_secure)
        body, headers, _ = self._told(request, exchange, message)
        return WholeAnswer(message.code, await body.whole(), tuple(headers))

    def _check_usable(self) -> None:
        if self._is_closed:
            raise RuntimeError(CLIENT_CLOSED)
        if self._loop is not asyncio.get_running_loop():
            raise RuntimeError("Event loop is closed" if self._loop.is_closed() else "another event loop's client")

    def _route_of(self, request: httpx.Request) -> Route:
        url = request.url
        if url.scheme not in DEFAULT_PORTS or not url.raw_host:
            raise SchemeRefused(f"not an http or https URL: {url.scheme!r}", request=request)
        try:
            route = route_to(url.scheme, url.raw_host.decode("ascii"), url.port)
        except ValueError as error:
            raise Forbidden(f"the host is refused: {url.host!r}", request=request) from error
        if route.address is not None and not self._guard.allows(route.address, route.port):
            raise Forbidden(f"the address is not allowed: {route.address}", request=request)
        if self._only_origin is not None and origin_of(url) != self._only_origin:
            raise Forbidden(f"this client is for {self._only_origin} only", request=request)
        return route

    def _trip_of(self, request: httpx.Request, route: Route) -> Trip:
        """Start the trip at the first hop; at a later one leave the credentials behind."""
        trip = request.extensions.get(TRIP)
        if not isinstance(trip, Trip):
            trip = Trip(self._loop.time() + self._total_s(request), route)
            request.extensions[TRIP] = trip
        elif trip.route.connection_key != route.connection_key:
            strip_credentials(request)
            trip.route = route
        return trip

    def _total_s(self, request: httpx.Request) -> float:
        """The time for the whole trip: ours, else what httpx was told as a read timeout, else the default."""
        given = request.extensions.get("total_s")
        if given is None:
            given = (request.extensions.get("timeout") or {}).get("read")
        return float(self._limits.total_s if given is None else given)

    async def _open(self, request: httpx.Request, route: Route, deadline_at: float, *, is_reusable: bool) -> Exchange:
        """Wait for a slot and connect, both within the deadline."""
        self._requests += 1
        exchange = None
        try:
            exchange = await self._open_kept(request, route, deadline_at) if is_reusable else None
            if exchange is None:
                async with asyncio.timeout_at(deadline_at):
                    await self._slots.acquire()
                    exchange = await self._connect_in_slot(request, route, deadline_at, is_reusable=is_reusable)
        except TimeoutError as error:
            raise Deadline("no connection before the time was up", request=request) from error
        finally:
            if exchange is None:
                self._requests -= 1
        return exchange

    async def _open_kept(self, request: httpx.Request, route: Route, deadline_at: float) -> Exchange | None:
        """Take a slot and a waiting connection when both are there: nothing is waited for, so no timer is needed."""
        if self._requests > self._limits.requests:
            # Some of them queue; a look at the semaphore itself costs more.
            return None
        connection = await self._keeping.kept(route)
        if connection is None:
            return None
        try:
            await self._slots.acquire()
        except asyncio.CancelledError:
            # One who queued and was let in by this step of the loop goes first: then it is waited for, one step.
            connection.release()
            raise
        return self._begin(request, connection, deadline_at, is_reusable=True)

    async def _connect_in_slot(
        self, request: httpx.Request, route: Route, deadline_at: float, *, is_reusable: bool
    ) -> Exchange:
        connection = None
        try:
            connection = await self._connect(request, route, is_reusable=is_reusable)
        finally:
            if connection is None:
                self._slots.release()
        return self._begin(request, connection, deadline_at, is_reusable=is_reusable)

    def _begin(
        self, request: httpx.Request, connection: "Connection", deadline_at: float, *, is_reusable: bool
    ) -> Exchange:
        exchange = Exchange(
            request=request,
            connection=connection,
            protocol=cast("ResponseProtocol", connection.protocol),
            deadline_at=deadline_at,
            is_reusable=is_reusable and self._has_room_for_idle(),
            loop=self._loop,
            on_end=self._forget,
        )
        self._exchanges.add(exchange)
        return exchange

    def _has_room_for_idle(self) -> bool:
        return self._keeping.sockets_at_most <= 2 * self._limits.requests

    async def _connect(self, request: httpx.Request, route: Route, *, is_reusable: bool) -> "Connection":
        connector = self._keeping if is_reusable else self._closing
        try:
            return await connector.open(route)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            if self._is_closed:
                raise RuntimeError(CLIENT_CLOSED) from error
            raise _not_connected(error, request) from error

    def _forget(self, exchange: Exchange) -> None:
        """Take an exchange that has ended off the books."""
        self._exchanges.discard(exchange)
        self._requests -= 1
        self._slots.release()
        if exchange.upload is not None and not exchange.upload.done():
            self._uploads.add(exchange.upload)
            exchange.upload.add_done_callback(self._uploads.discard)

    def _answer(self, request: httpx.Request, exchange: Exchange, message: "RawResponseMessage") -> httpx.Response:
        body, headers, codings = self._told(request, exchange, message)
        extensions: dict[str, object] = {
            "http_version": b"HTTP/1.1",
            "reason_phrase": message.reason.encode("ascii", "replace"),
            "reused": exchange.reused,
        }
        if codings:
            extensions["content_encoding"] = ",".join(codings)
        response = httpx.Response(message.code, headers=headers, stream=body, extensions=extensions)
        body.response = weakref.ref(response)
        return response

    def _told(
        self, request: httpx.Request, exchange: Exchange, message: "RawResponseMessage"
    ) -> tuple[Body, list[tuple[bytes, bytes]], list[str]]:
        """Return body, headers and codings; an answer that cannot be taken costs it its connection."""
        is_told = False
        try:
            told = self._body_of(request, exchange, message)
            is_told = True
        finally:
            if not is_told:
                exchange.abort()
        return told

    def _body_of(
        self, request: httpx.Request, exchange: Exchange, message: "RawResponseMessage"
    ) -> tuple[Body, list[tuple[bytes, bytes]], list[str]]:
        """Return the body, the headers without those httpx would decode by again, and the codings."""
        limit_bytes = int(request.extensions.get("max_body_bytes", self._limits.max_body_bytes))
        headers = list(message.raw_headers)
        has_body = request.method != "HEAD"
        announced_bytes, codings = _framing(headers)
        if has_body and announced_bytes > limit_bytes:
            raise exchange.error(TooLarge, f"the body is announced over {limit_bytes} bytes")
        decoder = None
        is_raw = bool(request.extensions.get("raw"))
        if has_body and codings and not is_raw:
            try:
                decoder = decoder_for(codings)
            except ValueError as error:
                raise exchange.error(BrokenAnswer, str(error)) from error
        if decoder is not None or is_raw:
            headers = [h for h in headers if h[0].lower() not in {b"content-encoding", b"content-length"}]
        return Body(exchange, decoder=decoder, limit_bytes=limit_bytes), headers, codings

    async def aclose(self) -> None:
        """Abort what is in flight, close what is idle, wait until the sockets and tasks are gone."""
        self._is_closed = True
        for exchange in list(self._exchanges):
            exchange.shut()
        if self._uploads:
            await asyncio.wait(set(self._uploads))
        await self._keeping.close()
        await self._closing.close()


def _framing(headers: list[tuple[bytes, bytes]]) -> tuple[int, list[str]]:
    """Return the longest length that is announced, 0 when none is, and the content codings."""
    longest, codings = 0, []
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-length" and value.isdigit():
            longest = max(longest, int(value))
        elif lower == b"content-encoding":
            codings.append(value.decode("latin-1"))
    return longest, codings_of(codings)


def _not_connected(error: Exception, request: httpx.Request) -> GateError:
    message = described(error)
    if isinstance(error, aiohttp.ClientSSLError):
        return TlsFailed(message, request=request)
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, AddressRefusedError):
        return Forbidden(f"an address of {request.url.host!r} is not allowed", request=request)
    if isinstance(error, aiohttp.ClientConnectorDNSError | UnicodeError):
        return DnsFailed(message, request=request)
    return NotConnected(message, request=request)
