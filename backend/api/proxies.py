"""What a proxy in front of us says of the caller: believed of TRUSTED_PROXIES, and of nobody else."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from backend.core.setting_types import Network

_MAX_HOPS = 20


class Proxies:
    """Reads `X-Forwarded-For` and `X-Forwarded-Proto` of trusted peers into the request."""

    def __init__(self, trusted: Collection[Network]) -> None:
        self._trusted = tuple(trusted)

    def apply(self, request: HTTPServerRequest) -> None:
        """Put the caller's own address and protocol in place of the proxy's, where a trusted one tells them."""
        if not self._trusted or not self._is_trusted(request.remote_ip or ""):
            return
        request.remote_ip = self._caller_of(request)
        protocol = request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower()
        if protocol in {"http", "https"}:
            request.protocol = protocol

    def _caller_of(self, request: HTTPServerRequest) -> str:
        """Return the nearest address that is no trusted proxy: what stands before it, its owner may have made up."""
        nearest = request.remote_ip or ""
        hops = request.headers.get("X-Forwarded-For", "").split(",")[-_MAX_HOPS:]
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:
                break
            nearest = address
            if not self._is_trusted(address):
                break
        return nearest

    def _is_trusted(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._trusted)


class PublicUrl:
    """Where people find this server: its origin, and whether that is HTTPS."""

    def __init__(self, url: str | None) -> None:
        self.origin = None if url is None else url.rstrip("/").lower()
        self.host = "" if self.origin is None else urlsplit(self.origin).netloc

    def is_https_at(self, host: str) -> bool:
        """Tell whether who asked for this host is the public, over HTTPS."""
        return self.origin is not None and self.origin.startswith("https://") and host.lower() == self.host


def _address(hop: str) -> str | None:
    try:
        return str(ipaddress.ip_address(hop.strip().strip("[]")))
    except ValueError:
        return None
