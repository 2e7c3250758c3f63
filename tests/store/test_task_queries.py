from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import tornado.ioloop

from backend.core.clock import Clock
from backend.core.database import Database
from backend.domain.errors import BadCursorError
from backend.domain.task import ACTIVE_STATUSES, NewTask, TaskKind, TaskStatus
from backend.store.task_queries import MAX_TOTAL, TaskQueries, TaskQuery
from backend.store.task_updates import new_document
from backend.store.tasks import TaskStore

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
BASE = NewTask(TaskKind.CRAWL, "web", "site", {"a": 1}, "title")


class Filled:
    """Tasks put in as documents, so that states and times are the test's own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.queries = TaskQueries(database)

    async def add(self, task_id: str, at_s: float = 0, new: NewTask = BASE, **fields: Any) -> None:
        document = {**new_document(task_id, new, START + timedelta(seconds=at_s)), **fields}
        await self.database.do(self.database.collection("tasks").insert_one(document))

    async def ids(self, **query: Any) -> list[str]:
        return [task.task_id for task in (await self.queries.page(TaskQuery(**query))).items]

    async def explain(self, **query: Any) -> dict[str, Any]:
        """Return the plan the server chose for the page of this query."""
        recording = _Recording(self.database)
        await TaskQueries(cast("Database", recording)).page(TaskQuery(**query))
        plan = await self.database.do(recording.cursor.explain())
        return dict(plan["queryPlanner"]["winningPlan"])


class _Recording:
    """The database, and the cursor of the last find on it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.cursor: Any = None

    def collection(self, name: str) -> Any:
        tasks = _Recording(self._inner.collection(name))
        tasks.find = lambda *arguments: self._keep(tasks._inner.find(*arguments))  # type: ignore[attr-defined]
        return tasks

    def _keep(self, cursor: Any) -> Any:
        self.cursor = cursor
        return cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.fixture
def filled(database: Database, clock: Clock, io_loop: tornado.ioloop.IOLoop) -> Filled:
    io_loop.run_sync(TaskStore(database, clock=clock).ensure_indexes)
    return Filled(database)


async def test_newest_comes_first(filled: Filled) -> None:
    for number in (2, 1, 3):
        await filled.add(f"t_{number}", number)

    assert await filled.ids() == ["t_3", "t_2", "t_1"]


@pytest.mark.parametrize("sort", ["created_at", "updated_at", "priority"])
@pytest.mark.parametrize("sign", ["", "-"])
async def test_pages_hold_every_task_once_in_order(filled: Filled, sort: str, sign: str) -> None:
    # Equal values on purpose: only the id keeps them apart.
    for number in range(23):
        await filled.add(f"t_{number:02}", number // 5, priority=number % 3)
    whole = await filled.ids(sort=sign + sort, limit=200)

    found: list[str] = []
    cursor = None
    while True:
        page = await filled.queries.page(TaskQuery(sort=sign + sort, limit=4, cursor=cursor))
        found += [task.task_id for task in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == whole
    assert len(set(found)) == 23
    assert whole == list(reversed(await filled.ids(sort=("-" if sign == "" else "") + sort, limit=200)))


async def test_task_created_meanwhile_moves_no_page(filled: Filled) -> None:
    for number in range(4):
        await filled.add(f"t_{number}", number)
    first = await filled.queries.page(TaskQuery(limit=2))

    await filled.add("t_9", 9)

    assert await filled.ids(limit=2, cursor=first.next_cursor) == ["t_1", "t_0"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"statuses": (TaskStatus.RUNNING,)}, ["t_run"]),
        ({"statuses": (TaskStatus.RUNNING, TaskStatus.FAILED)}, ["t_fail", "t_run"]),
        ({"statuses": tuple(ACTIVE_STATUSES)}, ["t_gen", "t_run"]),
        ({"kind": TaskKind.GENERATE}, ["t_gen"]),
        ({"platform": "cogvideox"}, ["t_gen"]),
        ({"type": "site"}, ["t_fail", "t_run"]),
        ({"ids": ("t_run", "t_none")}, ["t_run"]),
        ({"batch_id": "b_1"}, ["t_fail"]),
        ({"schedule_id": "s_1"}, ["t_fail"]),
        ({"label": "春季"}, ["t_gen", "t_run"]),
        ({"created_by": "li"}, ["t_run"]),
        ({"created_from": START + timedelta(seconds=2)}, ["t_fail", "t_gen"]),
        ({"created_to": START + timedelta(seconds=2)}, ["t_run"]),
        ({"created_from": START + timedelta(seconds=2), "created_to": START + timedelta(seconds=3)}, ["t_gen"]),
        ({"text": "DOCS"}, ["t_run"]),
        ({"text": "露营"}, ["t_gen"]),
        ({"text": ".*"}, []),
        ({"text": "(a+)+$"}, ["t_fail"]),
        ({"label": "春季", "statuses": (TaskStatus.RUNNING,)}, ["t_run"]),
    ],
)
async def test_filters_choose(filled: Filled, query: dict[str, Any], found: list[str]) -> None:
    generate = replace(BASE, kind=TaskKind.GENERATE, platform="cogvideox", type="text", title="露营 片头")
    await filled.add(
        "t_run", 1, replace(BASE, title="docs.example.org", labels=("春季", "x"), created_by="li"), status="running"
    )
    await filled.add("t_gen", 2, replace(generate, labels=("春季",)))
    await filled.add("t_fail", 3, replace(BASE, title="b (a+)+$"), status="failed", batch_id="b_1", schedule_id="s_1")

    assert await filled.ids(**query) == found


