"""Two runners, one task, a user, sweepers and time: every order of their steps over the model of the table.

A runner may crash or freeze anywhere; a thawed one may complete the one write it was frozen in, then leaves (the
design's only allowance). Flags may be lost or come at any later step. What the world adds to the row are ghosts:
whose body works, and whether somebody asked the provider about an open job.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.model import table
from tests.model.table import Holder, Row

NAMES = ("a", "b")


@dataclass(frozen=True, slots=True)
class Runner:
    """`phase`: idle · body (works) · stopping (told to cancel) · asked (the provider was told) · frozen · thawed."""

    phase: str = "idle"
    fence: int = 0
    seen_open: bool = False

    @property
    def works(self) -> bool:
        return self.phase in {"body", "stopping", "asked"}


@dataclass(frozen=True, slots=True)
class World:
    """One state of everything."""

    row: Row
    runners: tuple[Runner, Runner] = (Runner(), Runner())
    has_asked: bool = False

    def holder(self, k: int) -> Holder:
        return Holder(NAMES[k], self.runners[k].fence)

    def with_runner(self, k: int, runner: Runner) -> "World":
        runners = (runner, self.runners[1]) if k == 0 else (self.runners[0], runner)
        return replace(self, runners=runners)


Move = tuple[str, World]
_IDLE = Runner()


def moves(world: World, *, max_fence: int) -> Iterator[Move]:
    """Yield every step that can come next."""
    row = world.row
    yield from _of_the_user(world)
    if row.status == "pending" and not row.is_due:
        yield "time: due", replace(world, row=replace(row, is_due=True))
    if row.lease == "live" and not any(
        runner.works and runner.fence == row.fence and name == row.worker
        for name, runner in zip(NAMES, world.runners, strict=True)
    ):
        yield "time: lease over", replace(world, row=replace(row, lease="over"))
    for k in (0, 1):
        yield from _of_the_sweeper(world, k, max_fence=max_fence)
        yield from _of_the_runner(world, k, max_fence=max_fence)


def explore(*, max_fence: int, lost: int = 0) -> Iterator[tuple[World, list[Move]]]:
    """Yield every reachable world with its moves, breadth first; fences stay below `max_fence`."""
    queue = deque(World(replace(birth, lost=lost)) for birth in table.births())
    known = set(queue)
    while queue:
        world = queue.popleft()
        found = list(moves(world, max_fence=max_fence))
        yield world, found
        for _, after in found:
            if after not in known:
                known.add(after)
                queue.append(after)


def _of_the_user(world: World) -> Iterator[Move]:
    for name, step in (("start", table.start), ("resume", table.resume), ("cancel", table.cancel)):
        row = step(world.row)
        if row is not None:
            yield name, replace(world, row=row)


def _of_the_sweeper(world: World, k: int, *, max_fence: int) -> Iterator[Move]:
    row, runner = world.row, world.runners[k]
    if runner.phase != "idle" or row.fence >= max_fence:
        # What is live in a process is never reaped by it.
        return
    reaped = table.reap(row, row)
    if reaped is not None:
        yield f"{NAMES[k]}: reap", replace(world, row=reaped)
    taken = table.abandon(row, NAMES[k], row.fence)
    if taken is not None:
        yield f"{NAMES[k]}: abandon", replace(world, row=taken).with_runner(k, Runner("stopping", taken.fence, True))


def _of_the_runner(world: World, k: int, *, max_fence: int) -> Iterator[Move]:
    row, runner, name = world.row, world.runners[k], NAMES[k]
    if runner.phase == "idle":
        claimed = table.claim(row, name, row.fence) if row.fence < max_fence else None
        if claimed is not None:
            yield (
                f"{name}: claim",
                replace(world, row=claimed).with_runner(k, Runner("body", claimed.fence, row.is_open)),
            )
        return
    yield f"{name}: crash", world.with_runner(k, _IDLE)
    if runner.phase == "frozen":
        yield f"{name}: thaw", world.with_runner(k, replace(runner, phase="thawed"))
        return
    if runner.phase == "thawed":
        yield f"{name}: leave", world.with_runner(k, _IDLE)
    else:
        yield f"{name}: freeze", world.with_runner(k, replace(runner, phase="frozen"))
        if runner.phase == "body" and row.status == "cancelling" and row.worker == name:
            # By the flag, the registry or the read-back of a beat: all of them may be late.
            yield f"{name}: hears of the cancel", world.with_runner(k, replace(runner, phase="stopping"))
    yield from _writes(world, k)


def _writes(world: World, k: int) -> Iterator[Move]:
    runner, name = world.runners[k], NAMES[k]
    if runner.phase in {"body", "thawed"}:
        yield from _writes_of_a_body(world, k)
    if runner.phase == "stopping":
        if runner.seen_open:
            yield (
                f"{name}: ask the provider",
                replace(world, has_asked=True).with_runner(k, replace(runner, phase="asked")),
            )
        else:
            yield from _finishes(world, k, ("cancelled",))
    if runner.phase == "asked":
        yield from _finishes(world, k, ("cancelled",))


def _writes_of_a_body(world: World, k: int) -> Iterator[Move]:
    row, runner, name, holder = world.row, world.runners[k], NAMES[k], world.holder(k)
    yield from _finishes(world, k, ("succeeded", "failed"))
    for step in ("checkpoint", "intent", "upstream_ended"):
        if (step == "intent") == runner.seen_open and step != "checkpoint":
            continue
        after = table.HELD_STEPS[step](row, holder)
        now_open = runner.seen_open if step == "checkpoint" else step == "intent"
        stays = after is not None and runner.phase == "body"
        then = replace(runner, seen_open=now_open) if stays else _IDLE
        # A new job, and nobody has asked about that one.
        has_asked = world.has_asked and (after is None or step != "intent")
        moved = replace(world, row=after or row, has_asked=has_asked)
        yield f"{name}: {step}", moved.with_runner(k, then)
    for step in ("wait", "retry", "drain"):
        after = table.HELD_STEPS[step](row, holder)
        if after is not None:
            yield f"{name}: {step}", replace(world, row=after).with_runner(k, _IDLE)
        elif table.beat(row, holder) and row.fence == holder.fence and runner.phase == "body":
            # No match, and the read says cancelling and still mine: it ends as cancelled.
            yield f"{name}: {step} finds a cancel", world.with_runner(k, replace(runner, phase="stopping"))
        else:
            yield f"{name}: {step} too late", world.with_runner(k, _IDLE)


def _finishes(world: World, k: int, ends: tuple[str, ...]) -> Iterator[Move]:
    for end in ends:
        after = table.finish(world.row, world.holder(k), end)
        yield f"{NAMES[k]}: finish as {end}", replace(world, row=after or world.row).with_runner(k, _IDLE)
