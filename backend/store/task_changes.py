"""Where `TaskStore` says that an update of a task won; whoever announces it comes later (store/announcing.py)."""

from collections.abc import Iterable
from typing import Protocol

from backend.store.task_documents import Document

# What an event does not show: a change is read back without it.
NOT_ANNOUNCED = dict.fromkeys(
    ("params", "history", "checkpoint", "ignored", "intent", "log_from", "body_hash", "claim_id", "idempotency_key"), 0
)


class Announcer(Protocol):
    """Takes note of changes, without delay for whoever made them; what becomes of them is not the caller's care."""

    def changed(self, document: Document) -> None:
        """Announce the state of a task, as the update that won left it."""

    def changed_unseen(self, task_ids: Iterable[str]) -> None:
        """Announce the state of tasks whose documents are still to be read."""

    def moved(self, task_ids: Iterable[str]) -> None:
        """Announce the progress of tasks; only the newest of each is shown, and not replayed."""


class Unannounced:
    """For stores whose changes nobody follows."""

    def changed(self, document: Document) -> None:
        """Do nothing."""

    def changed_unseen(self, task_ids: Iterable[str]) -> None:
        """Do nothing."""

    def moved(self, task_ids: Iterable[str]) -> None:
        """Do nothing."""
