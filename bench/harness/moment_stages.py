"""Cancels of all kinds of tasks at random moments of their lives, several at a time."""

import asyncio
from collections.abc import Awaitable, Callable

from bench.harness.cuts import Stage, Target, audit, cut
from bench.harness.lab import Lab
from bench.harness.server import Server
from bench.harness.stage_plan import Section, StagePlan, crawl, film, video

_AT_ONCE = 4
_AUDIT_EVERY = 100
_POLLS = 4

Create = Callable[[Lab, Server], Awaitable[Target]]


async def _page(lab: Lab, server: Server) -> Target:
    return (await crawl(lab, server, "page")).target


async def _site(lab: Lab, server: Server) -> Target:
    return (await crawl(lab, server, "links")).target


async def _film(lab: Lab, server: Server) -> Target:
    del lab
    return await film(server, scenes=[{"text": "海"}, {"text": "城"}], seconds_per_scene=1)


# How often each is taken, what is made, and the longest that is waited before the cancel.
_KINDS: tuple[tuple[int, Create, float], ...] = (
    (40, _page, 0.15),
    (20, _site, 0.8),
    (30, video, 1.2),
    (10, _film, 2.0),
)


async def _moments(lab: Lab, stage: Stage) -> None:
    server = await lab.quick()
    lab.vendor.behave(polls=_POLLS)
    while len(stage.cuts) < lab.options.moments:
        await asyncio.gather(*(_lane(lab, server, stage) for _ in range(_AT_ONCE)))
        await audit(stage, server, ends=("cancelled", "succeeded"))
        await lab.site.close()
    cancelled = sum(one.record["status"] == "cancelled" for one in stage.cuts)
    stage.note = f"取消 {cancelled}，先完成 {len(stage.cuts) - cancelled}"


async def _lane(lab: Lab, server: Server, stage: Stage) -> None:
    for _ in range(_AUDIT_EVERY // _AT_ONCE):
        weights = [weight for weight, _, _ in _KINDS]
        _, create, longest_s = lab.dice.choices(_KINDS, weights)[0]
        target = await create(lab, server)
        await asyncio.sleep(lab.dice.uniform(0, longest_s))
        stage.cuts.append(await cut(server, target))


MOMENTS = Section("测试随机时刻的取消", (StagePlan("moments", "随机时刻", _moments),))
