"""The page's own answers: which are wanted, and a bounded store of those that came."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from backend.crawl.browser.options import Limits

# What an answer says besides its body: how long to wait, and that a person has to verify something.
_KEPT_HEADERS = ("retry-after", "verifytype", "verifyuuid")


@dataclass(frozen=True, slots=True)
class Listen:
    """One kind of answer: by method and the END of the path. Hosts and the paths' beginnings move."""

    method: str
    path_suffix: str


@dataclass(frozen=True, slots=True)
class Captured:
    """One answer the page got. `path` is the URL's without its query; `body` is decoded (gzip and the like undone).

    Of its headers (names in lower case) those are kept that say something about a refusal.
    """

    url: str
    path: str
    method: str
    status: int
    body: bytes = field(repr=False)
    request_body: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return of an answer's headers (names in lower case) those that are kept."""
    return {name: headers[name] for name in _KEPT_HEADERS if name in headers}


def wanted_path(url: str, method: str, listen: Iterable[Listen]) -> str | None:
    """Return the path of a URL that one of `listen` wants, None when none does."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    is_wanted = any(one.method == method and path.endswith(one.path_suffix) for one in listen)
    return path if is_wanted else None


class Answers:
    """Answers in the order in which they were complete, bounded by count and bytes; what is dropped is counted."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._kept: deque[Captured] = deque()
        self._kept_bytes = 0
        self.dropped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, answer: Captured) -> str | None:
        """Keep an answer; return why it was dropped instead (`too_large`, `full`), or None."""
        reason = self._reason_against(len(answer.body))
        if reason is not None:
            return self.drop(reason)
        self._kept.append(answer)
        self._kept_bytes += len(answer.body)
        return None

    def drop(self, reason: str) -> str:
        """Count an answer that will not come; return the reason."""
        self.dropped[reason] += 1
        return reason

    def take(self) -> Captured | None:
        """Return the oldest answer, None when there is none."""
        if not self._kept:
            return None
        answer = self._kept.popleft()
        self._kept_bytes -= len(answer.body)
        return answer

    def clear(self) -> None:
        """Forget what nobody took."""
        self._kept.clear()
        self._kept_bytes = 0

    def _reason_against(self, size_bytes: int) -> str | None:
        if size_bytes > self._limits.body_bytes:
            return "too_large"
        is_full = (
            len(self._kept) >= self._limits.kept_answers or self._kept_bytes + size_bytes > self._limits.kept_bytes
        )
        return "full" if is_full else None
