"""Every migration of stored data, oldest first.

What release 0.1.0 wrote is version 1 of every collection. A migration takes one collection from the version below
`to_version` to it. It works in small batches, finds by its filter what is left to do, and may be run again, also
beside itself: a process may die in the middle of it, or be frozen while another one takes its place.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from backend.core.database import Database
from backend.store.migrations import tasks_2

FIRST_VERSION = 1

StillOurs = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. `run` calls its second argument before each batch; it returns how many documents were changed."""

    collection: str
    to_version: int
    what: str
    run: Callable[[Database, StillOurs], Awaitable[int]]


MIGRATIONS = (Migration("tasks", 2, "every task has a `batch_title`, null when there is none", tasks_2.run),)
