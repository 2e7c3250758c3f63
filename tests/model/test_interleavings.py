"""Two real runners, one task: every order of their single database operations, on the real mongod."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

import pytest
import tornado.ioloop

from backend.core.cache import Cache
from backend.core.database import Database
from backend.domain.errors import TaskFailedError
from backend.domain.execution import TaskContext
from backend.domain.task import Ending, StopReason, Task, TaskStatus
from backend.domain.text import Text
from tests.fixtures.clocks import SetClock
from tests.fixtures.scripted import DONE, Bench
from tests.model.stepped import Gate, SteppedDatabase, acting
from tests.model.table import FINAL

# Thousands of interleavings each: on a loaded machine two minutes are not enough.
pytestmark = pytest.mark.timeout(300)

LEASE_S = 3_000.0
TIME = "time"
CRASH = "crash of a"
EITHER = {"succeeded", "cancelled"}
Script = Callable[[TaskContext], Awaitable[Ending]]

# From each state, the states that lifecycle.md §2 draws an arrow to.
ARROWS = {
    "held": {"pending", "cancelled"},
    "pending": {"running", "cancelled", "cancelling"},
    "waiting": {"pending", "cancelled", "cancelling"},
    "running": {"pending", "waiting", "cancelling", *FINAL} - {"cancelled"},
    "cancelling": set(FINAL),
}


async def checkpoint_and_succeed(context: TaskContext) -> Ending:
    await context.checkpoint({}, "half")
    return DONE


async def fail_once(context: TaskContext) -> Ending:
    if context.task.attempt < 2:
        raise TaskFailedError("HTTP_STATUS", Text("失败", "Failed"), can_retry=True, where="fetch")
    return DONE


@dataclass
class Scene:
    """One run of the story: two processes over one store, and a user."""

    gate: Gate
    clock: SetClock
    first: Bench
    second: Bench
    task: Task
    jumps: int
    crashes: int

    async def run_first(self) -> None:
        await self.first.run(self.task)

    async def run_second(self) -> None:
        """Take the task over as a sweeper does: what has run out first, then what is due."""
        for seen in await self.second.tasks.expired():
            await self.second.tasks.reap(seen)
        for due in await self.second.tasks.due(["web"], limit=1, oldest_first=True):
            await self.second.run(due)

    async def cancel_unheard(self) -> None:
        await self.second.tasks.cancel(self.task.task_id, by="li", requested_at=self.clock.now())

    async def cancel_heard(self) -> None:
        await self.cancel_unheard()
        for actor in self.gate.seen:
            self.gate.seen[actor].append("stop")
        for bench in (self.first, self.second):
            bench.runner.stop_run(self.task.task_id, StopReason.USER)

    async def drain_first(self) -> None:
        # A look at the task, so that the signal too has its turn among the others.
        await self.first.read(self.task.task_id)
        self.first.runner.stop_run(self.task.task_id, StopReason.SHUTDOWN)
        for actor in self.gate.seen:
            self.gate.seen[actor].append("drain")


class Explorer:
    """Runs a story in every order; `trace` is the one being run, for the message of a failure."""

    def __init__(self, database: Database, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
        self._database = database
        self._cache = cache
        self._numbers = count()
        self.trace: list[str] = []
        self.runs = 0
        self.ends: set[str] = set()
        self._claims: Counter[str | None] = Counter()
        monkeypatch.setattr(secrets, "token_hex", self._claim_id)

    def _claim_id(self, _size: int) -> str:
        # Told apart by actor, and counted anew in each run: the same story makes the same documents.
        self._claims[acting.get()] += 1
        return f"{acting.get()}-{self._claims[acting.get()]}"

    async def explore(self, story: dict[str, str], *, script: Script, jumps: int, crashes: int) -> None:
        known: set[tuple[Any, ...]] = set()
        prefixes: list[list[str]] = [[]]
        while prefixes:
            prefixes += await self._run(prefixes.pop(), known, story, await self._scene(script, jumps, crashes))

    async def _run(
        self, prefix: list[str], known: set[tuple[Any, ...]], story: dict[str, str], scene: Scene
    ) -> list[list[str]]:
        self.runs += 1
        self.trace = []
        tasks = {name: self._start(name, getattr(scene, act)) for name, act in story.items()}
        others: list[list[str]] = []
        before = await self._document(scene)
        while True:
            await scene.gate.settled(tasks)
            choices = scene.gate.waiting() + ([TIME] if scene.jumps else []) + ([CRASH] if scene.crashes else [])
            if not scene.gate.waiting():
                break
            if len(self.trace) >= len(prefix):
                key = self._key(scene, await self._document(scene), tasks)
                if key in known:
                    break
                known.add(key)
                others += [[*self.trace, other] for other in choices[1:]]
            await self._choose(scene, prefix[len(self.trace)] if len(self.trace) < len(prefix) else choices[0], tasks)
            after = await self._document(scene)
            self._check_step(before, after)
            before = after
        scene.gate.open()
        await asyncio.gather(*tasks.values())
        await self._check_end(scene)
        return others

    async def _crash(self, scene: Scene, tasks: dict[str, "asyncio.Task[None]"]) -> None:
        scene.crashes = 0
        scene.gate.kill("a")
        scene.gate.seen.setdefault("a", []).append("crash")
        # What a dead process would not do either: no operation of it passes the gate while it is taken apart.
        left = [tasks.pop("a"), *(run.body for run in scene.first.runner.live() if run.body is not None)]
        for task in left:
            task.cancel()
        await asyncio.wait(left)

    async def _scene(self, script: Script, jumps: int, crashes: int) -> Scene:
        self._claims.clear()
        gate, clock = Gate(), SetClock()
        database = cast("Database", SteppedDatabase(self._database, gate))
        benches = [Bench(database, self._cache, clock, worker_id=f"w-{n}", lease_s=LEASE_S) for n in (1, 2)]
        for bench in benches:
            bench.executor.script = script
            await bench.runner.start()
        task = await benches[0].create(f"t_{next(self._numbers)}")
        return Scene(gate, clock, benches[0], benches[1], task, jumps, crashes)

    def _start(self, name: str, act: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
        async def named() -> None:
            acting.set(name)
            await act()

        return asyncio.ensure_future(named())

    async def _choose(self, scene: Scene, choice: str, tasks: dict[str, "asyncio.Task[None]"]) -> None:
        self.trace.append(choice)
        if choice == CRASH:
            await self._crash(scene, tasks)
        elif choice == TIME:
            scene.jumps -= 1
            scene.clock.advance(LEASE_S + 1)
            for name in tasks:
                scene.gate.seen.setdefault(name, []).append("late")
        else:
            scene.gate.let(choice)
            await scene.gate.settled(tasks)

    async def _document(self, scene: Scene) -> dict[str, Any]:
        found = await self._database.do(self._database.collection("tasks").find_one({"_id": scene.task.task_id}))
        assert found is not None
        return found

    def _key(self, scene: Scene, document: dict[str, Any], tasks: dict[str, "asyncio.Task[None]"]) -> tuple[Any, ...]:
        shown = repr({name: value for name, value in document.items() if name != "_id"})
        seen = [tuple(scene.gate.seen.get(name, [])) for name in tasks]
        plain = repr((shown, seen)).replace(scene.task.task_id, "t")
        return (plain, scene.jumps, scene.crashes, *(task.done() for task in tasks.values()))

    def _check_step(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        was, now = before["status"], after["status"]
        assert now == was or now in ARROWS.get(was, set()), (was, now, self.trace)
        assert after["fence"] >= before["fence"], self.trace
        assert after["version"] >= before["version"], self.trace
        assert (after["worker_id"] is not None) == (now in {"running", "cancelling"}), self.trace
        assert after["attempt"] >= 0, self.trace

    async def _check_end(self, scene: Scene) -> None:
        # Whatever is left after this order, an undisturbed server brings it to its end.
        for _ in range(5):
            task = await scene.first.read(scene.task.task_id)
            if task.status.is_final:
                break
            scene.clock.advance(LEASE_S + 1)
            await scene.run_second()
        assert task.status.is_final, (task, self.trace)
        ends = [entry for entry in task.history if TaskStatus(entry.to_status).is_final]
        assert len(ends) == 1, (task.history, self.trace)
        for bench in (scene.first, scene.second):
            assert bench.runner.live() == [], self.trace
            assert bench.slots.used == 0, self.trace
            await bench.runner.stop()
        self.ends.add(task.status.value)


@pytest.fixture
def explorer(
    database: Database, cache: Cache, monkeypatch: pytest.MonkeyPatch, io_loop: tornado.ioloop.IOLoop
) -> Explorer:
    return Explorer(database, cache, monkeypatch)


STORIES: dict[str, tuple[dict[str, str], Script, int, int, set[str]]] = {
    "a takeover": ({"a": "run_first", "b": "run_second"}, checkpoint_and_succeed, 1, 0, {"succeeded"}),
    "an unheard cancel": ({"a": "run_first", "u": "cancel_unheard"}, checkpoint_and_succeed, 0, 0, EITHER),
    "a cancel": ({"a": "run_first", "u": "cancel_heard"}, checkpoint_and_succeed, 0, 0, EITHER),
    "a cancel and a crash": ({"a": "run_first", "u": "cancel_heard"}, checkpoint_and_succeed, 0, 1, EITHER),
    "two cancels": ({"a": "run_first", "u": "cancel_heard", "v": "cancel_heard"}, checkpoint_and_succeed, 0, 0, EITHER),
    "a drain": ({"a": "run_first", "d": "drain_first"}, checkpoint_and_succeed, 0, 0, {"succeeded"}),
    "a drain and a cancel": (
        *({"a": "run_first", "d": "drain_first", "u": "cancel_heard"}, checkpoint_and_succeed, 0, 0),
        EITHER,
    ),
    "a retry and a cancel": ({"a": "run_first", "u": "cancel_heard"}, fail_once, 0, 0, {"cancelled"}),
}


@pytest.mark.parametrize("name", STORIES)
async def test_every_order_ends_once_and_well(explorer: Explorer, name: str) -> None:
    story, script, jumps, crashes, ends = STORIES[name]

    await explorer.explore(story, script=script, jumps=jumps, crashes=crashes)

    assert explorer.ends == ends


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "crashes", "ends"), [({"u": "cancel_heard"}, 0, EITHER), ({}, 1, {"succeeded"})], ids=["cancel", "crash"]
)
async def test_every_order_of_a_takeover_ends_once_and_well(
    explorer: Explorer, more: dict[str, str], crashes: int, ends: set[str]
) -> None:
    story = {"a": "run_first", "b": "run_second", **more}

    await explorer.explore(story, script=checkpoint_and_succeed, jumps=1, crashes=crashes)

    assert explorer.ends == ends
