"""Which addresses belong to the public internet, and which hosts are addresses in disguise.

Python's `is_global` says yes to multicast, NAT64 and 6to4 of private addresses, ISATAP and others
(measured on 3.11), hence a table of our own.
Sources: the IANA IPv4 and IPv6 special-purpose address registries, checked 2026-11-21.
"""

import functools
import ipaddress
import re
import unicodedata

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_SPECIAL_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host agent: a public number that reaches the machine's own platform
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Everything outside of global unicast is special, so IPv6 starts from what is allowed.
_GLOBAL_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48")
)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_6TO4 = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_ISATAP_MARK = 0x00005EFE
_ISATAP_MASK = 0xFDFFFFFF  # the universal/local bit may be set or not
_LOW_32_BITS = 0xFFFFFFFF
_BYTE = 0xFF

_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.IGNORECASE)
_MAX_PARTS = 4
# What URL parsers take for a dot: UTS 46, section 2.3.
_DOTS = re.compile("[\u3002\uff0e\uff61]")


@functools.lru_cache(maxsize=4096)
def is_public(address: str) -> bool:
    """Return whether `address` (canonical IPv4 or IPv6) belongs to the public internet.

    An IPv6 address that carries an IPv4 one counts only when the inner one is public too.
    Raises ValueError when `address` is not an address.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return _is_public_v4(ip)
    if ip in _MAPPED or ip in _NAT64:
        return _is_public_v4(ipaddress.IPv4Address(int(ip) & _LOW_32_BITS))
    inner = _tunnelled(ip)
    if not all(_is_public_v4(address) for address in inner):
        return False
    if ip in _6TO4 or ip in _TEREDO:
        return True
    return ip.scope_id is None and ip in _GLOBAL_UNICAST_V6 and not any(ip in net for net in _SPECIAL_V6)


def _is_public_v4(ip: ipaddress.IPv4Address) -> bool:
    return not any(ip in network for network in _SPECIAL_V4)


def _tunnelled(ip: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses a tunnel would send packets for `ip` to."""
    number = int(ip)
    if ip in _6TO4:
        return (ipaddress.IPv4Address(number >> 80 & _LOW_32_BITS),)
    if ip in _TEREDO:
        server, client = number >> 64 & _LOW_32_BITS, ~number & _LOW_32_BITS
        return (ipaddress.IPv4Address(server), ipaddress.IPv4Address(client))
    if number >> 32 & _ISATAP_MASK == _ISATAP_MARK:
        return (ipaddress.IPv4Address(number & _LOW_32_BITS),)
    return ()


def unwrapped(address: str) -> IPAddress:
    """Return `address` as an object; an IPv4-mapped one as the IPv4 address the system connects to."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def literal_address(host: str) -> str | None:
    """Return the canonical address that `host` spells, or None when it is a name.

    Knows what the system's own parser knows: decimal, hexadecimal, octal and short forms
    (`2130706433`, `0x7f.1`, `0177.0.0.1`), full-width digits, a trailing dot, brackets.
    Raises ValueError for what ends in a number or holds a colon and is no address, and for an IPv6
    scope: such a host must be refused, since some resolver may still make an address of it.
    """
    plain = _DOTS.sub(".", unicodedata.normalize("NFKC", host)).rstrip(".")
    if plain.startswith("[") and plain.endswith("]"):
        plain = plain[1:-1]
    if ":" in plain:
        return str(_without_scope(ipaddress.IPv6Address(plain)))
    last_label = plain.rsplit(".", 1)[-1]
    if not _NUMBER.fullmatch(last_label):
        return None
    return str(_legacy_ipv4(plain.split(".")))


def _without_scope(ip: ipaddress.IPv6Address) -> ipaddress.IPv6Address:
    if ip.scope_id is not None:
        raise ValueError(f"an address with a scope is refused: {ip}")
    return ip


def _legacy_ipv4(parts: list[str]) -> ipaddress.IPv4Address:
    """Read one to four numbers as inet_aton does: the last one fills all the bytes that are left."""
    if len(parts) > _MAX_PARTS:
        raise ValueError(f"too many numbers for an address: {'.'.join(parts)}")
    *leading, last = (_number(part) for part in parts)
    room = 256 ** (5 - len(parts))
    if any(number > _BYTE for number in leading) or last >= room:
        raise ValueError(f"a number out of range in {'.'.join(parts)}")
    value = last
    for index, number in enumerate(leading):
        value |= number << (24 - 8 * index)
    return ipaddress.IPv4Address(value)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"not a number: {text!r}")
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    if text.startswith("0") and len(text) > 1:
        return int(text, 8)
    return int(text, 10)
