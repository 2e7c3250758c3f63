"""One cancel measured from outside, one stage of them, and everything that a stage is held to."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.harness.server import STORE_CHILDREN, Server
from bench.report import percentile

LIMIT_MS = 100.0
# What had left before the end and was still on its way (loopback) when the end was told.
TRANSIT_S = 0.02
# How long a stage listens for requests that come after all.
LATE_S = 0.5
# The record's own latency ends inside ours; clocks tick in ms.
_ROUNDING_MS = 5.0
_LEAK_WAIT_S = 2.0
_PERSISTENT_S = 15.0
_LOOK_EVERY_S = 0.005
_LAG_STEP_S = 0.01


class NotReachedError(Exception):
    """A stage could not bring its tasks to where they are to be cancelled; says what was waited for."""


@dataclass(frozen=True, slots=True)
class Target:
    """A task to be cancelled; `requests` returns how many requests of it the stand-ins have seen."""

    task_id: str
    requests: Callable[[], int] = lambda: 0


@dataclass(frozen=True, slots=True)
class Cut:
    """One cancel. `outside_ms`: DELETE sent to answer with the end; `latency_ms`: less what the stage rightly adds."""

    target: Target
    outside_ms: float
    latency_ms: float
    record: dict[str, Any]
    requests: int
    # Of all documents of the task right after its end; empty where nobody could look.
    digest: str = ""

    @property
    def requests_after(self) -> int:
        """How many requests came after the end was told."""
        return self.target.requests() - self.requests


@dataclass(slots=True)
class Stage:
    """What became of one stage. `title` is what a person reads."""

    name: str
    title: str
    limit_ms: float = LIMIT_MS
    cuts: list[Cut] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    requests_after: int = 0
    leaked_tasks: int = 0
    leaked_children: int = 0
    leaked_files: int = 0
    leaked_threads: int = 0
    leaked_sockets: int = 0
    later_writes: int = 0
    server_lags_ms: list[float] = field(default_factory=list)
    lags_ms: list[float] = field(default_factory=list)
    note: str = ""
    audited: int = 0

    @property
    def latencies_ms(self) -> list[float]:
        """All that was measured."""
        return [cut.latency_ms for cut in self.cuts]

    @property
    def p99_ms(self) -> float:
        """By nearest rank: of fewer than a hundred cancels it is the slowest."""
        return percentile(self.latencies_ms, 99)

    @property
    def lag_p99_ms(self) -> float:
        """How late the machine woke our own loop meanwhile: on a busy one every latency holds some of it."""
        return percentile(self.lags_ms, 99)

    @property
    def server_lag_p99_ms(self) -> float:
        """How late the machine woke the server's loop meanwhile."""
        return percentile(self.server_lags_ms, 99)

    @property
    def is_ok(self) -> bool:
        """Whether all held."""
        return not self.all_problems()

    def all_problems(self) -> list[str]:
        """Return what did not hold, in words."""
        found = list(self.problems)
        if not self.cuts:
            found.append("没有一次取消 / no cancel was measured")
        elif math.isnan(self.p99_ms) or self.p99_ms > self.limit_ms:
            lag = f"本机延迟 / this machine's own lag p99 {self.lag_p99_ms:.1f} ms"
            found.append(f"p99 {self.p99_ms:.1f} ms > {self.limit_ms:.0f} ms ({lag})")
        for count, words in (
            (self.requests_after, "结束后仍有请求 / requests after the end"),
            (self.leaked_tasks, "遗留任务或请求 / tasks or requests left"),
            (self.leaked_children, "遗留子进程 / children left"),
            (self.leaked_files, "遗留文件 / files left"),
            (self.leaked_threads, "遗留线程 / threads at work"),
            (self.leaked_sockets, "遗留连接 / sockets left"),
            (self.later_writes, "结束后仍有写入 / written after the end"),
        ):
            if count:
                found.append(f"{words}: {count}")
        return found


@contextlib.asynccontextmanager
async def lag_watched(stage: Stage) -> AsyncIterator[None]:
    """Note on the stage how late our own loop is woken, while inside."""

    async def watch() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(_LAG_STEP_S)
            stage.lags_ms.append((time.perf_counter() - begun - _LAG_STEP_S) * 1000)

    watching = asyncio.create_task(watch(), name="lag")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})


async def until(is_so: Callable[[], object], what: str, *, within_s: float = _PERSISTENT_S) -> None:
    """Wait until it is so. Raises NotReachedError, which says `what` did not come."""
    give_up_at = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > give_up_at:
            raise NotReachedError(f"{within_s:g} s 内未到达 / not reached: {what}")
        await asyncio.sleep(_LOOK_EVERY_S)


async def until_record(
    server: Server, task_id: str, is_so: Callable[[dict[str, Any]], bool], what: str, *, within_s: float = _PERSISTENT_S
) -> dict[str, Any]:
    """Wait until the task's record is so, and return it. Raises NotReachedError."""
    give_up_at = time.monotonic() + within_s
    while not is_so(record := await server.record(task_id)):
        if time.monotonic() > give_up_at or record["is_final"]:
            raise NotReachedError(f"{task_id} {record['status']}: 未到达 / not reached: {what}")
        await asyncio.sleep(4 * _LOOK_EVERY_S)
    return record


