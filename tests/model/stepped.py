"""A database whose operations wait for their turn, and a search through every order of those turns.

Each actor is a coroutine of its own; its operations queue at the gate under its name. A run replays a list of
choices and goes on with the first actor that can; what else could have been chosen is tried in later runs. A state
met before (the same document, the same answers seen by every actor) is not looked at twice.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from backend.core.database import Database

acting: ContextVar[str | None] = ContextVar("acting", default=None)

_OPERATIONS = frozenset({"find_one", "find_one_and_update", "update_one", "update_many", "insert_one", "bulk_write"})
_TICKS = 8


class Gate:
    """Holds each operation of an actor until it is let through; remembers what every actor has seen."""

    def __init__(self) -> None:
        self.is_open = False
        self.dead: set[str] = set()
        self.seen: dict[str, list[str]] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._moved = asyncio.Event()

    async def passed(self, actor: str, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        if actor in self.dead:
            await asyncio.Event().wait()
        if not self.is_open:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(actor, deque()).append(turn)
            self._moved.set()
            try:
                await turn
            finally:
                if turn in self._waiting.get(actor, ()):
                    # Cancelled at the gate: it never begins.
                    self._waiting[actor].remove(turn)
        answer = await work()
        self.seen.setdefault(actor, []).append(f"{name}: {_plain(answer)}")
        return answer

    def waiting(self) -> list[str]:
        return sorted(actor for actor, turns in self._waiting.items() if turns)

    def let(self, actor: str) -> None:
        self._waiting[actor].popleft().set_result(None)

    def kill(self, actor: str) -> None:
        """Let nothing of this actor happen any more: its process is gone."""
        self.dead.add(actor)
        self._waiting.pop(actor, None)

    def open(self) -> None:
        self.is_open = True
        for turns in self._waiting.values():
            while turns:
                turns.popleft().set_result(None)

    async def settled(self, tasks: Mapping[str, "asyncio.Task[None]"]) -> None:
        """Wait until every actor stands at the gate or has ended."""
        while any(not task.done() and not self._waiting.get(actor) for actor, task in tasks.items()):
            self._moved.clear()
            watched = asyncio.ensure_future(self._moved.wait())
            await asyncio.wait(
                {watched, *(task for task in tasks.values() if not task.done())}, return_when="FIRST_COMPLETED"
            )
            watched.cancel()
            await asyncio.wait({watched})
        for _ in range(_TICKS):
            await asyncio.sleep(0)


class SteppedDatabase:
    """The Database, its operations behind the gate."""

    def __init__(self, database: Database, gate: Gate) -> None:
        self._database = database
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def collection(self, name: str) -> Any:
        return _Collection(self._database.collection(name), self._database, self._gate)

    async def do(self, operation: Awaitable[Any]) -> Any:
        if isinstance(operation, _Operation):
            actor = acting.get()
            if actor is None:
                return await self._database.do(operation.begin())
            return await self._gate.passed(actor, operation.name, lambda: self._database.do(operation.begin()))
        return await self._database.do(operation)


class _Operation:
    """An operation that begins only when it is told to (the driver's own begin at the call)."""

    def __init__(self, name: str, begin: Callable[[], Awaitable[Any]]) -> None:
        self.name = name
        self.begin = begin

    def __await__(self) -> Any:
        return self.begin().__await__()


class _Collection:
    def __init__(self, collection: Any, database: Database, gate: Gate) -> None:
        self._collection = collection

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._collection, name)
        if name == "find":
            return lambda *args, **options: _Cursor(method(*args, **options))
        if name in _OPERATIONS:
            return lambda *args, **options: _Operation(name, lambda: method(*args, **options))
        return method


class _Cursor:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._cursor, name)
        if name == "to_list":
            return lambda *args: _Operation("find", lambda: method(*args))
        return lambda *args, **options: _Cursor(method(*args, **options))


def _plain(answer: Any) -> str:
    if hasattr(answer, "matched_count"):
        return str(answer.matched_count)
    return repr(answer)
