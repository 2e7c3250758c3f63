"""What one poller takes beside its task's own record and run: the provider's execution, its asyncio task, its requests.

`python -m bench._poller_memory ORIGIN COUNT` resumes that many jobs at the stand-in, waits until each was polled
three times, and prints the kilobytes that Python allocated for each of them.
"""

import asyncio
import gc
import sys
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from backend.core.clock import Clock
from backend.core.http import HttpGate, NetworkPolicy
from backend.domain.task import Lease, Task, TaskKind, Upstream
from backend.generate.provider import GenerateTools
from backend.generate.providers.cogvideox import create
from tests.fixtures.bare_context import BareContext, crawl_task

if TYPE_CHECKING:
    from backend.core.children import Children
    from backend.store.artifacts import ArtifactStore
    from backend.store.items import ItemStore

_POLL_S = 0.5
_POLLS = 3
_APART_S = 0.005


class _Context(BareContext):
    """Stores nothing."""

    async def record_upstream(self, upstream: Upstream, *, is_open: bool, drop_intent: bool = False) -> None:
        del is_open, drop_intent
        self.task = replace(self.task, upstream=upstream)


def _task(number: int) -> Task:
    task_id = f"t_memory{number:014d}"
    upstream = Upstream(job_id=f"{task_id}-submit-1", status="queued", submits=1)
    made = crawl_task("cogvideox", "video", {"model": "cogvideox-flash", "prompt": "x"}, task_id=task_id)
    return replace(made, kind=TaskKind.GENERATE, upstream=upstream, upstream_open=True)


async def _kilobytes(origin: str, count: int) -> float:
    gate = HttpGate(policy=NetworkPolicy(trusted_origins=frozenset({origin})), user_agent="bench")
    await gate.start()
    # A job that is polled touches neither stores nor children.
    nothing = (cast("ArtifactStore", None), cast("ItemStore", None), cast("Children", None))
    tools = GenerateTools(gate, *nothing, Clock())
    provider = create(
        {"COGVIDEOX_API_KEY": "a.b", "COGVIDEOX_BASE_URL": f"{origin}/v4", "COGVIDEOX_POLL_INTERVAL_S": str(_POLL_S)}
    )
    contexts = [_Context(_task(number), Lease(f"t_{number}", "w", 1)) for number in range(count)]
    gc.collect()
    tracemalloc.start()
    for context in contexts:
        context.body = asyncio.create_task(provider.begin(context, tools).run(), name=f"task:{context.task.task_id}")
        # All at once they would need a connection each.
        await asyncio.sleep(_APART_S)
    # Every pause grows by a fifth; a connection that waits no longer is closed after a while.
    await asyncio.sleep(_POLL_S * 2 * _POLLS)
    gc.collect()
    traced, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    bodies = {context.body for context in contexts if context.body is not None}
    for body in bodies:
        body.cancel()
    await asyncio.wait(bodies)
    await gate.stop()
    return traced / count / 1000


if __name__ == "__main__":
    print(asyncio.run(_kilobytes(sys.argv[1], int(sys.argv[2]))))
