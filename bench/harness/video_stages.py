"""Cancels of generations: at a provider at each step of a job, and of films rendered here."""

import asyncio
import time
from functools import partial

from bench.harness.cuts import (
    LIMIT_MS,
    Cut,
    NotReachedError,
    Stage,
    Target,
    audit,
    cut,
    one_by_one,
    until,
    until_record,
)
from bench.harness.lab import Lab
from bench.harness.server import Server
from bench.harness.stage_plan import Section, StagePlan, film, video, videos

_BEFORE_SUBMIT_S = 0.02
_MOST_TRIES = 30
_SUBMIT_TAKES_S = 0.3
_HANGING = 3
_RENDERED_WITHIN_S = 20.0
# Submit and the call that tells the provider have five seconds together (lifecycle.md §5).
_TOLD_EXTRA_MS = 5_000.0 - LIMIT_MS
_SETTLED_S = 0.05


async def _rendering(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    films = await asyncio.gather(*(film(server) for _ in range(lab.options.count)))
    targets = {target.task_id: target for target in films}
    while targets:
        # Two are rendered at a time: the next one starts when one was cancelled.
        stage.cuts.append(await cut(server, targets.pop(await _one_rendering(server))))
    await audit(stage, server)


async def _one_rendering(server: Server) -> str:
    give_up_at = time.monotonic() + _RENDERED_WITHIN_S
    while time.monotonic() < give_up_at:
        running = await server.call("GET", "/tasks", platform="storyboard", status="running")
        for task in running["items"]:
            if task["progress"]["stage"] == "render":
                return str(task["task_id"])
        await asyncio.sleep(_SETTLED_S)
    raise NotReachedError(f"{_RENDERED_WITHIN_S:g} s 内没有渲染 / nothing is rendered")


async def until_rendering(server: Server, target: Target) -> None:
    """Wait until the film is being rendered."""
    await until_record(server, target.task_id, lambda record: record["progress"]["stage"] == "render", "render")


async def _before_submit(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    lab.vendor.behave()
    for _ in range(_MOST_TRIES * lab.options.count):
        if len(stage.cuts) == lab.options.count:
            break
        target = await video(lab, server)
        await asyncio.sleep(lab.dice.uniform(0, _BEFORE_SUBMIT_S))
        done = await cut(server, target)
        if done.record["status"] != "cancelled":
            stage.problems.append(f"{target.task_id}: {done.record['status']}")
        elif _was_claimed(done) and not lab.vendor.submits(target.task_id):
            stage.cuts.append(done)
    else:
        raise NotReachedError(f"只遇到 {len(stage.cuts)} 次 / met only {len(stage.cuts)} times: before the submit")
    await audit(stage, server)
    stage.problems += [
        f"{one.target.task_id}: 未提交却记为可能计费 / not submitted, yet may_bill"
        for one in stage.cuts
        if (one.record["upstream"] or {}).get("may_bill")
    ]


def _was_claimed(done: Cut) -> bool:
    return any(entry["reason"] == "claimed" for entry in done.record["history"])


async def _in_submit(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    lab.vendor.behave("submit", "late", seconds=_SUBMIT_TAKES_S)
    for _ in range(lab.options.count):
        target = await video(lab, server)
        await until(partial(lab.vendor.submits, target.task_id), f"the submit of {target.task_id}")
        answered_at = time.perf_counter() + _SUBMIT_TAKES_S
        await asyncio.sleep(lab.dice.uniform(0, _SUBMIT_TAKES_S / 2))
        left_ms = (answered_at - time.perf_counter()) * 1000
        stage.cuts.append(await cut(server, target, added_ms=left_ms))
    await audit(stage, server)
    stage.problems += _submitted_wrongly(lab, stage.cuts, accepted=1)


async def _in_hanging_submit(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    lab.vendor.behave("submit", "hang")
    targets = await videos(lab, server, min(_HANGING, lab.options.count))
    for target in targets:
        await until(partial(lab.vendor.submits, target.task_id), f"the submit of {target.task_id}")
    stage.cuts += await asyncio.gather(*(cut(server, target) for target in targets))
    await audit(stage, server)
    stage.problems += _submitted_wrongly(lab, stage.cuts, accepted=0)
    stage.problems += [
        f"{one.target.task_id}: {one.record['upstream']}"
        for one in stage.cuts
        if (one.record["upstream"]["cancel"], one.record["upstream"]["may_bill"]) != ("unknown", True)
    ]


def _submitted_wrongly(lab: Lab, cuts: list[Cut], *, accepted: int) -> list[str]:
    counts = [(one.target.task_id, lab.vendor.submits(one.target.task_id)) for one in cuts]
    wrong = [f"{task_id}: 提交 / submits {count}" for task_id, count in counts if count != 1]
    taken = [(one.target.task_id, lab.vendor.accepted(one.target.task_id)) for one in cuts]
    return wrong + [f"{task_id}: 计费 / billed {count}" for task_id, count in taken if count != accepted]


async def polled_once(lab: Lab, server: Server, count: int) -> list[Target]:
    """Return that many tasks that sleep between their first poll and their second."""
    lab.vendor.behave()
    targets = await videos(lab, server, count)
    for target in targets:
        await until(partial(lab.vendor.polls, target.task_id), f"a poll of {target.task_id}")
    await asyncio.sleep(_SETTLED_S)
    return targets


async def _in_sleep(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    stage.cuts += await one_by_one(server, await polled_once(lab, server, lab.options.count))
    await audit(stage, server)
    stage.problems += _submitted_wrongly(lab, stage.cuts, accepted=1)


async def hanging_in_poll(lab: Lab, server: Server, count: int) -> list[Target]:
    """Return that many tasks whose first poll is not answered."""
    lab.vendor.behave("poll", "hang")
    targets = await videos(lab, server, count)
    for target in targets:
        await until(partial(lab.vendor.polls, target.task_id), f"a poll of {target.task_id}")
    return targets


async def _in_poll(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    stage.cuts += await one_by_one(server, await hanging_in_poll(lab, server, lab.options.count))
    await audit(stage, server)


async def _mid_download(lab: Lab, stage: Stage) -> None:
    server = await lab.main()
    lab.vendor.behave("file", "hold", is_done_at_once=True)
    targets = await videos(lab, server, lab.options.count)
    for target in targets:
        await until(partial(lab.vendor.downloads, target.task_id), f"the download of {target.task_id}")
    await asyncio.sleep(_SETTLED_S)
    if not server.part_files():
        stage.problems.append("没有下载中的文件 / no half-written file was there to be removed")
    stage.cuts += await one_by_one(server, targets)
    await audit(stage, server)


VIDEO = Section(
    "测试视频生成取消功能",
    (
        StagePlan("before_submit", "提交前", _before_submit),
        StagePlan("in_submit", "提交中", _in_submit),
        StagePlan("in_hanging_submit", "提交无应答", _in_hanging_submit, extra_ms=_TOLD_EXTRA_MS),
        StagePlan("sleep", "轮询间隔", _in_sleep),
        StagePlan("poll", "轮询中", _in_poll),
        StagePlan("mid_download", "下载中", _mid_download),
        StagePlan("rendering", "渲染中", _rendering),
    ),
)
