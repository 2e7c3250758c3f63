"""Cancels that reach another server than the one that works, and cancels around a shutdown."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx

from bench.harness.cuts import LATE_S, TRANSIT_S, Cut, NotReachedError, Stage, Target, audit, counted, cut, until_record
from bench.harness.lab import Lab
from bench.harness.server import GRACE_S, Server, alive
from bench.harness.stage_plan import Section, StagePlan, crawls, film, until_visited
from bench.harness.video_stages import polled_once, until_rendering

# A create wakes the server that took it, and nobody else: that one runs it.
_LISTENING_S = 0.05
_RENDERS = 2
_RACE_S = 0.04
_SIGNAL_AT_S = 0.02
_RESTART_WITHIN_S = 30.0


async def _by_flag(lab: Lab, stage: Stage) -> None:
    runs, other = await lab.pair()
    count = lab.options.count
    sleeping = await polled_once(lab, runs, count // 2)
    visits = await crawls(lab, runs, "headers", count - len(sleeping))
    await until_visited(visits, "headers")
    targets = [*sleeping, *(visited.target for visited in visits)]
    running = (await runs.system())["live"]["tasks"]
    stage.problems += [
        f"{target.task_id}: 不在第一台服务器上运行 / does not run on the first server"
        for target in targets
        if target.task_id not in running
    ]
    for target in targets:
        stage.cuts.append(await _cut_from(other, runs, target))
    await audit(stage, runs)
    await audit(Stage(stage.name, stage.title), other)


async def _cut_from(other: Server, runs: Server, target: Target) -> Cut:
    """Cancel on a server that does not run the task; the one that does tells the end without looking for it."""
    end = asyncio.create_task(runs.ended(target.task_id), name=f"end:{target.task_id}")
    await asyncio.sleep(_LISTENING_S)
    begun = time.perf_counter()
    await other.call("DELETE", f"/tasks/{target.task_id}")
    record = await end
    return await counted(runs, target, (time.perf_counter() - begun) * 1000, record)


@dataclass(frozen=True, slots=True)
class _Live:
    """What runs when the signal comes: `kept` is left alone, `raced` is cancelled at the same moment."""

    kept: list[Target]
    raced: list[Target]

    @property
    def all(self) -> list[Target]:
        return [*self.kept, *self.raced]


async def _shutdown(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    live = await _mixed(lab, server)
    children = server.children()
    racing = [asyncio.create_task(_raced(lab, server, target), name="raced") for target in live.raced]
    await asyncio.sleep(_SIGNAL_AT_S)
    took_s = await server.terminate()
    answered = await asyncio.gather(*racing)
    if took_s > GRACE_S:
        stage.problems.append(f"关闭用时 / the stop took {took_s:.1f} s > {GRACE_S:g} s")
    await _count_what_outlived(stage, server, live, children)
    await server.start()
    await _until_taken_up(server)
    told = dict(zip((target.task_id for target in live.raced), answered, strict=True))
    await _cut_the_rest(lab, stage, server, live, told)


async def _mixed(lab: Lab, server: Server) -> _Live:
    count = lab.options.count
    sleeping = await polled_once(lab, server, count)
    visits = await crawls(lab, server, "headers", count)
    await until_visited(visits, "headers")
    films = [await film(server) for _ in range(_RENDERS)]
    for target in films:
        await until_rendering(server, target)
    crawling = [visited.target for visited in visits]
    half = count // 2
    return _Live([*films, *sleeping[half:], *crawling[half:]], [*sleeping[:half], *crawling[:half]])


async def _raced(lab: Lab, server: Server, target: Target) -> dict[str, Any] | None:
    """Cancel at a moment around the signal; return the answer, None when there was none."""
    await asyncio.sleep(lab.dice.uniform(0, _RACE_S))
    try:
        return await server.cancel(target.task_id)
    except (httpx.HTTPError, RuntimeError):
        return None


async def _count_what_outlived(stage: Stage, server: Server, live: _Live, children: dict[int, str]) -> None:
    await asyncio.sleep(TRANSIT_S)
    seen = [target.requests() for target in live.all]
    await asyncio.sleep(LATE_S)
    stage.requests_after += sum(target.requests() for target in live.all) - sum(seen)
    stage.leaked_children += len(alive(children))
    stage.leaked_files += len(server.part_files())


async def _until_taken_up(server: Server) -> None:
    """Wait until the server has claimed again what it had given back, and renders again."""
    give_up_at = time.monotonic() + _RESTART_WITHIN_S
    while time.monotonic() < give_up_at:
        left = await server.call("GET", "/tasks", status="active", limit=200)
        films = [task for task in left["items"] if task["platform"] == "storyboard"]
        is_rendering = all(task["progress"]["stage"] == "render" for task in films)
        if is_rendering and all(task["status"] == "running" for task in left["items"]):
            return
        await asyncio.sleep(_LISTENING_S)
    raise NotReachedError("重启后未继续运行 / not taken up again after the restart")


async def _cut_the_rest(
    lab: Lab, stage: Stage, server: Server, live: _Live, told: dict[str, dict[str, Any] | None]
) -> None:
    for target in live.all:
        answer, record = told.get(target.task_id), await server.record(target.task_id)
        if answer is None and record["cancel"] is None:
            stage.problems += _lost(record, target)
            stage.cuts.append(await cut(server, target))
            continue
        # A cancel that was taken is not asked for again, answered or not: the task comes to its end.
        record = await until_record(server, target.task_id, lambda record: record["is_final"], "the end it was told")
        if record["status"] != "cancelled":
            stage.problems.append(f"{target.task_id}: 取消未生效 / the cancel was lost: {record['status']}")
    await audit(stage, server)
    answers = sum(answer is not None for answer in told.values())
    stage.note = f"与关闭同时取消 {len(told)} 个，得到应答 {answers} 个"
    for target in live.all:
        if (billed := lab.vendor.accepted(target.task_id)) > 1:
            stage.problems.append(f"{target.task_id}: 重复计费 / billed {billed}")


def _lost(record: dict[str, Any], target: Target) -> list[str]:
    """Return what is wrong with a task that was to be given back: it must be `pending` by the drain."""
    ways = [(entry["to"], entry["reason"]) for entry in record["history"]]
    if ("pending", "drain") in ways or record["status"] == "cancelled":
        return []
    return [f"{target.task_id}: 关闭时未交还 / not given back: {ways}"]


FLAG = Section("测试取消标记", (StagePlan("flag", "由另一台服务器取消", _by_flag),))
SHUTDOWN = Section("测试关闭与重启时的取消", (StagePlan("shutdown", "关闭前后", _shutdown),))
