"""What must be so after a crash: counted in the store, at the stand-ins, in the files and in the logs."""

import asyncio
import itertools
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bson import decode
from redis import Redis

from bench.crash_lab.stand_in import PAGES, StandIn, two_at_once

if TYPE_CHECKING:
    from bench.crash_lab.trial import Trial

Document = dict[str, Any]

FINAL = frozenset({"cancelled", "succeeded", "partial", "failed", "timed_out"})
FORBIDDEN = ("event loop is closed", "loop is closed", "no running loop", "no running event loop")
_PARTS = ("*.part", "artifacts/parts/*/*")
_MOST_LINES = 1_000


def books_problems(task: Document) -> Iterable[str]:
    """The books balance, and the record says so."""
    if task["books"]["balanced"] is not True:
        yield f"books do not balance: {task['books']}"


def history_problems(task: Document) -> Iterable[str]:
    """There is one end, and each change of state begins where the one before it ended."""
    entries = task["history"]
    ends = [entry for entry in entries if entry["to_status"] in FINAL]
    if len(ends) != 1 or entries[-1] is not ends[0]:
        yield f"{len(ends)} ends in the history: {[entry['to_status'] for entry in entries]}"
    for before, after in itertools.pairwise(entries):
        if before["to_status"] != after["from_status"]:
            yield f"history jumps from {before['to_status']} to {after['from_status']}"


def payment_problems(task: Document, stand_in: StandIn) -> Iterable[str]:
    """Nothing was paid for twice, under whatever key."""
    if task["platform"] == "cogvideox" and stand_in.submits_accepted != 1:
        yield f"submits accepted: {dict(stand_in.accepted)}"
    if (task["upstream"] or {}).get("submits", 0) < stand_in.submits_accepted:
        yield f"the record knows of fewer submits than were taken: {task['upstream']}"


def request_problems(stand_in: StandIn, late: list[str]) -> Iterable[str]:
    """Nobody ran it at the same time as somebody else."""
    if late:
        yield f"requests of the struck server after it was taken over: {late}"
    if pairs := two_at_once(stand_in.seen):
        yield f"{pairs} pairs of requests of two servers at once"


async def result_problems(database: Any, task: Document, *, ends: str) -> list[str]:
    """What is stored is what the books say, once each, and all that an undisturbed run stores."""
    task_id, stored = task["_id"], task["books"]["stored"]
    if task["platform"] == "web":
        items = [row["item_id"] async for row in database["items"].find({"task_id": task_id})]
        rows = await database["frontier"].count_documents({"task_id": task_id, "outcome": {"$in": ["ok", None]}})
        found = [] if len(items) == len(set(items)) == stored else [f"stored {stored}, items {len(items)}"]
        is_whole = stored == PAGES or ends != "succeeded"
        return found if is_whole else [*found, f"stored {stored} of {PAGES} pages, rows {rows}"]
    records = [row async for row in database["artifacts"].find({"task_id": task_id, "role": "output"})]
    expected = 1 if ends == "succeeded" else 0
    return [] if len(records) == stored == expected else [f"stored {stored}, outputs {len(records)}"]


async def zombie_problems(database: Any, task: Document) -> list[str]:
    """No write under a fence took after that fence was passed: by mongod's own profile of every operation."""
    workers = {entry["worker_id"]: entry["at"] for entry in task["history"] if entry["worker_id"] is not None}
    passed_at = {
        worker: min(
            (entry["at"] for entry in task["history"] if entry["at"] >= at and _takes_from(entry, worker)), default=None
        )
        for worker, at in workers.items()
    }
    found = []
    async for op in database["system.profile"].find({"nMatched": {"$gt": 0}, "op": {"$in": ["update", "command"]}}):
        asked = op.get("command", {})
        query = asked.get("q") or asked.get("query") or {}
        at = passed_at.get(query.get("worker_id"))
        if at is not None and op["ts"] > at and query.get("status") != "pending" and op["ns"].endswith(".tasks"):
            found.append(f"a write of {query['worker_id']} took after its fence was passed: {asked.get('u')}")
    return found


def _takes_from(entry: Document, worker: str) -> bool:
    return bool(entry["worker_id"] != worker and entry["to_status"] == "running")


def event_problems(redis_url: str, database: str, task_id: str) -> Iterable[str]:
    """Readers of the stream were told of the end once."""
    with Redis.from_url(redis_url) as redis:
        entries: Any = redis.xrange(f"mcp:events:{database}")
    told = [one for _, one in entries if one.get(b"s") == task_id.encode() and decode(one[b"p"]).get("final")]
    if len(told) > 1:
        yield f"{len(told)} events of one end"


def log_problems(lines: list[Document]) -> Iterable[str]:
    """The reader sees the lines of the task numbered from 1 without a gap."""
    numbers = [line["seq"] for line in lines]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"log lines are numbered {numbers[:20]}"


def parts_of(folder: Path) -> list[Path]:
    """Return the half-written files and work folders below it."""
    return sorted(path for pattern in _PARTS for path in folder.rglob(pattern))


def file_problems(folder: Path) -> Iterable[str]:
    """No half-written file is left, and no ffmpeg that works in this folder."""
    for left in parts_of(folder):
        yield f"left: {left.relative_to(folder)}"
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if folder in (process / "cwd").readlink().parents:
                yield f"still at work: {(process / 'comm').read_text('utf-8').strip()}"


def said_problems(logs: Mapping[str, str]) -> Iterable[str]:
    """No server has said what none may say."""
    for name, text in logs.items():
        for word in FORBIDDEN:
            if word in text.lower():
                yield f"{name} said {word!r}"


async def problems_of(trial: "Trial") -> list[str]:
    """Return what does not hold, while the surviving servers still answer."""
    stand_in = trial.stand_in
    async with trial.database() as database:
        task = await database["tasks"].find_one({})
        assert task is not None
        found = [*books_problems(task), *history_problems(task), *payment_problems(task, stand_in)]
        found += request_problems(stand_in, trial.requests_of_the_struck(task))
        found += await result_problems(database, task, ends=trial.ends)
        found += await zombie_problems(database, task)
    survivor = next(server for server in trial.servers.values() if server.is_running)
    logs = await survivor.call("GET", f"/tasks/{task['_id']}/logs", limit=_MOST_LINES)
    found += log_problems(logs["items"])
    if trial.shared is not None:
        where = trial.shared.settings(trial.folder.name)
        found += await asyncio.to_thread(
            lambda: list(event_problems(where["REDIS_URL"], where["MONGODB_DATABASE"], task["_id"]))
        )
    found += said_problems({name: trial.log_of(name) for name in trial.servers})
    return found