async def test_purged_tasks_are_not_listed(filled: Filled) -> None:
    await filled.add("t_1", purged_at=START)

    page = await filled.queries.page(TaskQuery())

    assert (page.items, page.total) == ((), 0)


async def test_total_counts_beyond_the_page(filled: Filled) -> None:
    for number in range(5):
        await filled.add(f"t_{number}", number)

    page = await filled.queries.page(TaskQuery(limit=2))

    assert (page.total, page.total_is_capped) == (5, False)


async def test_total_is_capped_at_a_thousand(filled: Filled) -> None:
    documents = [{**new_document(f"t_{number:04}", BASE, START)} for number in range(MAX_TOTAL + 1)]
    await filled.database.do(filled.database.collection("tasks").insert_many(documents))

    page = await filled.queries.page(TaskQuery(limit=2))

    assert (page.total, page.total_is_capped) == (MAX_TOTAL, True)


async def test_exactly_a_thousand_is_not_capped(filled: Filled) -> None:
    documents = [{**new_document(f"t_{number:04}", BASE, START)} for number in range(MAX_TOTAL)]
    await filled.database.do(filled.database.collection("tasks").insert_many(documents))

    page = await filled.queries.page(TaskQuery(limit=2))

    assert (page.total, page.total_is_capped) == (MAX_TOTAL, False)


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!!", "e30", "W10", "WyItY3JlYXRlZF9hdCIsICJ4IiwgInkiXQ", "a" * 2_000, "\ud800", "4pyT"]
)
async def test_strange_cursor_is_refused(filled: Filled, cursor: str) -> None:
    with pytest.raises(BadCursorError):
        await filled.queries.page(TaskQuery(cursor=cursor))


async def test_cursor_of_another_sort_is_refused(filled: Filled) -> None:
    for number in range(3):
        await filled.add(f"t_{number}", number)
    page = await filled.queries.page(TaskQuery(limit=1))

    with pytest.raises(BadCursorError):
        await filled.queries.page(TaskQuery(sort="created_at", cursor=page.next_cursor))


async def test_listed_task_leaves_the_heavy_fields_out(filled: Filled) -> None:
    await filled.add("t_1")

    (task,) = (await filled.queries.page(TaskQuery())).items

    assert (task.params, task.history, task.checkpoint) == ({}, (), None)
    assert (task.title, task.status) == ("title", TaskStatus.PENDING)


def _stages(plan: dict[str, Any]) -> list[str]:
    below = [plan[name] for name in ("inputStage", "queryPlan") if name in plan] + plan.get("inputStages", [])
    return [plan.get("stage", ""), *(stage for one in below for stage in _stages(one))]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"sort": "created_at"},
        {"sort": "-updated_at"},
        {"sort": "priority"},
        {"statuses": (TaskStatus.RUNNING,)},
        {"statuses": tuple(ACTIVE_STATUSES)},
        {"kind": TaskKind.CRAWL},
        {"platform": "web"},
        {"platform": "web", "type": "site", "statuses": (TaskStatus.RUNNING,)},
        {"batch_id": "b_1"},
        {"schedule_id": "s_1"},
        {"label": "x"},
        {"created_by": "li"},
        {"text": "docs"},
        {"created_from": START},
        {"statuses": (TaskStatus.FAILED,), "sort": "-updated_at"},
    ],
)
@pytest.mark.parametrize("is_deep", [False, True])
async def test_every_query_walks_an_index_in_order(filled: Filled, query: dict[str, Any], is_deep: bool) -> None:
    labels = ("x",)
    for number in range(3):
        await filled.add(f"t_{number}", number, replace(BASE, labels=labels), batch_id="b_1", schedule_id="s_1")
    if is_deep:
        page = await filled.queries.page(TaskQuery(sort=query.get("sort", "-created_at"), limit=1))
        query = {**query, "cursor": page.next_cursor}

    stages = _stages(await filled.explain(**query))

    assert "COLLSCAN" not in stages
    assert "SORT" not in stages
    assert "IXSCAN" in stages
