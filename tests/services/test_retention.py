from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.logs import captured_log
from backend.domain.retention import read_rule
from backend.services.retention_service import RetentionService
from backend.store.retention import RetentionStore
from backend.store.tasks import TaskStore
from tests.model.processes import SharedClock

MINUTE_S = 60.0


class Desk:
    """A database of ended tasks under a clock that is moved by hand."""

    def __init__(self, database: Database, folder: Path, *rules: str) -> None:
        self.database = database
        self.clock = SharedClock()
        self.exports = 0
        self.purged: list[str] = []
        self.store = RetentionStore(database)
        self._tasks = TaskStore(database, clock=self.clock)
        self.service = RetentionService(
            *(self.store, [read_rule(rule) for rule in rules]),
            purge=self._purge,
            is_reading=lambda: self.exports > 0,
            data_dir=folder,
            clock=self.clock,
        )

    async def ended(self, task_id: str, status: str, *, days_ago: float, kind: str = "crawl", **more: Any) -> None:
        ended_at = self.clock.now() - timedelta(days=days_ago)
        document = {"_id": task_id, "kind": kind, "status": status, "ended_at": ended_at, "purged_at": None}
        await self.put("tasks", {**document, "books": {"stored": 10}, "params": {}, **more})

    async def put(self, collection: str, document: dict[str, Any]) -> None:
        await self.database.do(self.database.collection(collection).insert_one(document))

    async def sweep(self) -> list[str]:
        self.clock.advance(MINUTE_S)
        self.purged.clear()
        await self.service.sweep()
        return sorted(self.purged)

    async def _purge(self, task_id: str) -> bool:
        self.purged.append(task_id)
        return await self._tasks.hide(task_id)


async def test_ended_tasks_go_when_their_time_is_up_and_no_others(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, "crawl.failed=30", "all.cancelled=7")
    await desk.ended("t_old", "failed", days_ago=31)
    await desk.ended("t_young", "failed", days_ago=29)
    await desk.ended("t_kept", "succeeded", days_ago=900)
    await desk.ended("t_clip", "failed", days_ago=900, kind="generate")
    await desk.ended("t_cancelled", "cancelled", days_ago=8, kind="generate")
    await desk.ended("t_running", "running", days_ago=900)

    assert await desk.sweep() == ["t_cancelled", "t_old"]
    assert await desk.sweep() == []


async def test_without_rules_nothing_goes(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path)
    await desk.ended("t_old", "failed", days_ago=9_000)

    assert await desk.sweep() == []
    assert (await desk.service.preview()).due == []


async def test_preview_counts_tasks_items_files_and_bytes_of_each_rule(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, "crawl.failed=30", "all.cancelled=7")
    await desk.ended("t_1", "failed", days_ago=31)
    await desk.ended("t_2", "failed", days_ago=32)
    await desk.ended("t_hidden", "failed", days_ago=33, purged_at=desk.clock.now())
    for artifact_id, task_id, sha256 in (("a_1", "t_1", "aa"), ("a_2", "t_2", "aa"), ("a_3", "t_2", "bb")):
        await desk.put("artifacts", {"_id": artifact_id, "task_id": task_id, "sha256": sha256, "size_bytes": 1_000})

    failed, cancelled = (await desk.service.preview()).due

    assert (failed.doomed.tasks, failed.doomed.items, failed.doomed.files, failed.doomed.size_bytes) == (
        2,
        20,
        2,
        2_000,
    )
    assert failed.before == desk.clock.now() - timedelta(days=30)
    assert (cancelled.doomed.tasks, cancelled.doomed.is_capped) == (0, False)


async def test_many_go_in_batches_oldest_first(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, "crawl.failed=30")
    for number in range(150):
        await desk.ended(f"t_{number:03d}", "failed", days_ago=500 - number)

    assert await desk.sweep() == [f"t_{number:03d}" for number in range(100)]
    assert await desk.sweep() == [f"t_{number:03d}" for number in range(100, 150)]


async def test_task_that_an_unfinished_one_reads_from_stays(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, "crawl.succeeded=30")
    await desk.ended("t_source", "succeeded", days_ago=31)
    film = {"_id": "t_film", "kind": "generate", "status": "pending", "params": {"from_task": "t_source"}}
    await desk.put("tasks", film)

    assert await desk.sweep() == []
    await database.do(database.collection("tasks").update_one({"_id": "t_film"}, {"$set": {"status": "succeeded"}}))

    assert await desk.sweep() == ["t_source"]


async def test_tasks_that_stay_do_not_hold_up_those_behind_them(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, "crawl.succeeded=30")
    for number in range(100):
        await desk.ended(f"t_{number:03d}", "succeeded", days_ago=500 - number)
        film = {"_id": f"t_film_{number}", "kind": "generate", "status": "pending"}
        await desk.put("tasks", {**film, "params": {"from_task": f"t_{number:03d}"}})
    await desk.ended("t_behind", "succeeded", days_ago=31)

    (due,) = (await desk.service.preview()).due

    assert (due.doomed.tasks, due.doomed.items) == (1, 10)
    assert await desk.sweep() == ["t_behind"]


async def test_nothing_goes_while_an_export_reads_and_not_before_a_minute_has_passed(
    database: Database, tmp_path: Path
) -> None:
    desk = Desk(database, tmp_path, "crawl.failed=30")
    await desk.ended("t_old", "failed", days_ago=31)

    assert await desk.service.sweep() == 0
    desk.exports = 1
    assert await desk.sweep() == []
    desk.exports = 0
    assert await desk.sweep() == ["t_old"]


async def test_purged_task_is_hidden_and_named_in_the_log(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, "crawl.failed=30")
    await desk.ended("t_old", "failed", days_ago=31)

    with captured_log() as said:
        await desk.sweep()

    row = await database.do(database.collection("tasks").find_one({"_id": "t_old"}))
    assert row is not None
    assert isinstance(row["purged_at"], datetime)
    assert [line for line in said if "by retention: t_old" in line]


async def test_index_of_retention_is_used(database: Database, clock: Clock, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, "all.failed=30")
    await desk.store.ensure_indexes()
    await desk.ended("t_old", "failed", days_ago=31)
    query = {
        "$or": [{"status": "failed", "kind": "crawl", "ended_at": {"$lt": clock.now()}}],
        "purged_at": None,
        "_id": {"$nin": ["t_source"]},
    }

    plan = await database.do(database.collection("tasks").find(query).sort("ended_at", 1).explain())

    assert "status_1_kind_1_ended_at_1" in str(plan["queryPlanner"]["winningPlan"])
