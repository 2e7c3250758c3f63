"""One trial: a server meets one crash point with one fault, somebody takes the task over, and all is looked at."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from bench.crash_lab.checks import parts_of, problems_of
from bench.crash_lab.scenarios import Fault, Scenario, task_body
from bench.crash_lab.stand_in import Owners, StandIn, requests_by, settings_of
from bench.harness.server import Server, ServerError, ServerPlan
from bench.harness.stores import SharedStores

LEASE_S = 5.0
# lifecycle.md §3: takeover ≤ lease + 15 s after a kill elsewhere; what follows is the work itself.
TAKEOVER_S = LEASE_S + 15.0
# Whoever wakes finds its task taken by the other, however slow this machine is; alone, it finds its lease lost.
STALLS_S: Mapping[Fault, float] = {"stall": TAKEOVER_S + 2.0, "alone": LEASE_S + 2.0}
# No promise is held to these: they only end a trial in which nothing comes any more.
_WORK_S = 600.0
_REACHED_WITHIN_S = 120.0
_SWEPT_WITHIN_S = 30.0
_LEFT_WITHIN_S = 120.0
_STARTS = 3
# After a thaw: what comes too late comes now.
_LATE_S = 1.5
_SOME_WORK = 3
_NEVER = 1_000_000
_SLOW_S = 1.0
# The one that took over has begun to work by then, where its work is not seen.
_AT_WORK_S = 2.0
_LOOK_EVERY_S = 0.02
_STALLS: Mapping[Fault, str] = {fault: f"stall={seconds:g}" for fault, seconds in STALLS_S.items()}
_ACTION: Mapping[Fault, str] = {"kill": "kill", "restart": "kill", "stop": "stop", **_STALLS}
_NO_STORES = "ended with 2:"
FINAL = frozenset({"cancelled", "succeeded", "partial", "failed", "timed_out"})

Document = dict[str, Any]


class NotReachedError(Exception):
    """A trial did not come as far as its fault, or did not end; says what was waited for."""


@dataclass(slots=True)
class Outcome:
    """What became of one trial.

    `resumed_s`: to the next claim or the end, from the fault or from when whoever takes over could: it listens, or its
    stall is over. `launched_s`: the same after a restart, from the launch of the process; how long that takes is the
    machine's affair.
    """

    point: str
    fault: Fault
    status: str = ""
    resumed_s: float | None = None
    launched_s: float | None = None
    requests_after: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        """Whether everything held."""
        return not self.problems


@dataclass
class Trial:
    """The parts of one trial, in a folder of its own. `shared` are the stores of trials with two servers."""

    scenario: Scenario
    fault: Fault
    folder: Path
    shared: SharedStores | None
    owners: Owners = field(default_factory=Owners)
    servers: dict[str, Server] = field(default_factory=dict)
    calls: list[asyncio.Task[None]] = field(default_factory=list)
    stand_in: StandIn = field(init=False)
    found: list[str] = field(default_factory=list)
    struck_at: float = 0.0
    had_ended: bool = False
    # Entries of the task's history that were there before: no two processes' clocks are compared.
    known: int = 0
    ready_at: float = 0.0
    thawed_at: float = 0.0

    def __post_init__(self) -> None:
        self.stand_in = StandIn(self.owners)

    async def run(self) -> Outcome:
        """Carry it out; what goes wrong becomes a problem of the outcome."""
        outcome = Outcome(self.scenario.point, self.fault)
        self.folder.mkdir(parents=True)
        async with AsyncExitStack() as closing:
            await self.stand_in.start()
            closing.push_async_callback(self.stand_in.stop)
            closing.push_async_callback(self._end_all)
            try:
                await self._carry_out(outcome)
            except (NotReachedError, ServerError, PyMongoError, httpx.HTTPError) as error:
                outcome.problems.append(f"{type(error).__name__}: {error}")
        return outcome

    async def _carry_out(self, outcome: Outcome) -> None:
        is_orphan = self.scenario.push == "cancel_orphan"
        if self.scenario.push in {"cancel", "cancel_orphan"}:
            # It must still be at work when the cancel comes, however slow this machine is.
            self.stand_in.polls_until_done, self.stand_in.page_takes_s = _NEVER, _SLOW_S
        if is_orphan:
            await self._make_orphan()
        starts = [self._start("first", is_armed=True)]
        if self._has_second and not is_orphan:
            starts.append(self._start("second"))
        await asyncio.gather(*starts)
        await self._profile()
        if not is_orphan:
            self._call("first", "POST", "/tasks", task_body(self.scenario.kind, self.stand_in.site_url))
        await self._push()
        await self._until_struck()
        await self._take_over(is_orphan=is_orphan)
        task = await self._until_ended()
        await self._let_late_things_come()
        outcome.status = _status_of(task)
        outcome.resumed_s = self._resumed_s(task)
        if self.fault == "restart":
            outcome.launched_s = self._resumed_s(task, since=self.struck_at)
        outcome.requests_after = len(self.requests_of_the_struck(task))
        await self._stop_all(outcome)
        outcome.problems += self._judged(outcome)

    # -- before the fault ------------------------------------------------------------------------------------------

    @property
    def _has_second(self) -> bool:
        return self.fault in {"kill", "stop", "stall"}

    async def _make_orphan(self) -> None:
        await self._start("zero")
        await self.servers["zero"].call("POST", "/tasks", task_body(self.scenario.kind, self.stand_in.site_url))
        await self._until(lambda: len(self.stand_in.seen) > _SOME_WORK, "some work before the cancel")

    async def _push(self) -> None:
        if self.scenario.push == "cancel_orphan":
            self._kill("zero")
            self._call("first", "DELETE", f"/tasks/{(await self._task())['_id']}")
        elif self.scenario.push:
            await self._until(lambda: len(self.stand_in.seen) > _SOME_WORK, "some work before the push")
            if self.scenario.push == "drain":
                os.kill(self.servers["first"].pid, signal.SIGTERM)
            else:
                self._call("first", "DELETE", f"/tasks/{(await self._task())['_id']}")

    async def _until_struck(self) -> None:
        await self._until(self._is_struck, f"{self.scenario.point}:{self.scenario.nth}")
        self.struck_at = time.time()
        if self.fault != "restart":
            task = await self._task()
            self.had_ended, self.known = task["status"] in FINAL, len(task["history"])

    def _is_struck(self) -> bool:
        first = self.servers["first"]
        if self.fault in {"kill", "restart"}:
            return not first.is_running
        if self.fault == "stop":
            return _is_stopped(first.pid)
        return f"crash point {self.scenario.point}: stall" in self.log_of("first")

    # -- after it --------------------------------------------------------------------------------------------------

    async def _take_over(self, *, is_orphan: bool) -> None:
        if is_orphan:
            await self._start("second")
            # Nobody could take it over before.
            self.ready_at = time.time()
        elif self.fault == "restart":
            self.struck_at = time.time()
            await self._start("again", folder="first")
            self.ready_at = time.time()
        if self.fault == "stop":
            await self._until_async(self._is_taken_over, "takeover", within_s=TAKEOVER_S)
            with contextlib.suppress(NotReachedError):
                await self._until_async(self._is_other_at_work, "the other at work", within_s=_AT_WORK_S)
            # Now it wakes beside the one that has its task.
            os.kill(self.servers["first"].pid, signal.SIGCONT)
            self.thawed_at = time.time()
        elif self.fault in STALLS_S:
            self.thawed_at = self.struck_at + STALLS_S[self.fault]
            if self.fault == "alone":
                self.ready_at = self.thawed_at

    @property
    def ends(self) -> str:
        """How the task must end. Where nobody else took it, a stalled server could store what it had been answered."""
        return (
            "succeeded"
            if self.fault == "alone" and self.scenario.kind == "video" and not self.scenario.push
            else self.scenario.ends
        )

    async def _is_taken_over(self) -> bool:
        task = await self._task()
        # Of an end that was stored already, another does what was left of its follow-ups.
        return not task["after"] if self.had_ended else self._resumed_s(task) is not None

    async def _is_other_at_work(self) -> bool:
        is_asking = bool(requests_by(self.stand_in.seen, "second", after=self.struck_at))
        return is_asking or (await self._task())["status"] in FINAL

    async def _until_ended(self) -> Document:
        async def has_ended() -> bool:
            task = await self._task()
            return task["status"] in FINAL and not task["after"]

        await self._until_async(has_ended, "the end", within_s=TAKEOVER_S + _WORK_S)
        return await self._task()

    async def _let_late_things_come(self) -> None:
        await asyncio.sleep(max(0.0, self.thawed_at - time.time()))
        if self.thawed_at:
            # Its loop goes round again when it answers; one that was leaving ends instead.
            with contextlib.suppress(httpx.HTTPError, RuntimeError):
                await self.servers["first"].call("GET", "/system")
            await asyncio.sleep(_LATE_S)

        async def is_swept() -> bool:
            return not parts_of(self.folder)

        # What is left all the same is told when everything has stopped.
        with contextlib.suppress(NotReachedError):
            await self._until_async(is_swept, "no half-written file", within_s=_SWEPT_WITHIN_S)

    def _resumed_s(self, task: Document, *, since: float | None = None) -> float | None:
        later = self._later(task)
        claims = [_at(entry) for entry in later if entry["reason"] == "claimed"]
        ends = [_at(entry) for entry in later if entry["to_status"] in FINAL]
        found = claims or ends
        begun_at = max(self.struck_at, self.ready_at) if since is None else since
        return max(0.0, min(found) - begun_at) if found else None

    def _later(self, task: Document) -> list[Document]:
        """Return what the history tells of the time after the fault."""
        if self.fault == "restart":
            # Its store died with it; a start takes longer than clocks differ.
            return [entry for entry in task["history"] if _at(entry) > self.struck_at]
        return list(task["history"][self.known :])

    def requests_of_the_struck(self, task: Document) -> list[str]:
        """Return what the server that was struck asked for after its run had ended or was another's.

        On a busy machine the other may lose the task again, and the one that was struck claim it anew: that is its own.
        """
        later = self._later(task)
        if not later or not self._has_second:
            return []
        own = {entry["worker_id"] for entry in task["history"][: self.known] if entry["reason"] == "claimed"}
        after = max(self.struck_at, _at(later[0]))
        asked = [one for one in self.stand_in.seen if one.owner == "first" and one.began_at > after]
        return [one.path for one in asked if not _is_run_by(own, later, one.began_at)]

    def _judged(self, outcome: Outcome) -> list[str]:
        """Return what did not hold."""
        found = list(self.found)
        if outcome.status != self.ends:
            found.append(f"ended as {outcome.status!r}, not {self.ends!r}")
        if outcome.resumed_s is None and not self.scenario.is_after_end:
            found.append("had ended before it was struck")
        if outcome.resumed_s is not None and outcome.resumed_s > TAKEOVER_S:
            found.append(f"taken over after {outcome.resumed_s:.1f} s")
        return found

    # -- servers ---------------------------------------------------------------------------------------------------

    async def _start(self, name: str, *, is_armed: bool = False, folder: str = "") -> None:
        # Two servers of one machine share the folder of files, as they must share the files themselves.
        place = self.folder / ("data" if self.shared else folder or name)
        settings = {
            **settings_of(self.stand_in),
            **{"LEASE_S": f"{LEASE_S:g}", "APP_ENV": "test", "LOG_FILE": str(self.folder / f"{name}.file.log")},
        }
        if self.shared is not None:
            settings |= self.shared.settings(self.folder.name)
        if is_armed:
            settings["CRASH_POINT"] = f"{self.scenario.point}:{self.scenario.nth}:{_ACTION[self.fault]}"
        self.servers[name] = Server(ServerPlan(name=name, folder=place, logs=self.folder, settings=settings))
        await self._start_patiently(name)
        self.owners.pids[name] = self.servers[name].pid

    async def _start_patiently(self, name: str) -> None:
        # On a busy machine the stores may not answer within a fifth of a lease: it ends, and is started anew.
        for _ in range(_STARTS - 1):
            try:
                await self.servers[name].start()
            except ServerError as error:
                if _NO_STORES not in str(error):
                    raise
            else:
                return
        await self.servers[name].start()

    def log_of(self, name: str) -> str:
        """Return everything that a server has said."""
        logs = sorted(self.folder.glob(f"{name}-[1-9].log"))
        return "".join(path.read_text("utf-8", "replace") for path in logs)

    def _kill(self, name: str) -> None:
        os.kill(self.servers[name].pid, signal.SIGKILL)

    def _call(self, name: str, method: str, path: str, body: object = None) -> None:
        # The answer may never come: the server dies or freezes meanwhile.
        async def call() -> None:
            with contextlib.suppress(httpx.HTTPError, RuntimeError):
                await self.servers[name].call(method, path, body)

        self.calls.append(asyncio.create_task(call(), name=f"{method} {path}"))

    async def _stop_all(self, outcome: Outcome) -> None:
        self.found = await problems_of(self)
        for name, server in self.servers.items():
            if server.is_running:
                try:
                    # How soon it leaves is judged elsewhere (bench outages, bench servers).
                    os.kill(server.pid, signal.SIGTERM)
                    code = await server.wait_exit(within_s=_LEFT_WITHIN_S)
                except ServerError as error:
                    outcome.problems.append(f"{name}: {error}")
                else:
                    outcome.problems += [f"{name} left with {code}"] if code else []

    async def _end_all(self) -> None:
        for server in self.servers.values():
            with contextlib.suppress(ProcessLookupError, RuntimeError):
                os.kill(server.pid, signal.SIGCONT)
                os.killpg(server.pid, signal.SIGKILL)
            with contextlib.suppress(ServerError):
                await server.stop()
        for call in self.calls:
            call.cancel()
        await asyncio.gather(*self.calls, return_exceptions=True)

    # -- the store -------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def database(self) -> Any:
        """Give the trial's own database."""
        if self.shared is not None:
            url, name = self.shared.settings(self.folder.name)["MONGODB_URL"], self.folder.name
        else:
            url, name = (self.folder / "first" / "mongo" / "uri").read_text("utf-8").strip(), "mediacrawer_pro"
        async with AsyncMongoClient[Document](url, tz_aware=True, serverSelectionTimeoutMS=5_000) as client:
            yield client[name]

    async def _profile(self) -> None:
        async with self.database() as database:
            await database.create_collection("system.profile", capped=True, size=32 << 20)
            await database.command("profile", 2)

    async def _task(self) -> Document:
        found: Document | None = None

        async def is_there() -> bool:
            nonlocal found
            async with self.database() as database:
                found = await database["tasks"].find_one({})
            return found is not None

        await self._until_async(is_there, "the task")
        assert found is not None
        return found

    # -- waiting ---------------------------------------------------------------------------------------------------

    async def _until(self, is_so: Callable[[], bool], what: str) -> None:
        async def looked() -> bool:
            return is_so()

        await self._until_async(looked, what)

    async def _until_async(self, is_so: Callable[[], Any], what: str, *, within_s: float = _REACHED_WITHIN_S) -> None:
        give_up_at = time.monotonic() + within_s
        while not await is_so():
            if time.monotonic() > give_up_at:
                raise NotReachedError(f"not within {within_s:g} s: {what}")
            await asyncio.sleep(_LOOK_EVERY_S)


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0] == "T"


def _is_run_by(workers: set[str], entries: list[Document], moment: float) -> bool:
    """Whether the last claim until then was one of theirs, and the run was not over."""
    past = [entry for entry in entries if _at(entry) <= moment]
    claims = [entry for entry in past if entry["reason"] == "claimed"]
    return bool(claims) and claims[-1]["worker_id"] in workers and past[-1]["to_status"] in {"running", "cancelling"}


def _at(entry: Document) -> float:
    at: datetime = entry["at"]
    return at.astimezone(UTC).timestamp()


def _status_of(task: Document) -> str:
    error = task.get("error")
    return str(task["status"]) if error is None else f"{task['status']} {error['name']}"
