"""Who ran a task when, by its history, held against what the stand-ins saw: nobody beside its owner, and one end."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bench.chaos.fleet import Spell, Start
from bench.chaos.journal import Seen
from bench.chaos.load import CRAWL_AT_ONCE, FINAL

# A request that was on its way, a claim that was dated before it was written, and this machine's own lag.
SLACK_S = 0.5
# A thawed process finds its late answers first, and looks at its lease before it asks again.
THAW_S = 1.0
_RUNNING = frozenset({"running", "cancelling"})
_BY_OWNER = frozenset({"ended", "retry", "drain", "waiting"})

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tenure:
    """One claim: from when to when (s, time of day) which start of which server owned the task."""

    tag: str
    since: float
    until: float
    is_last: bool


@dataclass(frozen=True, slots=True)
class Stray:
    """A request that came when its sender did not own the task."""

    kind: str
    line: str


class Starts:
    """Finds the start that a worker id and a moment belong to; `servers` are names by instance id."""

    def __init__(self, starts: Iterable[Start], servers: Mapping[str, str]) -> None:
        self._servers = servers
        self._of: dict[str, list[Start]] = {}
        for start in starts:
            self._of.setdefault(start.server, []).append(start)

    def tag_of(self, worker_id: str, at: float) -> str:
        """Return the tag of the start; "?" for a worker that is not of this fleet."""
        started = self._of.get(self._servers.get(worker_id.rpartition("-")[0], ""), [])
        index = bisect_right([start.began_at for start in started], at) - 1
        return started[index].tag if index >= 0 else "?"


def tenures_of(document: Document, starts: Starts) -> list[Tenure]:
    """Return the claims of a task in order; the last one of a task that runs has no end."""
    history = document["history"]
    found: list[Tenure] = []
    for index, entry in enumerate(history):
        if entry["reason"] != "claimed":
            continue
        since = entry["at"].timestamp()
        left = next((later for later in history[index + 1 :] if later["to_status"] not in _RUNNING), None)
        until = float("inf") if left is None else left["at"].timestamp()
        is_last = left is not None and left["to_status"] in FINAL
        found.append(Tenure(starts.tag_of(entry["worker_id"], since), since, until, is_last))
    return found


def strays_of(task_id: str, seen: Sequence[Seen], tenures: Sequence[Tenure], spells: Sequence[Spell]) -> list[Stray]:
    """Return the requests that nobody who owned the task sent: after its end, beside another owner, or without one.

    The kind `thawed`: a process that had been frozen completed what it was frozen in: one operation (lifecycle.md,
    P3), of a crawl as many as it had in flight, each once.
    """
    found: list[Stray] = []
    thawed: dict[tuple[str, float], set[str]] = {}
    for one in seen:
        if any(owned.tag == one.who and _is_within(one.at, owned) for owned in tenures):
            continue
        kind = _kind_of(one, tenures)
        spell = next((spell for spell in spells if _is_thaw(one, spell)), None)
        if spell is not None:
            completed = thawed.setdefault((spell.tag, spell.ended_at), set())
            if len(completed) < _in_flight(one) and one.what not in completed:
                completed.add(one.what)
                kind = "thawed"
        owners = ", ".join(f"{owned.tag} {owned.since:.2f}-{owned.until:.2f}" for owned in tenures)
        found.append(Stray(kind, f"{task_id}: {one.what} by {one.who} at {one.at:.2f}; owners {owners}"))
    return found


def broken_histories(document: Document) -> Iterator[str]:
    """Yield what cannot be in a history of which every write carried its fence."""
    task_id, history = document["_id"], document["history"]
    before, owner = None, None
    for number, entry in enumerate(history):
        if entry["from_status"] != before:
            yield f"{task_id}: entry {number} goes from {entry['from_status']}, the one before went to {before}"
        if before in FINAL:
            yield f"{task_id}: entry {number} ({entry['reason']}) comes after its end"
        if before == "running" and entry["reason"] in _BY_OWNER and entry["worker_id"] not in {None, owner}:
            yield f"{task_id}: {entry['reason']} by {entry['worker_id']}, which {owner} had claimed"
        owner = entry["worker_id"] if entry["reason"] == "claimed" else owner
        before = entry["to_status"]
    if before != document["status"]:
        yield f"{task_id}: is {document['status']}, its history says {before}"


def takeovers(document: Document, starts: Starts, kills: Mapping[str, float]) -> Iterator[tuple[str, float, float]]:
    """Yield (task, moment of the kill, moment of the next claim) for each owner that was killed while it ran it.

    `kills`: when each start was killed, by its tag. A task that ended without another claim yields nothing.
    """
    tenures = tenures_of(document, starts)
    for owned, later in pairwise(tenures):
        killed_at = kills.get(owned.tag)
        if killed_at is not None and owned.since <= killed_at <= owned.until:
            yield document["_id"], killed_at, later.since


def _in_flight(one: Seen) -> int:
    return CRAWL_AT_ONCE if one.what.startswith("p/") else 1


def _is_within(at: float, owned: Tenure) -> bool:
    return owned.since - SLACK_S <= at <= owned.until + SLACK_S


def _is_thaw(one: Seen, spell: Spell) -> bool:
    is_of = spell.tag == one.who and spell.kind == "frozen"
    return is_of and spell.ended_at - SLACK_S <= one.at <= spell.ended_at + THAW_S


def _kind_of(one: Seen, tenures: Sequence[Tenure]) -> str:
    if any(owned.tag != one.who and owned.since <= one.at <= owned.until for owned in tenures):
        return "twice"
    return "after_end" if any(owned.is_last and one.at > owned.until for owned in tenures) else "unowned"
