"""The contracts of generation: one file in generate/providers/, exporting `create(environ) -> Provider`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from backend.core.children import Children
from backend.core.clock import Clock
from backend.core.http import HttpGate
from backend.domain.execution import Execution, TaskContext
from backend.domain.platform import Availability, PlatformInfo
from backend.domain.task import Task
from backend.store.artifacts import ArtifactStore
from backend.store.items import ItemStore


@dataclass(frozen=True, slots=True)
class GenerateTools:
    """The stores, clients and folders a generation may use; in an execution always through `context.reach`."""

    gate: HttpGate
    artifacts: ArtifactStore
    items: ItemStore
    children: Children
    clock: Clock


class Provider(Protocol):
    """One engine or vendor. Parameters are validated by its type's model before `begin`."""

    @property
    def info(self) -> PlatformInfo:
        """What the product says about the provider."""

    def availability(self) -> Availability:
        """Whether it can run now, and what to do when not."""

    def title_of(self, params: Mapping[str, Any]) -> str:
        """Return the title of a task that was given none, from its validated parameters."""

    def begin(self, context: TaskContext, tools: GenerateTools) -> Execution:
        """Return the execution of one attempt."""

    async def abandon(self, task: Task, context: TaskContext, tools: GenerateTools) -> None:
        """Ask for the cancel of an open job that nobody runs, and record the answer (context.record_upstream)."""
