"""Purges ended tasks whose time is up, a few at a time, exactly as `?purge=1` does; says beforehand what would go."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from loguru import logger

from backend.core.clock import Clock
from backend.core.disk import Disk, disk_of
from backend.core.threads import in_thread
from backend.domain.retention import RetentionRule, assigned
from backend.store.retention import Doomed, RetentionStore

BY = "retention"
_EVERY_S = 60.0
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Due:
    """A rule, and what of it ended `before` this moment and would go now."""

    rule: RetentionRule
    before: datetime
    doomed: Doomed


@dataclass(frozen=True, slots=True)
class Preview:
    """What would go now, rule by rule, and the disk it would be taken from."""

    due: Sequence[Due]
    disk: Disk


class RetentionService:
    """Keeps the rules. `purge` hides an ended task for good, False when there is none; `is_reading`: an export runs."""

    def __init__(
        self,
        store: RetentionStore,
        rules: Sequence[RetentionRule],
        *,
        purge: Callable[[str], Awaitable[bool]],
        is_reading: Callable[[], bool],
        data_dir: Path,
        clock: Clock,
    ) -> None:
        self._store = store
        self._rules = assigned(rules)
        self._purge = purge
        self._is_reading = is_reading
        self._data_dir = data_dir
        self._clock = clock
        # Not at once: who has just set a rule wrongly has a minute to see it.
        self._swept_at = clock.elapsed()

    async def preview(self) -> Preview:
        """Count what would go now. Raises StoreUnavailableError."""
        due = []
        for rule, pairs in self._rules.items():
            before = self._before(rule)
            due.append(Due(rule, before, await self._store.count(pairs, before=before)))
        return Preview(due, await in_thread(lambda: disk_of(self._data_dir)))

    async def sweep(self) -> int:
        """Purge up to 100 tasks a rule, at most once a minute; return how many. Waits while an export reads.

        Raises StoreUnavailableError.
        """
        if not self._rules or self._clock.elapsed() - self._swept_at < _EVERY_S or self._is_reading():
            return 0
        self._swept_at = self._clock.elapsed()
        purged = 0
        for rule, pairs in self._rules.items():
            ids = await self._store.oldest(pairs, before=self._before(rule), limit=_AT_ONCE)
            gone = [task_id for task_id in ids if await self._purge(task_id)]
            if gone:
                logger.info("🗑️ 保留期已过，删除 {} 个任务 ({}) by {}: {}", len(gone), rule, BY, ", ".join(gone))
            purged += len(gone)
        return purged

    def _before(self, rule: RetentionRule) -> datetime:
        return self._clock.now() - timedelta(days=rule.days)
