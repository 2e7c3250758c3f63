"""What the stand-ins saw of each task: when, from which start of which server."""

import re
import time
from collections import defaultdict
from dataclasses import dataclass

_START = re.compile(r"\(start ([\w-]+)\)")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request head that was read; `at` is the time of day in s, `who` the tag of a server's start."""

    at: float
    who: str
    what: str


class Journal:
    """Requests by the name a stand-in knows a task by: its Idempotency-Key, or its id."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Seen]] = defaultdict(list)
        self.total = 0

    def note(self, task: str, who: str, what: str) -> None:
        """Write down a request that has just come."""
        self.total += 1
        self.seen[task].append(Seen(time.time(), who, what))

    def last_at(self, *names: str) -> float:
        """Return when a request of a task known by these names came last; 0.0 when none did."""
        return max((self.seen[name][-1].at for name in names if name in self.seen), default=0.0)

    def first_after(self, task: str, moment: float) -> float | None:
        """Return when a request of the task, other than a submit, came first after a moment; None when none did."""
        return next((one.at for one in self.seen.get(task, ()) if one.at > moment and one.what != "submit"), None)


def start_of(user_agent: str) -> str:
    """Return the tag of the server's start that sent a request; "?" when it names none."""
    found = _START.search(user_agent)
    return found[1] if found else "?"
