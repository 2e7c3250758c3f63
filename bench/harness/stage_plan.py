"""What a stage is, and what every stage does: open doors, create tasks, wait until they are where they are wanted."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from bench.harness.cuts import Stage, Target, until
from bench.harness.lab import Lab
from bench.harness.server import Server
from bench.harness.site import Door, Manner

Run = Callable[[Lab, Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage: `run` measures and notes what it finds. `extra_ms` is what it may take above the common limit."""

    name: str
    title: str
    run: Run
    extra_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Section:
    """Stages under one heading."""

    title: str
    stages: tuple[StagePlan, ...]


@dataclass(frozen=True, slots=True)
class Visited:
    """A crawl task and the door it knocks at."""

    target: Target
    door: Door


async def crawl(lab: Lab, server: Server, manner: Manner, **more: object) -> Visited:
    """Create a task that crawls one door of its own: its one page, or (`links`) all that it leads to."""
    door = await lab.site.door(manner)
    params: dict[str, object] = {"obey_robots": False}
    if manner == "links":
        params |= {"start_urls": [door.url], "max_pages": 100_000, "max_depth": 1_000}
        task_id = await server.create("web", params, type="site", **more)
    else:
        task_id = await server.create("web", params | {"urls": [door.url]}, type="page", **more)
    return Visited(Target(task_id, lambda: door.arrivals), door)


async def crawls(lab: Lab, server: Server, manner: Manner, count: int, **more: object) -> list[Visited]:
    """Create that many crawls at once."""
    return await asyncio.gather(*(crawl(lab, server, manner, **more) for _ in range(count)))


async def until_visited(visits: Iterable[Visited], manner: Manner) -> None:
    """Wait until each has come as far as its door lets it."""
    for visited in visits:
        door = visited.door
        come = (
            (lambda door=door: door.connections > 0) if manner == "connecting" else lambda door=door: door.requests > 0
        )
        await until(come, f"a request of {visited.target.task_id} ({manner})")


async def video(lab: Lab, server: Server, **more: object) -> Target:
    """Create a task that generates a video at the stand-in."""
    task_id = await server.create("cogvideox", {"prompt": "清晨的海边，一只小狗沿着沙滩奔跑"}, **more)
    return Target(task_id, lambda: lab.vendor.requests(task_id))


async def videos(lab: Lab, server: Server, count: int) -> list[Target]:
    """Create that many at once."""
    return await asyncio.gather(*(video(lab, server) for _ in range(count)))


FILM: Mapping[str, object] = {
    "scenes": [{"text": f"第 {number} 幕，很长的一幕"} for number in range(100)],
    "seconds_per_scene": 30,
    "size": "640x360",
}


async def film(server: Server, **changes: object) -> Target:
    """Create a task that renders a film of fifty minutes on the server's machine, unless told otherwise."""
    return Target(await server.create("storyboard", {**FILM, **changes}))
