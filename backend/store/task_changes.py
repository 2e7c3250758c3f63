"""Where the stores say that an update of a task won; whoever announces it comes later (store/announcing.py)."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from backend.domain.log import LogLine
from backend.domain.task import Lease
from backend.store.task_documents import Document

# What an event does not show.
NOT_ANNOUNCED = frozenset(
    {
        *("params", "history", "checkpoint", "ignored", "intent", "log_from", "body_hash", "claim_id"),
        *("cancel_id", "idempotency_key"),
    }
)


def announced() -> dict[str, int]:
    """Return the projection for reading a change back; a new one, since the memory store writes into it."""
    return dict.fromkeys(NOT_ANNOUNCED, 0)


class Announcer(Protocol):
    """Takes note of changes, without delay for whoever made them; what becomes of them is not the caller's care."""

    def changed(self, document: Document) -> None:
        """Announce the state of a task, as the update that won left it."""

    def changed_unseen(self, task_ids: Iterable[str]) -> None:
        """Announce the state of tasks whose documents are still to be read."""

    def moved(self, task_ids: Iterable[str]) -> None:
        """Announce the progress of tasks; only the newest of each is shown, and not replayed."""

    def lines(self, lease: Lease, lines: Sequence[LogLine]) -> None:
        """Announce lines that were stored, in their order; not replayed."""

    def items(self, lease: Lease, *, added: int, stored: int) -> None:
        """Announce that a run has stored items; not replayed."""


class Unannounced:
    """For stores whose changes nobody follows."""

    def changed(self, document: Document) -> None:
        """Do nothing."""

    def changed_unseen(self, task_ids: Iterable[str]) -> None:
        """Do nothing."""

    def moved(self, task_ids: Iterable[str]) -> None:
        """Do nothing."""

    def lines(self, lease: Lease, lines: Sequence[LogLine]) -> None:
        """Do nothing."""

    def items(self, lease: Lease, *, added: int, stored: int) -> None:
        """Do nothing."""
