"""How often somebody may be wrong: ten times a minute, counted by address and by name."""

from collections import OrderedDict, deque
from collections.abc import Callable

from backend.api.errors import ApiError
from backend.domain.text import Text

FAILURES_ALLOWED = 10
FAILURES_WINDOW_S = 60.0
_KEPT = 10_000


class Failures:
    """The failures of the last minute by key; of ten thousand keys the oldest go. `elapsed` never runs back."""

    def __init__(self, message: Text, *, elapsed: Callable[[], float]) -> None:
        self._message = message
        self._elapsed = elapsed
        self._by_key: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, key: str) -> None:
        """Raise RATE_LIMITED after too many. To be asked before the comparison: else guessing goes on at full speed."""
        failures = self._by_key.get(key)
        if failures is None:
            return
        since = self._elapsed() - FAILURES_WINDOW_S
        while failures and failures[0] <= since:
            failures.popleft()
        if len(failures) >= FAILURES_ALLOWED:
            wait_s = max(1, round(failures[0] - since))
            raise ApiError("RATE_LIMITED", self._message, can_retry=True, headers={"Retry-After": str(wait_s)})

    def note(self, key: str) -> None:
        """Count a failure, or a try that may become one."""
        self._by_key.setdefault(key, deque(maxlen=FAILURES_ALLOWED)).append(self._elapsed())
        self._by_key.move_to_end(key)
        while len(self._by_key) > _KEPT:
            self._by_key.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Take back the latest: the try was no failure."""
        if failures := self._by_key.get(key):
            failures.pop()
