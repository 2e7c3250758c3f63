"""Where we lean on aiohttp's inside: its connector without its session, and its response protocol.

Used of what is not public: the connector's protocol factory, its store of waiting connections, the shape it
expects of a request, the fields of its connection key, the protocol's payload and drain helper, a payload's
buffer. aiohttp is pinned to a minor version; tests/core/test_http*.py decide about every upgrade.
"""

import asyncio
import dataclasses
import functools
import socket
import ssl
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.streams import StreamReader
from yarl import URL

from backend.core.network.addresses import literal_address
from backend.core.network.policy import DEFAULT_PORTS, Guard

KEEPALIVE_S = 15.0
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


# (host, port, family) -> its addresses; blocks, and raises OSError or UnicodeError.
Lookup = Callable[[str, int, int], Sequence[str]]


def system_lookup(host: str, port: int, family: int) -> list[str]:
    """Return the addresses of `host` as this machine resolves it. Blocks. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class AddressRefusedError(PermissionError):
    """The guard said no; always the same text, or happy eyeballs would merge it into another error."""

    def __init__(self) -> None:
        super().__init__("the address is not allowed")


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """The way to one origin: what aiohttp's connector asks of a request.

    `address` is the canonical one when the host is an address itself.
    """

    host: str
    port: int
    address: str | None
    is_secure: bool
    url: URL
    connection_key: ConnectionKey
    server_hostname: str | None
    ssl: bool = True
    proxy: None = None
    proxy_headers: None = None

    def is_ssl(self) -> bool:
        """Return whether the connection is a secure one."""
        return self.is_secure


@functools.lru_cache(maxsize=8192)
def route_to(scheme: str, raw_host: str, port: int | None) -> Route:
    """Return the route to an origin. Raises ValueError for a host that must not be asked for."""
    address = literal_address(raw_host)
    host = address or raw_host.rstrip(".")
    if not host:
        raise ValueError("a URL without a host")
    port = DEFAULT_PORTS[scheme] if port is None else port
    is_secure = scheme == "https"
    return Route(
        host=host,
        port=port,
        address=address,
        is_secure=is_secure,
        url=URL.build(scheme=scheme, host=host, port=port, path="/"),
        connection_key=ConnectionKey(
            host=host,
            port=port,
            is_ssl=is_secure,
            ssl=True,
            proxy=None,
            proxy_auth=None,
            proxy_headers_hash=None,
        ),
        server_hostname=None if address else host,
    )


class GuardedResolver(AbstractResolver):
    """Resolves in threads of its own; one forbidden address condemns the whole name.

    The loop's default executor is not used: slow names would keep `asyncio.to_thread` waiting
    (measured: 5.7 s behind twelve of them).
    """

    def __init__(self, guard: Guard, executor: ThreadPoolExecutor, lookup: Lookup) -> None:
        self._guard = guard
        self._executor = executor
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return every address of `host`; raises OSError (AddressRefusedError when one is forbidden)."""
        loop = asyncio.get_running_loop()
        addresses = dict.fromkeys(await loop.run_in_executor(self._executor, self._lookup, host, port, family))
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        if not all(self._guard.allows(address, port) for address in addresses):
            raise AddressRefusedError
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Do nothing: the executor belongs to the gate."""


class ResponseProtocol(ResponseHandler):
    """aiohttp's response protocol, with four holes closed.

    There a body without a length that ends in a reset counts as complete; a body that breaks the rules
    of chunks half-way is waited for for ever; bytes that arrive on an idle
    connection are given to the next request as its answer; and closing waits, for ever, for a peer that
    takes no more of an upload or does not answer a TLS goodbye.
    """

    is_busy = False
    was_used = False

    def data_received(self, data: bytes) -> None:
        """Parse `data`, unless nobody asked for it: then the connection is not used again."""
        # Empty data is no data: a paused reader is resumed with it.
        if data and self.was_used and not self.is_busy:
            self.abort()
            return
        payload = self._payload
        super().data_received(data)
        broken = self.exception()
        if broken is not None and payload is not None and not payload.is_eof():
            payload.set_exception(broken)
        if self.was_used and not self.is_busy and len(self):
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Break off the body that was being received when the connection was lost to an error."""
        payload = self._payload
        if exc is not None and payload is not None and not payload.is_eof():
            payload.set_exception(aiohttp.ClientPayloadError(f"connection lost: {exc}"))
        super().connection_lost(exc)

    def close(self) -> None:
        """Let go of the socket at once: what has to be written was written, or is not wanted any more."""
        self.abort()

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was written. Raises ConnectionError."""
        await self._drain_helper()


def rest_of(payload: StreamReader) -> bytes:
    """Take what is left of a body that came to its end; `readany` would feed the parser once more for each piece."""
    if payload.at_eof():
        return b""
    rest = b"".join(payload._buffer)
    payload._buffer.clear()
    return rest


class GuardedConnector(aiohttp.TCPConnector):
    """aiohttp's connector: guarded addresses, our protocol, no limit of its own.

    The socket factory is handed the very address that is about to be connected: its word is the last.
    """

    def __init__(
        self,
        *,
        guard: Guard,
        resolver: GuardedResolver,
        tls: ssl.SSLContext,
        is_reusing: bool,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(
            loop=loop,
            resolver=resolver,
            ssl=tls,
            socket_factory=self._guarded_socket,
            limit=0,
            force_close=not is_reusing,
            keepalive_timeout=KEEPALIVE_S if is_reusing else None,
        )
        self._factory = cast("functools.partial[ResponseHandler]", functools.partial(ResponseProtocol, loop=loop))
        self._guard = guard
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def _guarded_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, proto, _, sockaddr = info
        if not self._guard.allows(str(sockaddr[0]), int(sockaddr[1])):
            raise AddressRefusedError
        made = socket.socket(family, kind, proto)
        self._sockets.add(made)
        return made

    async def kept(self, route: Route) -> aiohttp.connector.Connection | None:
        """Return the last used of the connections waiting for `route`, None when there is none. Never suspends.

        aiohttp would give the one that has waited longest: after a burst all of its connections then stay in use, cold
        ones in turn, and each is the likelier to have been closed meanwhile.
        """
        if waiting := self._conns.get(route.connection_key):
            waiting.rotate(1)
        return await self._get(route.connection_key, [])

    async def open(self, route: Route) -> aiohttp.connector.Connection:
        """Return a connection to `route`, a waiting one or a new one.

        Raises aiohttp.ClientError, OSError, UnicodeError.
        """
        return await self.connect(cast("ClientRequest", route), [], _NO_TIMEOUT)

    @property
    def sockets(self) -> int:
        """How many sockets are open: connecting, in use, or kept for reuse."""
        return sum(made.fileno() >= 0 for made in self._sockets)

    @property
    def sockets_at_most(self) -> int:
        """An upper bound of `sockets` that costs nothing."""
        return len(self._sockets)
