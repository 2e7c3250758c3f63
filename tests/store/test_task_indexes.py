"""Queries that run all the time look at what they want, not at every task: MongoDB's own profile says so."""

from dataclasses import replace
from typing import Any

from backend.core.clock import Clock
from backend.core.database import Database
from backend.store.tasks import TaskStore
from tests.fixtures.task_desk import NEW

MANY = 200


async def store_of_many(database: Database, clock: Clock) -> TaskStore:
    store = TaskStore(database, clock=clock)
    await store.ensure_indexes()
    rows = [{"_id": f"t_{number}", "created_by": NEW.created_by} for number in range(MANY)]
    await database.do(database.collection("tasks").insert_many(rows))
    await store.create("t_first", replace(NEW, idempotency_key="k"))
    await database.do(database.collection("tasks").database.command("profile", 2))
    return store


async def looked_at(database: Database) -> list[int]:
    """Return how many documents each find since then has looked at."""
    await database.do(database.collection("tasks").database.command("profile", 0))
    profile: Any = database.collection("system.profile")
    rows = await database.do(profile.find({"op": "query", "ns": f"{database.name}.tasks"}).to_list(None))
    return [int(row["docsExamined"]) for row in rows]


async def test_purged_tasks_are_found_by_their_index(database: Database, clock: Clock) -> None:
    store = await store_of_many(database, clock)

    await store.hidden_before(clock.now(), limit=200)

    assert await looked_at(database) == [0]


async def test_first_task_of_an_idempotency_key_is_found_by_its_index(database: Database, clock: Clock) -> None:
    store = await store_of_many(database, clock)

    _, is_replay = await store.create("t_second", replace(NEW, idempotency_key="k"))

    assert is_replay
    assert await looked_at(database) == [1]
