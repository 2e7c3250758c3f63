"""Many tasks created by one call, under one batch id.

A thousand of them take a second of checks while the same loop runs hundreds of tasks: so the checks go in turns of a
few milliseconds, the writes in batches of one round trip, and no more is spawned than there are slots.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from loguru import logger

from backend.core.clock import Clock
from backend.core.journal import Ahead, ahead_of_journal
from backend.core.turns import Turns
from backend.domain.errors import IdempotencyConflictError, RequestError, StoreUnavailableError
from backend.domain.task import NewTask, TaskStatus
from backend.domain.text import Text
from backend.services.task_access import Sees, refuse_hidden_source, sees_everything
from backend.services.task_requests import TaskDrafter, TaskRequest, body_hash
from backend.services.task_service import TaskService
from backend.store.task_sets import Made, TaskSets
from backend.store.tasks import TaskStore

Entry = TypeVar("Entry")
Draft = NewTask | RequestError

_STORED_AT_ONCE = 20
# What is spawned begins in the next step of the loop: a hundred claims in one step would hold up the rest.
_SCHEDULED_AT_ONCE = 10
_USED_OTHERWISE = Text("同一个 Idempotency-Key 已用于不同的请求", "This Idempotency-Key was used with another body")


@dataclass(frozen=True, slots=True)
class BatchItem:
    """What became of one entry of a batch: a task, or why there is none."""

    index: int
    task_id: str | None
    error: RequestError | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of a batch. `is_replay`: an earlier call with the same Idempotency-Key had made all its tasks."""

    batch_id: str
    items: tuple[BatchItem, ...]
    is_replay: bool


@dataclass(frozen=True, slots=True)
class _Call:
    """What the tasks of one batch share; with a key also the hash of the whole call."""

    batch_id: str
    title: str | None
    key: str | None = None
    body_hash: str | None = None

    def entry(self, index: int, new: NewTask) -> NewTask:
        # A space: no single call's key has one, so that none of theirs is ever one of ours.
        key = None if self.key is None else f"{self.key} {index}"
        return replace(
            new, batch_id=self.batch_id, batch_title=self.title, idempotency_key=key, body_hash=self.body_hash
        )


class BatchService:
    """Create many tasks."""

    def __init__(
        self, tasks: TaskService, *, store: TaskStore, sets: TaskSets, clock: Clock, drafter: TaskDrafter
    ) -> None:
        self._tasks = tasks
        self._store = store
        self._sets = sets
        self._drafter = drafter
        self._turns = Turns(clock)
        # Several calls at once would each have their hundred documents made in the same step of the loop.
        self._storing = asyncio.Lock()

    async def create(
        self,
        entries: Sequence[Entry],
        read: Callable[[Entry], TaskRequest],
        *,
        by: str = "local",
        sees: Sees = sees_everything,
        batch_title: str | None = None,
        idempotency_key: str | None = None,
        require_available: bool = False,
    ) -> Batch:
        """Store a task for every entry that is good, under one batch id, and schedule as many as have a slot.

        `read` turns an entry into a request, or raises a RequestError; that, what `TaskDrafter.draft` raises, and a
        source the maker may not see (`sees`) spoil their own entry only. With a key, a repeat of the whole call returns
        the first tasks, and makes those that the first call did not come to. Raises IdempotencyConflictError,
        StoreUnavailableError.
        """
        drafted = await self._turns.map(
            lambda one: self._draft(one, read, by, require_available=require_available), entries
        )
        drafts = [await _sighted(one, sees) for one in drafted]
        good = {index: one for index, one in enumerate(drafts) if isinstance(one, NewTask)}
        call = await self._call_of(drafts, batch_title, idempotency_key, by=by)
        try:
            made = await self._store_all(call, good)
        except StoreUnavailableError as error:
            logger.error("❌ 创建任务失败: {}", error)
            raise
        await self._schedule_all(list(made.values()))
        items = tuple(_item(index, made.get(index, one)) for index, one in enumerate(drafts))
        is_replay = bool(made) and all(not isinstance(one, RequestError) and one[1] for one in made.values())
        return Batch(call.batch_id, items, is_replay)

    def _draft(self, entry: Entry, read: Callable[[Entry], TaskRequest], by: str, *, require_available: bool) -> Draft:
        try:
            return replace(self._drafter.draft(read(entry), require_available=require_available), created_by=by)
        except RequestError as error:
            return error

    async def _call_of(self, drafts: Sequence[Draft], title: str | None, key: str | None, *, by: str) -> _Call:
        if key is None:
            return _Call(f"b_{secrets.token_hex(10)}", title)
        hashes = await self._turns.map(lambda one: body_hash(one) if isinstance(one, NewTask) else "-", drafts)
        whole = hashlib.sha256("\n".join([title or "", *hashes]).encode()).hexdigest()
        # The same for a repeat, which must answer with the same id; a key is its caller's own.
        own_key = key if by == "local" else f"{by} {key}"
        return _Call(f"b_{hashlib.sha256(own_key.encode()).hexdigest()[:20]}", title, key, whole)

    async def _store_all(self, call: _Call, good: Mapping[int, NewTask]) -> dict[int, Made]:
        if call.key is not None and good:
            by = next(iter(good.values())).created_by
            if await self._sets.was_used_otherwise(by, call.key, call.body_hash or ""):
                raise IdempotencyConflictError(_USED_OTHERWISE)
        made: dict[int, Made] = {}
        aheads: list[Ahead] = []
        with self._tasks.creating() as new_ids:
            numbered = [(new_ids(), index, call.entry(index, one)) for index, one in good.items()]
            for start in range(0, len(numbered), _STORED_AT_ONCE):
                some = numbered[start : start + _STORED_AT_ONCE]
                async with self._storing:
                    with ahead_of_journal() as ahead:
                        stored = await self._sets.create([(task_id, new) for task_id, _, new in some])
                aheads.append(ahead)
                made |= dict(zip((index for _, index, _ in some), stored, strict=True))
            if numbered:
                await self._store.keep(numbered[-1][0])
                for ahead in aheads:
                    ahead.check()
        return made

    async def _schedule_all(self, made: Sequence[Made]) -> None:
        for start in range(0, len(made), _SCHEDULED_AT_ONCE):
            await self._turns.map(self._schedule, made[start : start + _SCHEDULED_AT_ONCE])

    def _schedule(self, made: Made) -> None:
        if isinstance(made, RequestError) or made[1]:
            return
        task = made[0]
        if task.status is TaskStatus.HELD:
            logger.info("任务已创建，等待执行: {}", task.task_id)
        else:
            logger.success("✅ 任务创建成功: {}", task.task_id)
            self._tasks.schedule_new(task)


def _item(index: int, outcome: Draft | Made) -> BatchItem:
    if isinstance(outcome, RequestError):
        return BatchItem(index, None, outcome)
    if isinstance(outcome, NewTask):
        raise TypeError(f"entry {index} was neither stored nor refused")
    return BatchItem(index, outcome[0].task_id)


async def _sighted(draft: Draft, sees: Sees) -> Draft:
    if isinstance(draft, RequestError):
        return draft
    try:
        await refuse_hidden_source(draft, sees)
    except RequestError as error:
        return error
    return draft
