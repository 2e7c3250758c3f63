"""The slot of one run: taken before its claim, lent while a person is waited for, given back at its end."""

from collections.abc import Callable

from backend.domain.task import Task
from backend.runner.shared_slots import SharedSlot, SharedSlots
from backend.runner.slots import Slots, Turn


class SlotHold:
    """What one run has of the slots, here and among all servers.

    However a step is cut, the account is exact: what was handed over is held, and is given back once, by `give_back`.
    """

    def __init__(
        self, task: Task, slots: Slots, shared: SharedSlots | None, *, when_free: Callable[[], None] = lambda: None
    ) -> None:
        """Hold nothing yet; `when_free` is called each time a slot was given back here."""
        self._task = task
        self._slots = slots
        self._shared = shared
        self._when_free = when_free
        self._has_own = False
        self._common: SharedSlot | None = None

    @property
    def is_held(self) -> bool:
        """Whether the run has its slot."""
        return self._has_own and (self._shared is None or self._common is not None)

    def take(self) -> bool:
        """Take a slot of this server's now; False when none is free."""
        self._has_own = self._slots.take(self._task.platform)
        return self._has_own

    async def share(self) -> bool:
        """Take the slot among all servers too; False when they have taken them all: the platform is shut here then."""
        if self._shared is None:
            return True
        self._common = await self._shared.take(self._task)
        if self._common is None:
            self._slots.shut(self._task.platform)
        return self._common is not None

    def give_back(self) -> None:
        """Let go of what is held; a second time nothing happens."""
        if self._shared is not None and self._common is not None:
            self._shared.give_back(self._common)
            self._common = None
        if self._has_own:
            self._has_own = False
            self._slots.release(self._task.platform)
            self._when_free()

    async def take_again(self) -> None:
        """Wait for a slot in this run's turn, before all new tasks, and hold it.

        A cancel leaves the queue at once.
        """
        turn = self._slots.new_turn(self._task.platform)
        while True:
            if not self._has_own:
                await self._come(turn)
            if await self.share():
                return
            # Shut now: it comes again when a slot may have come free somewhere, to the same turn first.
            self.give_back()

    async def _come(self, turn: Turn) -> None:
        self._slots.queue(turn)
        try:
            await turn.came.wait()
        finally:
            self._has_own = self._slots.leave(turn)
