"""One server of the chaos: `python -m bench.chaos.server TAG [--without leases|fences]`, settings from the environment.

TAG stands in the User-Agent, so that the stand-in site can tell one start of a server from another: that is all that
is changed of the product. With --without a guard is broken on purpose, and the harness must notice:

    leases  nobody beats, and nobody notices that a lease has run out
    fences  a write asks for the task's id only, not for the claim it was made under
"""

import argparse
import sys

import backend.store.tasks
from backend import main
from backend.composition import tools
from backend.domain.task import Lease
from backend.runner.lease import LeaseKeeper
from backend.runner.run import Run
from backend.store import frontier, task_updates


def _without_leases() -> None:
    async def beat_nothing(self: LeaseKeeper, runs: list[Run]) -> None:
        del self
        for run in runs:
            run.good_beat_at = run.clock.elapsed()

    LeaseKeeper._beat = beat_nothing  # type: ignore[method-assign,assignment]
    Run.is_stale = property(lambda self: False)  # type: ignore[method-assign,assignment]


def _without_fences() -> None:
    def anybody(lease: Lease) -> dict[str, object]:
        return {"_id": lease.task_id, "status": {"$in": task_updates.OWNED}}

    def any_row(lease: Lease, fingerprint: str) -> dict[str, object]:
        return {"_id": f"{lease.task_id}:{fingerprint}", "state": "in_flight"}

    task_updates.mine = anybody
    backend.store.tasks.mine = anybody  # type: ignore[attr-defined]
    frontier._mine = any_row


BREAK = {"leases": _without_leases, "fences": _without_fences}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tag")
    parser.add_argument("--without", choices=sorted(BREAK))
    given = parser.parse_args()
    tools.USER_AGENT = f"{tools.USER_AGENT} (start {given.tag})"
    if given.without:
        BREAK[given.without]()
    sys.exit(main.run())
