"""Tasks put into a data folder's own MongoDB as an earlier start of the server would have left them."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.embedded import EmbeddedStores
from backend.domain.task import Books, NewTask, TaskKind
from backend.store.task_documents import document_of
from backend.store.task_updates import entry_of, new_document
from backend.store.tasks import TaskStore

_AT_ONCE = 1_000
_ENDS = ("succeeded", "partial", "failed", "cancelled", "timed_out")
_LEASE_S = 30
_FIFTH_OF_50 = 10


async def store_tasks(data_dir: Path, count: int, *, url: str) -> None:
    """Store `count` crawls of `url`: a fifth pending and due, a fiftieth running under a lease, the rest ended.

    The server of `data_dir` has started before, and does not run.
    """
    instance_id = (data_dir / "instance_id").read_text("utf-8").strip()
    clock = Clock()
    stores = EmbeddedStores(data_dir, with_valkey=False)
    await stores.start()
    try:
        if stores.mongo is None:
            raise RuntimeError("the embedded MongoDB is not there")
        database = Database(stores.mongo.uri, "mediacrawer_pro", clock=clock)
        await database.connect()
        await TaskStore(database, clock=clock).ensure_indexes()
        made = _documents(count, url, f"{instance_id}-bench", clock.now())
        while some := list(itertools.islice(made, _AT_ONCE)):
            await database.do(database.collection("tasks").insert_many(some))
        await database.close()
    finally:
        await stores.stop()


def _documents(count: int, url: str, worker_id: str, now: datetime) -> Iterator[dict[str, Any]]:
    new = NewTask(
        *(TaskKind.CRAWL, "web", "page"),
        params={"urls": [url], "obey_robots": False},
        title="bench",
    )
    for number in range(count):
        made_at = now - timedelta(seconds=count - number)
        document = new_document(f"t_bench{number:010d}", replace(new, title=f"bench {number}"), made_at)
        if number % 50 == 0:
            document |= _running(worker_id, now)
        elif number % 50 > _FIFTH_OF_50:
            document |= _ended(_ENDS[number % len(_ENDS)], made_at)
        yield document


def _running(worker_id: str, now: datetime) -> dict[str, Any]:
    history = [entry_of(now, ("pending", "running"), "claimed", 1, worker_id)]
    lease = {"worker_id": worker_id, "lease_until": now + timedelta(seconds=_LEASE_S), "claim_id": "bench"}
    return {"status": "running", "fence": 1, "attempt": 1, "started_at": now, "history": history, **lease}


def _ended(status: str, at: datetime) -> dict[str, Any]:
    history = [entry_of(at, ("running", status), "ended", 1)]
    books = document_of(Books(requested=1, ok=1, stored=1, balanced=True))
    return {"status": status, "fence": 1, "attempt": 1, "ended_at": at, "history": history, "books": books}
