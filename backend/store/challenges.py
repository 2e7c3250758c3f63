"""What people are shown of tasks that wait for them: a login page, a captcha, a QR code."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from backend.core.clock import Clock
from backend.core.database import Database
from backend.core.journal import ahead_of_journal
from backend.domain.challenge import Challenge, ChallengeKind
from backend.domain.errors import LeaseLostError
from backend.domain.task import Lease, Notice, Stage, Task, TaskKind, TaskStatus
from backend.store.task_changes import Announcer, Unannounced, announced
from backend.store.task_documents import Document, document_of
from backend.store.task_updates import RUNNING_MESSAGES, mine

Picture = Literal["screenshot", "qr"]

PICTURES: tuple[Picture, ...] = ("screenshot", "qr")
_SHOWN_IN = frozenset({TaskStatus.RUNNING, TaskStatus.WAITING})
_KEPT_IN = frozenset({*_SHOWN_IN, TaskStatus.CANCELLING})
_WITHOUT_PICTURES: dict[str, int] = {"screenshot": 0, "qr": 0}
_TAG_CHARS = 12
_TRIES = 2


@dataclass(frozen=True, slots=True)
class ShownChallenge:
    """A challenge without its pictures; of those only a tag that is another for another picture, or None."""

    kind: ChallengeKind
    page_url: str | None
    since: datetime
    screenshot_tag: str | None
    qr_tag: str | None


class ChallengeStore:
    """Collection `challenges`: one document a task, `_id` is the task's, `fence` that of the run that wrote it.

    It counts only while its task is running or waiting with that very fence: a claim takes it away without a write,
    what a zombie or a crash leaves is never shown, and `sweep` removes it. Pictures are binary, 1 MB at most each.
    """

    def __init__(self, database: Database, *, clock: Clock, announcer: Announcer | None = None) -> None:
        self._db = database
        self._clock = clock
        self._announcer = announcer or Unannounced()
        self._swept_to = ""

    # -- of a run, under its fence -------------------------------------------------------------------------------

    async def put(self, lease: Lease, challenge: Challenge, *, since: datetime) -> None:
        """Store what is shown from now on. Raises LeaseLostError when a later run has stored its own."""
        document = {
            **{"fence": lease.fence, "kind": challenge.kind.value, "page_url": challenge.page_url, "since": since},
            **{"screenshot": challenge.screenshot, "screenshot_tag": _tag(challenge.screenshot)},
            **{"qr": challenge.qr, "qr_tag": _tag(challenge.qr)},
        }
        query = {"_id": lease.task_id, "fence": {"$lte": lease.fence}}
        for _ in range(_TRIES):
            try:
                await self._db.do(self._challenges.update_one(query, {"$set": document}, upsert=True))
            except DuplicateKeyError:
                # There is one of a later run, or an earlier try of ours came through at this very moment.
                continue
            return
        raise LeaseLostError(lease.task_id)

    async def show(self, lease: Lease, challenge: Challenge, *, notice: Notice, since: datetime) -> None:
        """Store it, then say on the record of the running task that a person is needed. Raises LeaseLostError.

        A task that is being cancelled is left as it is: its run hears of that.
        """
        await self.put(lease, challenge, since=since)
        await self._tell(
            lease,
            {
                **{"progress.stage": Stage.NEEDS_PERSON.value, "progress.rate": None, "progress.eta_s": None},
                **{"notice": document_of(notice), "message": document_of(notice.message)},
            },
        )

    async def close(self, lease: Lease, kind: TaskKind, *, stage: Stage) -> None:
        """Say on the record that the task goes on at `stage`, then remove what was shown. Raises LeaseLostError."""
        message = document_of(RUNNING_MESSAGES[kind])
        await self._tell(lease, {"progress.stage": stage.value, "notice": None, "message": message})
        await self.drop(lease.task_id, fence=lease.fence)

    async def _tell(self, lease: Lease, values: Document) -> None:
        update = {"$set": {**values, "updated_at": self._clock.now()}, "$inc": {"version": 1}}
        document = await self._db.do(
            self._tasks.find_one_and_update(
                {**mine(lease), "status": TaskStatus.RUNNING.value},
                update,
                projection=announced(),
                return_document=ReturnDocument.AFTER,
            )
        )
        if document is not None:
            self._announcer.changed(document)
        elif await self._db.do(self._tasks.find_one(mine(lease), {"_id": 1})) is None:
            await self.drop(lease.task_id, fence=lease.fence)
            raise LeaseLostError(lease.task_id)

    # -- for readers ---------------------------------------------------------------------------------------------

    async def of(self, task: Task) -> ShownChallenge | None:
        """Return what is shown of this task now, or None."""
        row = await self._find(task, _WITHOUT_PICTURES)
        if row is None:
            return None
        kind = ChallengeKind(row["kind"])
        return ShownChallenge(kind, row["page_url"], row["since"], row["screenshot_tag"], row["qr_tag"])

    async def picture(self, task: Task, which: Picture) -> bytes | None:
        """Return a picture of what is shown of this task now, or None."""
        row = await self._find(task, {which: 1})
        return None if row is None or row[which] is None else bytes(row[which])

    async def _find(self, task: Task, projection: dict[str, int]) -> Document | None:
        if task.status not in _SHOWN_IN:
            return None
        query = {"_id": task.task_id, "fence": task.fence}
        found: Document | None = await self._db.do(self._challenges.find_one(query, dict(projection)))
        return found

    # -- tidying up ----------------------------------------------------------------------------------------------

    async def drop(self, task_id: str, *, fence: int) -> None:
        """Remove what runs up to this fence have shown of a task; what comes back in spite of that is swept."""
        with ahead_of_journal():
            challenges = self._challenges
        await self._db.do(challenges.delete_one({"_id": task_id, "fence": {"$lte": fence}}))

    async def delete_of(self, task_id: str) -> int:
        """Remove what is left of a purged task; return how many documents."""
        result = await self._db.do(self._challenges.delete_one({"_id": task_id}))
        return int(result.deleted_count)

    async def sweep(self, *, limit: int = 200) -> int:
        """Remove what is shown nowhere any more, looking at `limit` challenges a call; return how many went."""
        query = {"_id": {"$gt": self._swept_to}}
        rows = await self._db.do(self._challenges.find(query, {"fence": 1}).sort("_id", 1).limit(limit).to_list(None))
        self._swept_to = rows[-1]["_id"] if len(rows) == limit else ""
        # Read after them: what is over by now does not come back with the same fence.
        kept = await self._kept([row["_id"] for row in rows])
        stale = [row for row in rows if kept.get(row["_id"], row["fence"] + 1) > row["fence"]]
        for row in stale:
            await self.drop(row["_id"], fence=row["fence"])
        return len(stale)

    async def _kept(self, task_ids: list[str]) -> dict[str, int]:
        """Return the fences of those tasks that may show something."""
        states = sorted(status.value for status in _KEPT_IN)
        query = {"_id": {"$in": task_ids}, "status": {"$in": states}}
        rows = await self._db.do(self._tasks.find(query, {"fence": 1}).to_list(None)) if task_ids else []
        return {row["_id"]: row["fence"] for row in rows}

    @property
    def _challenges(self) -> Any:
        return self._db.collection("challenges")

    @property
    def _tasks(self) -> Any:
        return self._db.collection("tasks")


def _tag(picture: bytes | None) -> str | None:
    return None if picture is None else hashlib.sha256(picture).hexdigest()[:_TAG_CHARS]
