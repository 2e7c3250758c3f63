"""Who may be spoken to: the policy, and the guard that judges one address and port."""

import dataclasses
import ipaddress
import re
import socket
from typing import Literal
from urllib.parse import urlsplit

import httpx

from backend.core.network.addresses import IPAddress, IPNetwork, is_public, literal_address, unwrapped

ANY_LOCAL = "*"
DEFAULT_PORTS = {"http": 80, "https": 443}
Refusal = Literal["PRIVATE_ADDRESS", "SCHEME_REFUSED"]

_LOOPBACK = "127.0.0.1"
_LOCALHOST = re.compile(r"(?:.*\.)?localhost\.?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """What the operator opened and closed.

    `allow_private`: networks in CIDR form that may be reached although they are not public.
    `trusted_origins`: origins (`scheme://host:port`) named in settings; through `HttpGate.trusted`
    they may be private.
    `denied`: (address, port) pairs refused always, to everybody; `ANY_LOCAL` as the address means
    every address of this machine. Raises ValueError for a network that is none.
    """

    allow_private: tuple[str, ...] = ()
    trusted_origins: frozenset[str] = frozenset()
    denied: frozenset[tuple[str, int]] = frozenset()

    def __post_init__(self) -> None:
        for network in self.allow_private:
            ipaddress.ip_network(network)

    def trusts(self, origin: str) -> bool:
        """Return whether `origin` is one of the trusted ones, however it is spelt."""
        return origin_of(origin) in {origin_of(trusted) for trusted in self.trusted_origins}


class Guard:
    """Judges addresses by a policy; `is_private_open` lets every private one pass but the denied."""

    def __init__(self, policy: NetworkPolicy, *, is_private_open: bool = False) -> None:
        self._open: tuple[IPNetwork, ...] = tuple(ipaddress.ip_network(net) for net in policy.allow_private)
        self._denied = frozenset(
            (address if address == ANY_LOCAL else str(unwrapped(address)), port) for address, port in policy.denied
        )
        self._local_ports = frozenset(port for address, port in self._denied if address == ANY_LOCAL)
        self._is_private_open = is_private_open

    def allows(self, address: str, port: int) -> bool:
        """Return whether a connection to this canonical address and port may be made."""
        if "%" in address:
            return False
        ip = unwrapped(address)
        if self._is_denied(ip, port):
            return False
        return self._is_private_open or is_public(address) or any(ip in network for network in self._open)

    def _is_denied(self, ip: IPAddress, port: int) -> bool:
        return (str(ip), port) in self._denied or (port in self._local_ports and _is_of_this_machine(ip))


def _is_of_this_machine(ip: IPAddress) -> bool:
    """Return whether `ip` is ours: only a machine's own addresses can be bound to."""
    if ip.is_loopback or ip.is_unspecified:
        return True
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6  # noqa: PLR2004
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError:
        return False
    return True


def origin_of(url: str | httpx.URL) -> str:
    """Return `scheme://host:port` of a URL, the port always named. Raises httpx.InvalidURL."""
    url = httpx.URL(url)
    port = url.port or DEFAULT_PORTS.get(url.scheme, 0)
    host = url.raw_host.decode("ascii").rstrip(".")
    return f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def refusal_of(url: str, policy: NetworkPolicy) -> Refusal | None:
    """Return why `url` would be refused, as far as it can be seen without DNS.

    "SCHEME_REFUSED" also for what is not a readable URL with a host. `localhost` and names below it
    count as the loopback address (RFC 6761). None means only: nothing to be seen yet.
    """
    scheme, host, port = _parts(url)
    if scheme not in DEFAULT_PORTS or not host:
        return "SCHEME_REFUSED"
    try:
        address = _LOOPBACK if _LOCALHOST.fullmatch(host) else literal_address(host)
    except ValueError:
        return "PRIVATE_ADDRESS"
    if address is not None and not Guard(policy).allows(address, port or DEFAULT_PORTS[scheme]):
        return "PRIVATE_ADDRESS"
    return None if _is_readable(url) else "SCHEME_REFUSED"


def _parts(url: str) -> tuple[str, str, int | None]:
    """Split leniently: a host that httpx cannot read may still be an address in disguise."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return _lenient_parts(url)
    return parsed.scheme, parsed.raw_host.decode("ascii"), parsed.port


def _lenient_parts(url: str) -> tuple[str, str, int | None]:
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        return "", "", None
    return split.scheme, split.hostname or "", port


def _is_readable(url: str) -> bool:
    """Whether httpx reads `url`, and nobody reads another host in it: a backslash is a slash to browsers."""
    try:
        return bool(httpx.URL(url).host) and "\\" not in urlsplit(url).netloc
    except (httpx.InvalidURL, ValueError):
        return False
