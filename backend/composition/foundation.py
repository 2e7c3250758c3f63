"""What everything above the stores is made of."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from backend.composition.stores import Stores
from backend.composition.tools import Tools
from backend.core.clock import Clock
from backend.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Foundation:
    """The parts below the runner and the services; what is opened over them is closed by `closing`, in reverse."""

    settings: Settings
    clock: Clock
    stores: Stores
    tools: Tools
    closing: AsyncExitStack
