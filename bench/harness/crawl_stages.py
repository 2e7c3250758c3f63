"""Cancels of tasks that do not run yet, and of crawls at each of their await points."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median

from bench.harness.cuts import Cut, NotReachedError, Stage, Target, audit, cut, one_by_one, until_record
from bench.harness.lab import Lab
from bench.harness.server import Server
from bench.harness.site import Manner
from bench.harness.stage_plan import Section, StagePlan, Visited, crawl, crawls, until_visited

_CLAIM_TAKES_S = 0.006
_SETTLED_S = 0.1
_SPREAD_S = 0.3
_HEAVY_AT_ONCE = 1
_TRIAL_RUNS = 5


async def _pending(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    visits = await crawls(lab, server, "page", lab.options.count, run_at=later)
    await _cut_all(stage, server, visits)


async def _held(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    visits = await crawls(lab, server, "page", lab.options.count, start="manual")
    await _cut_all(stage, server, visits)


async def _waiting(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    platform, params = await _unavailable(server)
    created = [server.create(platform, params) for _ in range(lab.options.count)]
    targets = [Target(task_id) for task_id in await asyncio.gather(*created)]
    for target in targets:
        await until_record(server, target.task_id, lambda record: record["status"] == "waiting", "waiting")
    stage.cuts += await one_by_one(server, targets)
    await audit(stage, server)


async def _unavailable(server: Server) -> tuple[str, dict[str, object]]:
    """Return a platform that cannot run here, and parameters for it: its tasks wait for a person."""
    for one in (await server.call("GET", "/platforms"))["items"]:
        if not one["availability"]["available"]:
            return one["id"], one["types"][0]["examples"][0]["params"]
    raise NotReachedError("所有平台都可用 / every platform can run here")


async def _claiming(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    for _ in range(lab.options.count):
        visited = await crawl(lab, server, "headers")
        await asyncio.sleep(lab.dice.uniform(0, _CLAIM_TAKES_S))
        stage.cuts.append(await cut(server, visited.target))
    await audit(stage, server)


async def _at_door(manner: Manner, lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    visits = await crawls(lab, server, manner, lab.options.count)
    await until_visited(visits, manner)
    # The answer's first bytes are on their way to the task.
    await asyncio.sleep(_SETTLED_S)
    await _cut_all(stage, server, visits)


async def _storing(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    for start in range(0, lab.options.count, _HEAVY_AT_ONCE):
        visits = await crawls(lab, server, "links", min(_HEAVY_AT_ONCE, lab.options.count - start))
        await until_visited(visits, "links")
        for visited in visits:
            await asyncio.sleep(lab.dice.uniform(0, _SPREAD_S))
            stage.cuts.append(await cut(server, visited.target))
    await audit(stage, server)
    if not any(one.record["books"]["stored"] for one in stage.cuts):
        stage.problems.append("没有保存任何页面 / no page was stored by any of these crawls")


async def _finishing(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    usual_s = median([await _time_of_one(lab, server) for _ in range(_TRIAL_RUNS)])
    for _ in range(lab.options.count):
        visited = await crawl(lab, server, "page")
        await asyncio.sleep(lab.dice.uniform(0.2, 1.1) * usual_s)
        stage.cuts.append(await cut(server, visited.target))
    await audit(stage, server, ends=("cancelled", "succeeded"))
    for one in stage.cuts:
        stage.problems += _told_untruly(one)
    cancelled = sum(one.record["status"] == "cancelled" for one in stage.cuts)
    stage.note = f"取消 {cancelled}，先完成 {len(stage.cuts) - cancelled}"


async def _time_of_one(lab: Lab, server: Server) -> float:
    begun = time.perf_counter()
    visited = await crawl(lab, server, "page")
    await server.ended(visited.target.task_id)
    return time.perf_counter() - begun


def _told_untruly(one: Cut) -> list[str]:
    """Return what is wrong with the record of a task whose cancel and own end met."""
    status, books = one.record["status"], one.record["books"]
    if status == "succeeded" and books["ok"] != 1:
        return [f"{one.target.task_id}: succeeded, {books}"]
    return []


async def _cut_all(stage: Stage, server: Server, visits: list[Visited]) -> None:
    stage.cuts += await one_by_one(server, [visited.target for visited in visits])
    await audit(stage, server)


QUEUED = Section(
    "测试未运行任务取消功能",
    (
        StagePlan("pending", "等待执行", _pending),
        StagePlan("held", "已创建未启动", _held),
        StagePlan("waiting", "等待人工", _waiting),
        StagePlan("claiming", "认领中", _claiming),
    ),
)
CRAWL = Section(
    "测试采集任务取消功能",
    (
        StagePlan("connecting", "连接中", partial(_at_door, "connecting")),
        StagePlan("headers", "等待响应头", partial(_at_door, "headers")),
        StagePlan("mid_body", "接收正文", partial(_at_door, "body")),
        StagePlan("back_off", "退避等待", partial(_at_door, "busy")),
        StagePlan("storing", "保存中", _storing),
        StagePlan("finishing", "收尾中", _finishing),
    ),
)
