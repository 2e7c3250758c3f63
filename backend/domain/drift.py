"""Whether fields of what a platform gives still come filled: the newest items against those before them.

Like is compared with like: items of one kind from one source (an endpoint, a page's state, a selector), because a list
never had what a page of its own has.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# The fields of an item that sources fill; counts by their own names.
FIELDS = (
    *("title", "text", "lang", "author", "published_at"),
    *("like", "comment", "share", "save", "view"),
    *("media", "tags"),
)
KINDS = ("page", "post", "comment", "creator", "media")
# The newest tasks until they have so many items, and the tasks before those until they have.
RECENT_ITEMS = 100
BEFORE_ITEMS = 1_000
# Fewer say nothing.
LEAST_RECENT = 30
LEAST_BEFORE = 60
# A field that fewer items had is no promise of the source.
USED_TO_BE = 0.3
_DRY = 0.1
_FALLING = 0.5


class FieldState(StrEnum):
    """`dry`: it used to be filled and hardly is; `falling`: in less than half as many; `few`: too few items to say."""

    OK = "ok"
    FALLING = "falling"
    DRY = "dry"
    FEW = "few"


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What is alike."""

    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """How many items of one task were looked at, and in how many each field was filled."""

    key: GroupKey
    items: int
    filled: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TaskCounts:
    """The counts of one task that has ended."""

    task_id: str
    platform: str
    ended_at: datetime
    groups: Sequence[GroupCounts]


@dataclass(frozen=True, slots=True)
class Alert:
    """A field that dried up: the share of items that had it before, and since when it is known."""

    key: GroupKey
    field: str
    before: float
    since: datetime


@dataclass(slots=True)
class Window:
    """Items of several tasks together; `first` and `last` are when the oldest and the newest of these tasks ended."""

    items: int = 0
    filled: dict[str, int] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None

    def add(self, counts: GroupCounts, ended_at: datetime) -> None:
        """Add an older task."""
        self.items += counts.items
        for name, number in counts.filled.items():
            self.filled[name] = self.filled.get(name, 0) + number
        self.first, self.last = ended_at, self.last or ended_at

    def share(self, name: str) -> float | None:
        """Return the share of items that have the field, None when there are no items."""
        return self.filled.get(name, 0) / self.items if self.items else None


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """One field: the shares of items that have it (0 to 1, None without items); `since` when it is dry."""

    field: str
    recent: float | None
    before: float | None
    state: FieldState
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class GroupDrift:
    """All fields of what is alike."""

    key: GroupKey
    recent: Window
    before: Window
    fields: Sequence[FieldDrift]


def compare(counts: Iterable[TaskCounts], alerts: Iterable[Alert] = ()) -> list[GroupDrift]:
    """Return each group, most items first; `counts` are of one platform, the newest first.

    A field of `alerts` stays dry until half as many items have it as did before: long after, the items before the
    newest lack it too.
    """
    windows: dict[GroupKey, tuple[Window, Window]] = {}
    for task in counts:
        for group in task.groups:
            recent, before = windows.setdefault(group.key, (Window(), Window()))
            if recent.items < RECENT_ITEMS:
                recent.add(group, task.ended_at)
            elif before.items < BEFORE_ITEMS:
                before.add(group, task.ended_at)
    known = {(alert.key, alert.field): alert for alert in alerts}
    groups = [
        GroupDrift(key, recent, before, [_field(name, recent, before, known.get((key, name))) for name in FIELDS])
        for key, (recent, before) in windows.items()
    ]
    return sorted(groups, key=lambda group: -(group.recent.items + group.before.items))


def _field(name: str, recent: Window, before: Window, alert: Alert | None) -> FieldDrift:
    now, then = recent.share(name), before.share(name)
    if alert is not None:
        is_back = recent.items >= LEAST_RECENT and (now or 0.0) >= alert.before * _FALLING
        if not is_back:
            return FieldDrift(name, now, alert.before, FieldState.DRY, alert.since)
    return FieldDrift(name, now, then, _state(recent, before, now or 0.0, then or 0.0))


def _state(recent: Window, before: Window, now: float, then: float) -> FieldState:
    if recent.items < LEAST_RECENT or before.items < LEAST_BEFORE:
        return FieldState.FEW
    if then < USED_TO_BE or now > then * _FALLING:
        return FieldState.OK
    return FieldState.DRY if now <= then * _DRY else FieldState.FALLING
