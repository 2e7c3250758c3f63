"""Pending tasks that no server here can run: their platform's file has gone, or lives on another server only."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.task import Notice
from backend.domain.text import Text
from backend.store.task_changes import Announcer, Unannounced
from backend.store.task_documents import document_of

# Longer than any server that has the platform and a free slot takes to claim.
_PATIENCE = timedelta(seconds=10)
_CODE = "PLATFORM_MISSING"


class StrayTasks:
    """Tells people why such a task waits; it stays pending, because another server may have the platform."""

    def __init__(self, database: Database, *, clock: Clock, announcer: Announcer | None = None) -> None:
        self._db = database
        self._clock = clock
        self._announcer = announcer or Unannounced()

    async def tell(self, known: Collection[str], *, limit: int = 200) -> int:
        """Note it on due tasks whose platform is not among `known`, once each; return on how many.

        A claim takes the notice away again.
        """
        now = self._clock.now()
        query = {
            **{"status": "pending", "platform": {"$nin": sorted(known)}, "run_at": {"$lt": now - _PATIENCE}},
            "notice.code": {"$ne": _CODE},
        }
        tasks: Any = self._db.collection("tasks")
        rows = await self._db.do(tasks.find(query, {"platform": 1}).limit(limit).to_list(None))
        for row in rows:
            values = {"notice": document_of(_notice(row["platform"])), "updated_at": now}
            update = {"$set": values, "$inc": {"version": 1}}
            await self._db.do(tasks.update_one({**query, "_id": row["_id"]}, update))
        self._announcer.changed_unseen(row["_id"] for row in rows)
        return len(rows)


def _notice(platform: str) -> Notice:
    return Notice(
        _CODE,
        Text(f"等待支持平台 {platform} 的服务器", f"Waits for a server that has the platform {platform}"),
        Text("恢复该平台的文件后重启服务，或取消任务", "Put the platform's file back and restart, or cancel the task"),
    )
