"""Cancels in thread mode: the work runs on a loop of its own in a pool thread, and the thread must come back."""

import asyncio
from functools import partial

from bench.harness.cuts import Stage, audit, cut, one_by_one
from bench.harness.lab import Lab
from bench.harness.site import Manner
from bench.harness.stage_plan import Section, StagePlan, crawls, film, until_visited
from bench.harness.video_stages import hanging_in_poll, polled_once, until_rendering

POOL_THREADS = 5
# The longest step a thread may take between two looks at its cancel (lifecycle.md §6).
STEP_MS = 1_000.0
_SETTLED_S = 0.1


def _rounds(count: int) -> list[int]:
    """Return `count` in portions that the pool runs at once."""
    return [min(POOL_THREADS, count - start) for start in range(0, count, POOL_THREADS)]


async def _at_door(manner: Manner, lab: Lab, stage: Stage) -> None:
    server = await lab.threaded()
    for size in _rounds(lab.options.count):
        visits = await crawls(lab, server, manner, size)
        await until_visited(visits, manner)
        await asyncio.sleep(_SETTLED_S)
        stage.cuts += await one_by_one(server, [visited.target for visited in visits])
    await audit(stage, server)


async def _queued(lab: Lab, stage: Stage) -> None:
    server = await lab.threaded()
    busy = await crawls(lab, server, "headers", POOL_THREADS)
    await until_visited(busy, "headers")
    waiting = await crawls(lab, server, "headers", lab.options.count)
    stage.cuts += await one_by_one(server, [visited.target for visited in waiting])
    stage.problems += [
        f"{visited.target.task_id}: 没有空线程却在运行 / ran without a thread"
        for visited in waiting
        if visited.door.arrivals
    ]
    stage.cuts += await one_by_one(server, [visited.target for visited in busy])
    await audit(stage, server)


async def _in_sleep(lab: Lab, stage: Stage) -> None:
    server = await lab.threaded()
    for size in _rounds(min(lab.options.count, 2 * POOL_THREADS)):
        stage.cuts += await one_by_one(server, await polled_once(lab, server, size))
        await audit(stage, server)


async def _in_poll(lab: Lab, stage: Stage) -> None:
    server = await lab.threaded()
    for size in _rounds(min(lab.options.count, 2 * POOL_THREADS)):
        stage.cuts += await one_by_one(server, await hanging_in_poll(lab, server, size))
        await audit(stage, server)


async def _rendering(lab: Lab, stage: Stage) -> None:
    server = await lab.threaded()
    for _ in range(min(lab.options.count, POOL_THREADS)):
        target = await film(server)
        await until_rendering(server, target)
        stage.cuts.append(await cut(server, target))
    await audit(stage, server)


THREAD = Section(
    "测试工作线程取消功能",
    (
        StagePlan("thread_mid_body", "线程: 接收正文", partial(_at_door, "body"), extra_ms=STEP_MS),
        StagePlan("thread_queued", "线程: 等待空线程", _queued, extra_ms=STEP_MS),
        StagePlan("thread_sleep", "线程: 轮询间隔", _in_sleep, extra_ms=STEP_MS),
        StagePlan("thread_poll", "线程: 轮询中", _in_poll, extra_ms=STEP_MS),
        StagePlan("thread_rendering", "线程: 渲染中", _rendering, extra_ms=STEP_MS),
    ),
)
