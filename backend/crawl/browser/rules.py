"""Where a tab may go: the checks of a browser's own requests, which do not pass the network gate.

Documents of a browser that is ours are checked one by one, redirects, frames and popups included. What a page loads
besides (pictures, scripts, calls of its own) is bound by the browser's resolver rules: no private address by number
and no loopback name. docs/decisions/0014-the-users-own-browser.md says what that leaves open.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

import httpx

from backend.core.http import NetworkPolicy, origin_of, refusal_of

Refusal = Literal["SCHEME_REFUSED", "PRIVATE_ADDRESS", "BLOCKED"]

_BLANK = "about:blank"
_LOOPBACK = "127.0.0.1"
_SCHEMES = {"http", "https"}
# Patterns of Chromium's --host-resolver-rules, each with what it stands for.
_CLOSED = (
    (("localhost", "*.localhost", "127.*"), "127.0.0.0/8"),
    (("0.*",), "0.0.0.0/8"),
    (("10.*",), "10.0.0.0/8"),
    (tuple(f"100.{n}.*" for n in range(64, 128)), "100.64.0.0/10"),
    (("168.63.129.16",), "168.63.129.16/32"),
    (("169.254.*",), "169.254.0.0/16"),
    (tuple(f"172.{n}.*" for n in range(16, 32)), "172.16.0.0/12"),
    (("192.168.*",), "192.168.0.0/16"),
    (("[::1]", "[::]", "[::ffff:*"), "::1/128"),
    (("[fc*", "[fd*"), "fc00::/7"),
    (("[fe8*", "[fe9*", "[fea*", "[feb*"), "fe80::/10"),
)


class NavigationRules:
    """Judges the documents that tabs load, by the operator's network policy and each platform's hosts."""

    def __init__(self, policy: NetworkPolicy) -> None:
        self._policy = policy
        # Our own port and the stores' stay closed to what settings name, too.
        self._all_but_denied = replace(policy, allow_private=("0.0.0.0/0", "::/0"))
        self._trusted = frozenset(origin_of(origin) for origin in policy.trusted_origins)

    def refusal(self, url: str, hosts: Iterable[str]) -> Refusal | None:
        """Return why a document may not be loaded, or None. `hosts` cover the names below them too.

        https only; http for origins that settings name, and for addresses in networks that the operator opened.
        """
        if url == _BLANK:
            return None
        seen = refusal_of(url, self._policy)
        scheme, host = _scheme_and_host(url)
        if scheme not in _SCHEMES or not host:
            return "SCHEME_REFUSED"
        if self._is_trusted(url):
            return refusal_of(url, self._all_but_denied)
        if seen is not None:
            return seen
        if scheme == "http" and not self._is_opened(host):
            return "SCHEME_REFUSED"
        return None if any(host == one or host.endswith(f".{one}") for one in hosts) else "BLOCKED"

    def resolver_flags(self) -> list[str]:
        """Return the flags that keep a browser of ours from private addresses, whatever a page asks for."""
        rules = [
            f"MAP {pattern} ~NOTFOUND" for patterns, net in _CLOSED if not self._opens(net) for pattern in patterns
        ]
        rules += [f"EXCLUDE {host}" for origin in self._trusted if (host := _scheme_and_host(origin)[1])]
        return [f"--host-resolver-rules={','.join(rules)}"]

    def _is_trusted(self, url: str) -> bool:
        try:
            return origin_of(url) in self._trusted
        except httpx.InvalidURL:
            return False

    def _is_opened(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(_LOOPBACK if host == "localhost" else host.strip("[]"))
        except ValueError:
            return False
        return any(address in network for network in self._networks())

    def _opens(self, closed: str) -> bool:
        wanted = ipaddress.ip_network(closed)
        return any(one.version == wanted.version and one.overlaps(wanted) for one in self._networks())

    def _networks(self) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return (ipaddress.ip_network(text) for text in self._policy.allow_private)


def _scheme_and_host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "").rstrip(".")
    except ValueError:
        return "", ""
