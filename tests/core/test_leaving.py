import subprocess
import sys
import time

from tests.fixtures.server import ROOT

_BLOCKED = """
import time
from backend.core.leaving import leave_within
leave_within(0.2, kill_children=lambda: print("children are killed", flush=True))
time.sleep(60)
"""


def test_process_whose_loop_hangs_leaves_in_time_with_code_0() -> None:
    begun = time.monotonic()

    ended = subprocess.run(
        [sys.executable, "-c", _BLOCKED], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )

    assert ended.returncode == 0
    assert "children are killed" in ended.stdout
    assert time.monotonic() - begun < 30


_LOG_UNREAD = """
import time
from loguru import logger
from backend.core.leaving import leave_within
logger.remove()
logger.add(lambda _: time.sleep(60))
leave_within(0.2, kill_children=lambda: print("children are killed", flush=True))
time.sleep(60)
"""


def test_process_whose_log_nobody_reads_leaves_in_time_too() -> None:
    begun = time.monotonic()

    ended = subprocess.run(
        [sys.executable, "-c", _LOG_UNREAD], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )

    assert ended.returncode == 0
    assert "children are killed" in ended.stdout
    assert time.monotonic() - begun < 30
