"""Version 2 of `tasks`: `batch_title` is in every document. Release 0.1.0 knew no titles of batches."""

from collections.abc import Awaitable, Callable

from backend.core.crash_points import crash_point
from backend.core.database import Database

AT_ONCE = 500


async def run(database: Database, still_ours: Callable[[], Awaitable[None]]) -> int:
    """Give every task without a `batch_title` one that is null; return how many."""
    tasks, changed, last = database.collection("tasks"), 0, ""
    while True:
        await still_ours()
        # Behind the last one by `_id`: no look ever passes what is done again.
        query = {"_id": {"$gt": last}, "batch_title": {"$exists": False}}
        rows = await database.do(tasks.find(query, {"_id": 1}).sort("_id", 1).limit(AT_ONCE).to_list(None))
        if not rows:
            return changed
        ids, last = [row["_id"] for row in rows], rows[-1]["_id"]
        lacking = {"_id": {"$in": ids}, "batch_title": {"$exists": False}}
        changed += (await database.do(tasks.update_many(lacking, {"$set": {"batch_title": None}}))).modified_count
        crash_point("mid_migration")
