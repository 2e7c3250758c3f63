"""The contract of a crawl of units: what a platform gives to the engine (units.py), and what one unit brings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from backend.crawl.refusal import Refusal
from backend.domain.item import Item
from backend.store.frontier import NewRow, Row
from backend.store.items import ItemStore


@dataclass(frozen=True, slots=True)
class UnitManners:
    """Bounds and waits that no task sets; tests shorten them. `back_off_s` doubles with each attempt.

    `longest_wait_s`: a site that asks to wait longer is not asked again by this task. After `wrong_in_a_row` units
    without a good answer the task stops.
    """

    max_attempts: int = 3
    back_off_s: float = 3.0
    longest_wait_s: float = 300.0
    wrong_in_a_row: int = 5
    report_every_s: float = 0.5
    note_every_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What one unit brought. `outcome`: ok | empty | blocked | failed | skipped; `found` are units that follow from it.

    A `refusal` that may pass is tried again before the unit ends.
    """

    outcome: str
    items: tuple[Item, ...] = ()
    found: tuple[NewRow, ...] = ()
    reason: str | None = None
    refusal: Refusal | None = None
    http_status: int | None = None
    size_bytes: int | None = None
    item_id: str | None = None
    attempts: int = 1


class UnitReader(Protocol):
    """What a platform does. Used on the execution's own loop."""

    def starts(self) -> Sequence[NewRow]:
        """Return the units that a new task begins with."""

    async def load(self) -> None:
        """Take over what earlier attempts of the task stored; called once, before the first unit."""

    def next_lane(self, queued: Mapping[str, int]) -> str | None:
        """Return the lane of the unit to be taken next, of those with units queued; None when nothing more is wanted.

        It never asks for a unit that would overshoot a limit.
        """

    async def read(self, row: Row) -> Reading:
        """Read one unit; nothing is stored yet. Raises NeedsPersonError and TaskFailedError."""

    def note_stored(self, row: Row, reading: Reading) -> None:
        """Count what has been stored."""

    def expected(self) -> int | None:
        """Return how many items the task will have at most, None when nobody knows."""

    async def reported_total(self, items: ItemStore) -> int | None:
        """Return how many items the source says there are, None when it does not say."""

    async def reset(self) -> None:
        """Leave the page that failed: the next read begins with a new one."""

    async def close(self) -> None:
        """Close what is open; a cancel does not cut it short."""
