"""What was looked at, and whether it was so."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from bench.crash_lab.scenarios import Kind, task_body
from bench.crash_lab.stand_in import Owners, StandIn, settings_of
from bench.harness.server import Server, ServerPlan

_LOOK_EVERY_S = 0.1
_SOME_REQUESTS = 5
_ASK_S = 5.0
# Long, for a busy machine: how soon is not what is asked here.
_ENDS_WITHIN_S = 180.0
PARTS = ("*.part", "artifacts/parts/*/*")


class SkippedError(Exception):
    """This machine cannot do it; says why."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that must be so. `said` is what was seen; `is_so` None: it could not be looked at here."""

    part: str
    what: str
    is_so: bool | None
    said: str = ""


@dataclass(slots=True)
class Facts:
    """The facts of one part, as they come."""

    part: str
    found: list[Fact] = field(default_factory=list)

    def note(self, what: str, is_so: object, said: object = "") -> None:
        """Note whether it was so."""
        self.found.append(Fact(self.part, what, bool(is_so), str(said)))

    def skip(self, why: str) -> None:
        """Note that this part could not be looked at."""
        self.found.append(Fact(self.part, "skipped", None, why))


@dataclass(frozen=True, slots=True)
class Health:
    """What /health says: its HTTP status, its word, and the state of each part."""

    code: int
    status: str
    parts: Mapping[str, str]

    @property
    def ill(self) -> dict[str, str]:
        """The parts that are down or degraded."""
        return {name: state for name, state in self.parts.items() if state in {"down", "degraded"}}


@dataclass(slots=True)
class House:
    """One server and its stand-ins, in a folder of its own."""

    folder: Path
    stand_in: StandIn
    server: Server

    @classmethod
    async def open(cls, folder: Path, *, data: Path | None = None, logs: Path | None = None, **more: str) -> "House":
        """Start the stand-in and the server; `data` and `logs` may lie on a disk of their own."""
        stand_in = StandIn(Owners())
        await stand_in.start()
        settings = {**settings_of(stand_in), "LEASE_S": "5", "LOG_FILE": str((logs or folder) / "file.log"), **more}
        plan = ServerPlan(name="server", folder=data or folder / "data", logs=logs or folder, settings=settings)
        server = Server(plan)
        try:
            await server.start()
        except BaseException:
            await stand_in.stop()
            raise
        return cls(folder, stand_in, server)

    async def close(self) -> None:
        """Stop both."""
        try:
            await self.server.stop()
        finally:
            await self.stand_in.stop()

    def body(self, kind: Kind) -> dict[str, Any]:
        """Return the body that creates a task."""
        return task_body(kind, self.stand_in.site_url)

    async def create(self, kind: Kind) -> str:
        """Create a task and return its id."""
        made = await self.server.call("POST", "/tasks", self.body(kind))
        return str(made["task_id"])

    async def has_begun(self) -> bool:
        """Whether the stand-in has seen some requests."""
        return len(self.stand_in.seen) > _SOME_REQUESTS

    async def health(self) -> Health:
        """Return what /health says; status 0 when it says nothing."""
        try:
            answer = await self.server.request("GET", "/health", None, {}, timeout_s=_ASK_S)
        except httpx.HTTPError as error:
            return Health(0, type(error).__name__, {})
        said = answer.json()
        return Health(
            answer.status_code, said["status"], {name: one["state"] for name, one in said["components"].items()}
        )

    async def is_healthy(self) -> bool:
        """Whether /health answers 200."""
        return (await self.health()).code == HTTPStatus.OK

    async def ended(self, task_id: str) -> dict[str, Any]:
        """Return the record of a task at its end, or as it is after three minutes."""

        async def is_final() -> dict[str, Any] | None:
            with contextlib.suppress(httpx.HTTPError):
                record = await self.server.record(task_id)
                return record if record["is_final"] else None
            return None

        return await self.until(is_final, within_s=_ENDS_WITHIN_S) or await self.server.record(task_id)

    async def until(self, is_so: Callable[[], Awaitable[Any]], *, within_s: float) -> Any:
        """Return the first true value; None when there is none in time."""
        give_up_at = time.monotonic() + within_s
        while time.monotonic() < give_up_at:
            if found := await is_so():
                return found
            await asyncio.sleep(_LOOK_EVERY_S)
        return None


@contextlib.asynccontextmanager
async def house(folder: Path, **more: Any) -> AsyncIterator[House]:
    """Give an open house."""
    made = await House.open(folder, **more)
    try:
        yield made
    finally:
        await made.close()
