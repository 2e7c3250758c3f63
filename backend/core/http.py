"""The one gate to the network: every request that leaves this process goes through here.

httpx's API on a transport of our own (docs/decisions/0003-httpx-api-on-our-own-transport.md). What it
adds to a plain client: addresses are checked and pinned, on every redirect hop; one deadline covers a
request with its queueing and redirects; a cancel aborts the connection; nothing is ever sent twice;
bodies have a limit, also once decompressed; an error says whether the server may have seen the request.

Per request, in `extensions`: `total_s` (seconds for everything), `max_body_bytes`, `fresh` (a
connection of its own for a GET too; other methods always have one), `raw` (the body as on the wire, its
coding in the response's extension `content_encoding`). The response's extension `reused` says whether
the connection had served before. A timeout given the httpx way counts as `total_s`.

Proxies are not supported, and not taken from the environment.
"""

import asyncio
import contextlib
import dataclasses
import http.cookiejar
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from backend.core.network.addresses import is_public, literal_address
from backend.core.network.connector import Lookup, system_lookup
from backend.core.network.decoding import ACCEPT_ENCODING
from backend.core.network.errors import (
    BrokenAnswer,
    Deadline,
    DecompressionLimit,
    DnsFailed,
    Forbidden,
    GateError,
    NoAnswer,
    NotConnected,
    SchemeRefused,
    TlsFailed,
    TooLarge,
    error_name,
)
from backend.core.network.policy import ANY_LOCAL, Guard, NetworkPolicy, origin_of, refusal_of
from backend.core.network.repeated import RepeatedGet, WholeAnswer
from backend.core.network.transport import TRIP, GateTransport, Limits

__all__ = [
    "ANY_LOCAL",
    "BrokenAnswer",
    "Deadline",
    "DecompressionLimit",
    "DnsFailed",
    "Forbidden",
    "GateError",
    "HttpGate",
    "LiveConnections",
    "NetworkPolicy",
    "NoAnswer",
    "NotConnected",
    "RepeatedGet",
    "SchemeRefused",
    "TlsFailed",
    "TooLarge",
    "WholeAnswer",
    "error_name",
    "is_public",
    "literal_address",
    "origin_of",
    "refusal_of",
]

MAX_REDIRECTS = 10
_DNS_THREADS = 16
# Aborted sockets are closed by the loop within its next turns.
_TURNS_TO_CLOSE = 10


@dataclasses.dataclass(frozen=True, slots=True)
class LiveConnections:
    """What the gate holds right now: requests not ended yet, and open sockets (idle ones too)."""

    requests: int
    sockets: int


