"""What one run of the chaos is given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# A guard that is broken on purpose: the run must then fail.
Broken = Literal["leases", "fences"]

LEASE_S = 5.0
# lifecycle.md §3, Sweeper: a takeover comes at most so long after the lease has run out.
TAKEOVER_S = 15.0
SERVERS = 3
DATABASE = "faults"
_CRAWLS, _RENDERS = 0.45, 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosOptions:
    """`folder` gets all data and logs, and must be short: a unix socket's path may not pass 107 bytes."""

    folder: Path
    minutes: float = 10.0
    seed: int = 1
    without: Broken | None = None
    # Tasks that are not final at any moment; and how long after a kill, in s, the next one comes at the latest.
    live: int = 150
    kill_every_s: float = 3.0
    quiet_limit_s: float = 180.0
    # How long a page takes, how many polls a job (each at least and at most), and how long it is from poll to poll.
    pages_s: tuple[float, float] = (1.5, 4.5)
    polls: tuple[int, int] = (6, 13)
    poll_s: float = 2.0

    @property
    def live_by_platform(self) -> dict[str, int]:
        """How many tasks of each platform are kept live: a render costs as much as a hundred polls."""
        renders = max(1, round(_RENDERS * self.live))
        crawls = round(_CRAWLS * self.live)
        return {"web": crawls, "cogvideox": self.live - crawls - renders, "storyboard": renders}
