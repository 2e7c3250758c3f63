import pytest
import tornado.ioloop

from backend.core.database import Database
from backend.store.audit import AuditStore
from tests.fixtures.clocks import SetClock


@pytest.fixture
def store(database: Database, io_loop: tornado.ioloop.IOLoop) -> AuditStore:
    made = AuditStore(database, clock=SetClock())
    io_loop.run_sync(made.ensure_indexes)
    return made


async def test_pages_hold_every_entry_once_even_of_one_moment(store: AuditStore) -> None:
    for number in range(5):
        await store.add("task.purged", by="bo", subject=f"t_{number}")

    first = await store.newest(limit=2)
    second = await store.newest(limit=2, cursor=first.next_cursor)
    last = await store.newest(limit=2, cursor=second.next_cursor)

    seen = [entry.subject for page in (first, second, last) for entry in page.entries]
    assert last.next_cursor is None
    assert sorted(seen) == [f"t_{number}" for number in range(5)]


async def test_subject_keeps_the_name_it_had(store: AuditStore) -> None:
    await store.add("user.role_set", by="anna", subject="u_2", subject_name="bo", detail="admin")

    page = await store.newest(limit=1)

    assert [(one.subject, one.subject_name, one.detail) for one in page.entries] == [("u_2", "bo", "admin")]


async def test_entry_of_an_older_version_has_no_name_of_its_subject(store: AuditStore, database: Database) -> None:
    await store.add("user.role_set", by="anna", subject="u_2", detail="admin")
    await database.do(database.collection("audit").update_many({}, {"$unset": {"subject_name": ""}}))

    page = await store.newest(limit=1)

    assert [(one.subject, one.subject_name) for one in page.entries] == [("u_2", None)]


@pytest.mark.parametrize("query", [{}, {"by": "bo"}])
async def test_entries_are_found_in_order_by_an_index(
    store: AuditStore, database: Database, query: dict[str, str]
) -> None:
    await store.add("task.purged", by="bo", subject="t_1")

    found = database.collection("audit").find(query).sort([("at", -1), ("_id", -1)])
    plan = str((await database.do(found.explain()))["queryPlanner"]["winningPlan"])

    assert "IXSCAN" in plan
    assert "'SORT'" not in plan