class _GateClient(httpx.AsyncClient):
    """httpx's client without cookies, environment and blind spots in its errors."""

    def __init__(self, transport: GateTransport, *, user_agent: str, follow_redirects: bool) -> None:
        super().__init__(
            transport=transport,
            headers={"User-Agent": user_agent, "Accept-Encoding": ACCEPT_ENCODING},
            cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=follow_redirects,
            max_redirects=MAX_REDIRECTS,
            timeout=None,
            trust_env=False,
        )
        self._gate_transport = transport

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Build a request; a URL that httpx cannot read is a refusal like any other."""
        try:
            return super().build_request(method, url, **options)
        except httpx.InvalidURL as error:
            if refusal_of(str(url), NetworkPolicy()) == "PRIVATE_ADDRESS":
                raise Forbidden(f"the host is refused: {error}", request=None) from error
            raise SchemeRefused(f"not a readable URL: {error}", request=None) from error

    def repeated(self, url: str, *, headers: Mapping[str, str], extensions: dict[str, object]) -> RepeatedGet:
        """Return a GET that this client's transport sends again and again."""
        return RepeatedGet(self._gate_transport, self.build_request("GET", url, headers=headers, extensions=extensions))

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send `request` on a new trip: the same object may be sent again, with all its time."""
        request.extensions.pop(TRIP, None)
        try:
            return await super().send(request, **options)
        except httpx.RemoteProtocolError as error:
            if isinstance(error, GateError):
                raise
            # httpx's own word about a Location it cannot read.
            raise BrokenAnswer(str(error), request=request, phase="body", sent=True) from error


class HttpGate:
    """Makes the clients through which everything goes out; owns their sockets, threads and tasks.

    `limit` and `trusted_limit` are how many requests run at once, over all outside URLs and per trusted
    origin; the others queue, within their deadline. Hosts are not limited here: that is the caller's.
    `verify` replaces the TLS context (a CA of one's own); `lookup` the system's resolver, it may block.
    """

    def __init__(
        self,
        *,
        policy: NetworkPolicy,
        user_agent: str,
        total_s: float = 60.0,
        max_body_bytes: int = 32 << 20,
        limit: int = 200,
        trusted_limit: int = 200,
        verify: ssl.SSLContext | None = None,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._policy = policy
        self._user_agent = user_agent
        self._limits = Limits(total_s=total_s, max_body_bytes=max_body_bytes, requests=limit)
        self._trusted_limits = dataclasses.replace(self._limits, requests=trusted_limit)
        self._verify = verify
        self._lookup = lookup
        self._is_stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._tls: ssl.SSLContext | None = None
        self._outside: _GateClient | None = None
        self._trusted: dict[str, _GateClient] = {}
        self._transports: list[GateTransport] = []

    async def start(self) -> None:
        """Make the client for the outside on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._tls = self._verify or _tls_context()
        self._executor = ThreadPoolExecutor(_DNS_THREADS, thread_name_prefix="dns")
        transport = self._transport(Guard(self._policy), self._limits)
        self._outside = _GateClient(transport, user_agent=self._user_agent, follow_redirects=True)

    async def stop(self) -> None:
        """Close everything in reverse; afterwards no socket and no task of ours is left.

        Requests still in flight end with RuntimeError, as every later one does.
        """
        self._is_stopped = True
        clients = [*reversed(self._trusted.values()), *([self._outside] if self._outside else [])]
        for client in clients:
            await client.aclose()
        for _ in range(_TURNS_TO_CLOSE):
            if not self.live().sockets:
                break
            await asyncio.sleep(0)
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    @property
    def outside(self) -> httpx.AsyncClient:
        """The client for every URL that comes from a user, a page, a feed or a redirect."""
        if self._outside is None:
            raise RuntimeError("the gate has no clients before start()")
        return self._outside

    def trusted(self, origin: str) -> httpx.AsyncClient:
        """Return the client for one origin named in settings; it follows no redirects.

        Any other origin is Forbidden through it. Private addresses are open when the policy trusts the
        origin. Raises httpx.InvalidURL, and RuntimeError before start() or after stop().
        """
        return self._trusted_client(origin)

    def repeated(
        self,
        url: str,
        *,
        origin: str,
        headers: Mapping[str, str],
        total_s: float,
        max_body_bytes: int | None = None,
    ) -> RepeatedGet:
        """Return a GET of a trusted origin for a poller, to be sent again and again: as `trusted` would send it.

        `total_s` is the time for each sending. Raises as `trusted` does, and SchemeRefused or Forbidden for a URL
        that cannot be read.
        """
        limits = {} if max_body_bytes is None else {"max_body_bytes": max_body_bytes}
        client = self._trusted_client(origin)
        return client.repeated(url, headers=headers, extensions={"total_s": total_s, **limits})

    def _trusted_client(self, origin: str) -> _GateClient:
        origin = origin_of(origin)
        if origin not in self._trusted:
            guard = Guard(self._policy, is_private_open=self._policy.trusts(origin))
            transport = self._transport(guard, self._trusted_limits, only_origin=origin)
            self._trusted[origin] = _GateClient(transport, user_agent=self._user_agent, follow_redirects=False)
        return self._trusted[origin]

    def live(self) -> LiveConnections:
        """Return what is held right now."""
        return LiveConnections(
            requests=sum(transport.requests for transport in self._transports),
            sockets=sum(transport.sockets for transport in self._transports),
        )

    def _transport(self, guard: Guard, limits: Limits, only_origin: str | None = None) -> GateTransport:
        if self._loop is None or self._tls is None or self._executor is None or self._is_stopped:
            raise RuntimeError("the gate makes clients between start() and stop() only")
        transport = GateTransport(
            guard=guard,
            limits=limits,
            tls=self._tls,
            executor=self._executor,
            lookup=self._lookup,
            loop=self._loop,
            only_origin=only_origin,
        )
        self._transports.append(transport)
        return transport


def _tls_context() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    with contextlib.suppress(NotImplementedError):  # a TLS library without ALPN
        context.set_alpn_protocols(["http/1.1"])
    return context
