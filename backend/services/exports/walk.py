"""Goes through the items of one task or of many, page by page; no page is large, however many items there are."""

import hashlib
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from backend.core.threads import in_thread
from backend.domain.item import Item
from backend.domain.task import Task
from backend.store.item_reads import ItemFilter, ItemKey, ItemPlace, ItemReads, place_of
from backend.store.task_queries import TaskQueries, TaskQuery

Page = tuple[Item, ...]
# A folder that is there inside `async with`.
WorkFolder = Callable[[], AbstractAsyncContextManager[Path]]
T = TypeVar("T")

_TASKS_AT_ONCE = 200
_FIRST_LIMIT = 50
_MAX_LIMIT = 500
_KEYS_AT_ONCE = 2_000
# Of text; what is made of a page is some three times as large.
_PAGE_CHARS = 500_000
_MAX_NOTED_TASKS = 1_000
_CACHE_KB = 8_192


@dataclass(frozen=True, slots=True)
class Scope:
    """Which items. `task` alone, or those of the tasks that match `query`; `text` is part of title or text.

    `is_distinct`: of several rows of one item (of different tasks) the newest.
    """

    query: TaskQuery
    task: Task | None = None
    wanted: ItemFilter = field(default_factory=ItemFilter)
    text: str | None = None
    is_distinct: bool = False

    @property
    def is_countable(self) -> bool:
        """Whether counting says how many items there will be."""
        return self.text is None and (self.task is not None or not self.is_distinct)


class ItemWalk:
    """One walk. `tasks` are those that had items, at most 1,000 of them; `has_more_tasks` says that there are more."""

    def __init__(self, scope: Scope, *, reads: ItemReads, queries: TaskQueries, work_folder: WorkFolder) -> None:
        self._scope = scope
        self._reads = reads
        self._queries = queries
        self._work_folder = work_folder
        self.tasks: dict[str, Task] = {}
        self.has_more_tasks = False

    async def pages(self) -> AsyncGenerator[Page, None]:
        """Yield the items in order, never an empty page. Raises StoreUnavailableError."""
        async with AsyncExitStack() as stack:
            newest = None
            # Within one task no item is there twice.
            if self._scope.is_distinct and self._scope.task is None:
                folder = await stack.enter_async_context(self._work_folder())
                newest = stack.enter_context(closing(Newest(folder / "newest.sqlite")))
                await self._find_newest(newest)
            async for tasks in self.task_groups():
                async for page in self._pages_of(tasks):
                    shown = await self._within_scope(page, newest)
                    self._note(tasks, shown)
                    if shown:
                        yield shown

    async def task_groups(self) -> AsyncIterator[Sequence[Task]]:
        """Yield the tasks, oldest first, some at a time."""
        if self._scope.task is not None:
            yield (self._scope.task,)
            return
        cursor: str | None = None
        while True:
            query = replace(self._scope.query, sort="created_at", cursor=cursor, limit=_TASKS_AT_ONCE)
            page = await self._queries.page(query)
            if page.items:
                yield page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _find_newest(self, newest: "Newest") -> None:
        async for tasks in self.task_groups():
            place: ItemPlace | None = None
            while keys := await self._reads.keys(_ids(tasks), self._scope.wanted, behind=place, limit=_KEYS_AT_ONCE):
                place = keys[-1].place
                await newest.add(keys)

    async def _pages_of(self, tasks: Sequence[Task]) -> AsyncIterator[Page]:
        place: ItemPlace | None = None
        limit = _FIRST_LIMIT
        while page := await self._reads.items(_ids(tasks), self._scope.wanted, behind=place, limit=limit):
            yield page
            if len(page) < limit:
                return
            place = place_of(page[-1])
            chars = sum(len(item.text or "") + len(item.title or "") for item in page)
            limit = max(1, min(_MAX_LIMIT, 2 * limit, limit * _PAGE_CHARS // max(chars, 1)))

    async def _within_scope(self, page: Page, newest: "Newest | None") -> Page:
        if self._scope.text is not None:
            # Not asked of MongoDB: a word that stands in few of a million items would outlast any time limit.
            sought = self._scope.text.casefold()
            page = await in_thread(lambda: tuple(item for item in page if _has(item, sought)))
        return page if newest is None else await newest.among(page)

    def _note(self, tasks: Sequence[Task], page: Page) -> None:
        found = {item.task_id for item in page} - self.tasks.keys()
        for task in tasks if found else ():
            if task.task_id in found:
                if len(self.tasks) < _MAX_NOTED_TASKS:
                    self.tasks[task.task_id] = task
                else:
                    self.has_more_tasks = True


class Newest:
    """Which row of an item is the newest, kept in a file: there may be more items than fit into memory."""

    def __init__(self, path: Path) -> None:
        # Used by one thread of the pool at a time, not always the same.
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        for order in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KB}"):
            self._db.execute(f"PRAGMA {order}")
        self._db.execute("CREATE TABLE newest (key BLOB PRIMARY KEY, at INTEGER, id TEXT) WITHOUT ROWID")

    async def add(self, keys: Sequence[ItemKey]) -> None:
        """Take note of rows."""
        await in_thread(lambda: self._add(keys))

    async def among(self, page: Page) -> Page:
        """Return those that are the newest of their item."""
        return await in_thread(lambda: tuple(item for item in page if self._newest_of(item) in {None, item.id}))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _add(self, keys: Sequence[ItemKey]) -> None:
        rows = [
            (
                _digest(one.platform, one.kind, one.item_id),
                round(one.place.first_seen_at.timestamp() * 1000),
                one.place.id,
            )
            for one in keys
        ]
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO newest VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET at = excluded.at, id = excluded.id"
            " WHERE (excluded.at, excluded.id) > (newest.at, newest.id)",
            rows,
        )
        self._db.execute("COMMIT")

    def _newest_of(self, item: Item) -> str | None:
        # None: it was not there yet when the rows were compared.
        key = _digest(item.platform, item.kind, item.item_id)
        row = self._db.execute("SELECT id FROM newest WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])


async def counted(walk: ItemWalk, count: Callable[[Sequence[str]], Awaitable[T]]) -> AsyncGenerator[T, None]:
    """Yield what `count` says of each group of tasks."""
    async for tasks in walk.task_groups():
        yield await count(_ids(tasks))


def _ids(tasks: Sequence[Task]) -> Sequence[str]:
    return sorted(task.task_id for task in tasks)


def _has(item: Item, sought: str) -> bool:
    return sought in (item.title or "").casefold() or sought in (item.text or "").casefold()


def _digest(platform: str, kind: str, item_id: str) -> bytes:
    return hashlib.blake2b(
        "\0".join((platform, kind, item_id)).encode("utf-8", "surrogatepass"), digest_size=16
    ).digest()
