"""The server with its mirror of the cancel flags broken on purpose: the verification must notice.

`python -m bench.harness.without_flag_check` runs backend/main.py so. A cancel on another server then reaches the task
only with the next heartbeat.
"""

import sys

from backend import main
from backend.runner.cancellation import CancelFlags


def _hear_nothing(self: CancelFlags, task_ids: set[str]) -> None:
    del self, task_ids


def _never_set(self: CancelFlags, task_id: str) -> bool:
    del self, task_id
    return False


if __name__ == "__main__":
    CancelFlags._mark = _hear_nothing  # type: ignore[method-assign]
    CancelFlags.is_set = _never_set  # type: ignore[method-assign]
    sys.exit(main.run())
