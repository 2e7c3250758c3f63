"""Which of the URLs that pages name belong to a crawl."""

import fnmatch
import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Literal

from backend.crawl.urls import host_of, hostname_of

ScopeName = Literal["host", "site", "any"]

# Second labels under which people register below two-letter domains (example.com.cn). Our own short rule: the public
# suffix list is 300 KB to keep fresh, and a miss here only makes `site` a little wider or narrower.
_SECOND_LEVELS = frozenset(
    {
        "ac",
        "co",
        "com",
        "edu",
        "gob",
        "gouv",
        "gov",
        "govt",
        "ltd",
        "mil",
        "ne",
        "net",
        "nom",
        "or",
        "org",
        "plc",
        "sch",
    }
)
# Hosts where every customer has a subdomain of his own.
_SHARED_HOSTS = frozenset(
    {"github.io", "gitee.io", "gitlab.io", "pages.dev", "vercel.app", "netlify.app", "blogspot.com"}
)
_TWO_LETTERS = 2
_NAMED_LABELS = 2


class Scope:
    """What is followed: hosts (or sites) of the start URLs, then the exclude and include patterns.

    `host` counts `www.` as the host without it. `site` is everything under the registered domain.
    """

    def __init__(
        self, name: ScopeName, start_urls: Iterable[str], *, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> None:
        self._name = name
        self._homes = frozenset(self._home_of(url) for url in start_urls)
        self._include = [_glob(pattern) for pattern in include]
        self._exclude = [_glob(pattern) for pattern in exclude]

    def is_home(self, url: str) -> bool:
        """Whether the URL is on a host (or site) of the crawl."""
        return self._name == "any" or self._home_of(url) in self._homes

    def follows(self, url: str) -> bool:
        """Whether a link to this URL is followed."""
        if not self.is_home(url) or any(pattern.match(url) for pattern in self._exclude):
            return False
        return not self._include or any(pattern.match(url) for pattern in self._include)

    def _home_of(self, url: str) -> str:
        return site_of(hostname_of(url)) if self._name == "site" else host_of(url)


def site_of(host: str) -> str:
    """Return the registered domain of a host name; an address is its own site."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        labels = host.rstrip(".").split(".")
    count = _NAMED_LABELS
    is_deeper = len(labels) > _NAMED_LABELS and labels[-2] in _SECOND_LEVELS and len(labels[-1]) == _TWO_LETTERS
    if is_deeper or ".".join(labels[-2:]) in _SHARED_HOSTS:
        count += 1
    return ".".join(labels[-count:])


def _glob(pattern: str) -> re.Pattern[str]:
    # fnmatch makes atomic groups of its stars: no pattern takes more than linear time for each of them.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
