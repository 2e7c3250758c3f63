"""Notices fields that a platform used to fill and fills no more: the site has changed, or our reading of it is off."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from loguru import logger

from backend.core.clock import Clock
from backend.domain.drift import Alert, FieldDrift, FieldState, GroupDrift, compare
from backend.domain.errors import NotFoundError
from backend.domain.task import FINAL_STATUSES, TaskStatus
from backend.domain.text import Text
from backend.store.field_counts import FieldCountStore
from backend.store.task_queries import TaskQueries, TaskQuery

# Looked at once a minute on each server: the tasks that were made last, of which so few are counted at a time.
_EVERY_S = 60.0
_NEWEST_TASKS = 20
_COUNTED_AT_ONCE = 5
_COMPARED_TASKS = 200


@dataclass(frozen=True, slots=True)
class PlatformDrift:
    """What is known of one platform's fields; `counted_to` is when the newest task that was looked at ended."""

    platform: str
    tasks: int
    counted_to: datetime | None
    groups: Sequence[GroupDrift]

    @property
    def dry(self) -> int:
        """How many fields have dried up."""
        return sum(one.state is FieldState.DRY for group in self.groups for one in group.fields)


class DriftService:
    """Reads counts, and makes those that are missing (`sweep`, a chore of the sweeper)."""

    def __init__(
        self, counts: FieldCountStore, queries: TaskQueries, *, platforms: Collection[str], clock: Clock
    ) -> None:
        """`platforms` are the ids of the crawl platforms."""
        self._counts = counts
        self._queries = queries
        self._platforms = tuple(platforms)
        self._clock = clock
        self._swept_at = -math.inf

    async def of(self, platform: str) -> PlatformDrift:
        """Return what is known of a platform. Raises NotFoundError for one that crawls nothing."""
        if platform not in self._platforms:
            raise NotFoundError(Text(f"没有这个采集平台: {platform}", f"No such crawl platform: {platform}"))
        counts = await self._counts.newest(platform, limit=_COMPARED_TASKS)
        groups = compare(counts, await self._counts.alerts(platform))
        return PlatformDrift(platform, len(counts), counts[0].ended_at if counts else None, groups)

    async def sweep(self) -> None:
        """Once a minute count the tasks that have ended, and tell what dried up. Raises StoreUnavailableError."""
        if self._clock.elapsed() - self._swept_at < _EVERY_S:
            return
        self._swept_at = self._clock.elapsed()
        for platform in self._platforms:
            await self.count(platform)

    async def count(self, platform: str) -> int:
        """Count the newest tasks of a platform that are not counted yet; return how many."""
        statuses = tuple(sorted(FINAL_STATUSES, key=_name))
        page = await self._queries.page(TaskQuery(platform=platform, statuses=statuses, limit=_NEWEST_TASKS))
        tasks = {task.task_id: task for task in page.items if task.books.stored and task.ended_at is not None}
        done = await self._counts.counted(tasks) if tasks else frozenset()
        new = [task for task_id, task in tasks.items() if task_id not in done][-_COUNTED_AT_ONCE:]
        for task in new:
            await self._counts.count_task(task.task_id, platform, task.ended_at or task.updated_at)
        if new:
            await self._tell(await self.of(platform))
        return len(new)

    async def _tell(self, drift: PlatformDrift) -> None:
        known = {(alert.key, alert.field) for alert in await self._counts.alerts(drift.platform)}
        for group in drift.groups:
            for one in group.fields:
                is_dry, is_known = one.state is FieldState.DRY, (group.key, one.field) in known
                if is_dry and not is_known:
                    await self._tell_dry(drift.platform, group, one)
                elif is_known and not is_dry:
                    await self._tell_back(drift.platform, group, one)

    async def _tell_dry(self, platform: str, group: GroupDrift, one: FieldDrift) -> None:
        alert = Alert(group.key, one.field, one.before or 0.0, self._clock.now())
        if await self._counts.raise_alert(platform, alert):
            logger.warning(
                "⚠️ 平台字段疑似失效: {}, 近 {} 条 {:.0%}, 此前 {:.0%}",
                *(_where(platform, group, one), group.recent.items, one.recent or 0.0, one.before or 0.0),
            )

    async def _tell_back(self, platform: str, group: GroupDrift, one: FieldDrift) -> None:
        if await self._counts.drop_alert(platform, group.key, one.field):
            where, share = _where(platform, group, one), one.recent or 0.0
            logger.info("✅ 平台字段已恢复: {}, 近 {} 条 {:.0%}", where, group.recent.items, share)


def _where(platform: str, group: GroupDrift, one: FieldDrift) -> str:
    return f"{platform} {group.key.kind} ({group.key.source}) {one.field}"


def _name(status: TaskStatus) -> str:
    return status.value