async def cut(server: Server, target: Target, *, added_ms: float = 0.0) -> Cut:
    """Cancel one task and wait for its end. `added_ms`: what the task may rightly wait for from now on."""
    begun = time.perf_counter()
    record = await server.cancel(target.task_id)
    return await counted(server, target, (time.perf_counter() - begun) * 1000, record, added_ms=added_ms)


async def counted(
    server: Server, target: Target, outside_ms: float, record: dict[str, Any], *, added_ms: float = 0.0
) -> Cut:
    """Return the cut whose end has just been told, with the requests seen by now, and the documents there are."""
    await asyncio.sleep(TRANSIT_S)
    requests = target.requests()
    digest = (await server.look([target.task_id])).digests.get(target.task_id, "")
    return Cut(target, outside_ms, max(0.0, outside_ms - added_ms), record, requests, digest)


async def one_by_one(server: Server, targets: Iterable[Target]) -> list[Cut]:
    """Cancel the targets one after another, so that each latency is its own."""
    return [await cut(server, target) for target in targets]


async def audit(stage: Stage, server: Server, *, ends: Sequence[str] = ("cancelled",)) -> None:
    """Wait for what comes too late, then hold the cuts since the last audit to the promises.

    What does not hold is noted on the stage.
    """
    await asyncio.sleep(LATE_S)
    cuts, stage.audited = stage.cuts[stage.audited :], len(stage.cuts)
    stage.requests_after += sum(one.requests_after for one in cuts)
    for one in cuts:
        now = await server.record(one.target.task_id)
        stage.problems += [f"{one.target.task_id}: {words}" for words in _judged(one, now, ends)]
    await _count_later_writes(stage, server, cuts)
    await _count_leaks(stage, server, cuts)
    stage.server_lags_ms += server.lags_ms
    server.lags_ms.clear()


async def _count_later_writes(stage: Stage, server: Server, cuts: Sequence[Cut]) -> None:
    written = (await server.look([one.target.task_id for one in cuts])).digests
    for one in cuts:
        # One that had not ended is told of elsewhere.
        changed = set(written.get(one.target.task_id, "").split()) - set(one.digest.split())
        if one.digest and changed and one.record["is_final"]:
            stage.later_writes += 1
            stage.problems.append(f"{one.target.task_id}: 结束后写入 / written after its end: {sorted(changed)}")


def _judged(one: Cut, now: dict[str, Any], ends: Sequence[str]) -> Iterable[str]:
    record, status = one.record, one.record["status"]
    if status not in ends:
        yield f"状态 / status {status}, 应为 / expected {' | '.join(ends)}"
        return
    if (now["status"], now["version"]) != (status, record["version"]):
        change = f"{status} v{record['version']} -> {now['status']} v{now['version']}"
        yield f"结束后又变化 / changed after its end: {change}"
    if now["books"]["balanced"] is not True:
        yield f"账目不平 / books do not balance: {now['books']}"
    if status == "cancelled":
        yield from _judged_cancel(one, now)


def _judged_cancel(one: Cut, now: dict[str, Any]) -> Iterable[str]:
    cancel, recorded_ms = now["cancel"], now["cancel_latency_ms"]
    if cancel is None or cancel["ended_at"] is None or recorded_ms is None:
        yield f"没有取消记录 / no record of the cancel: {cancel}, {recorded_ms}"
    elif recorded_ms > one.outside_ms + _ROUNDING_MS:
        yield f"记录的用时 / recorded latency {recorded_ms:.1f} ms > {one.outside_ms:.1f} ms"
    upstream = now["upstream"]
    if upstream is not None and upstream["job_id"]:
        # A job that the provider had ended needed no cancel.
        told = None if upstream["status"] == "succeeded" else "unsupported"
        if (upstream["cancel"], upstream["may_bill"]) != (told, True):
            yield f"上游状态不实 / untrue about the provider: {upstream}"
    if upstream is not None and upstream["submits"] > 1:
        yield f"重复提交 / submitted twice: {upstream}"


async def _count_leaks(stage: Stage, server: Server, cuts: Sequence[Cut]) -> None:
    """Count what is left; a socket's or a child's last breath is waited for, bounded."""
    give_up_at = time.monotonic() + _LEAK_WAIT_S
    while True:
        found = await _leaks(server, cuts)
        if not any(found.values()) or time.monotonic() > give_up_at:
            break
        await asyncio.sleep(4 * _LOOK_EVERY_S)
    for name, count in found.items():
        setattr(stage, name, getattr(stage, name) + count)


async def _leaks(server: Server, cuts: Sequence[Cut]) -> dict[str, int]:
    live = (await server.system())["live"]
    look = await server.look([one.target.task_id for one in cuts])
    strangers = [name for name in server.children().values() if name not in STORE_CHILDREN]
    # Beside a load some requests, sockets and threads are always at work: then the stand-ins' counts are the proof.
    is_alone = not server.background
    return {
        "leaked_tasks": len(set(live["tasks"]) - server.background) + len(look.tasks) + is_alone * live["requests"],
        "leaked_children": max(len(strangers), live["children"]),
        "leaked_files": max(len(server.part_files()), live["part_files"]),
        "leaked_threads": is_alone * len(look.threads),
        "leaked_sockets": is_alone * max(0, server.outgoing() - live["sockets"]),
    }
