"""Crash points: how they are asked for, when they are refused, and what they do."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.core.crash_points import POINTS, CrashPlan, arm, crash_point, parse_plan
from backend.core.settings import ROOT, SettingsError, load_settings

NO_FILE = Path("/nonexistent/.env")
CALL = re.compile(r'crash_point\("(\w+)"\)')


@pytest.fixture
def armed() -> Iterator[None]:
    """Whatever a test arms is off again afterwards."""
    yield
    arm(None)


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("after_claim", CrashPlan("after_claim", 1, "kill")),
        ("after_poll:3", CrashPlan("after_poll", 3, "kill")),
        ("after_poll:kill", CrashPlan("after_poll", 1, "kill")),
        ("mid_store:2:stop", CrashPlan("mid_store", 2, "stop")),
        ("before_finish:stall=7.5", CrashPlan("before_finish", 1, "stall", 7.5)),
    ],
)
def test_plan_is_read_as_name_nth_and_action(text: str, plan: CrashPlan) -> None:
    assert parse_plan(text) == plan


@pytest.mark.parametrize(
    "text",
    [
        *("", "nowhere", "after_claim:0", "after_claim:-1", "after_claim:kill:2", "after_claim:1:2"),
        *("after_claim:explode", "after_claim:stall", "after_claim:stall=0", "after_claim:stall=nan"),
    ],
)
def test_unreadable_plan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no such point|does not read|cannot|stalls for"):
        parse_plan(text)


def test_crash_point_is_refused_outside_tests() -> None:
    with pytest.raises(SettingsError, match="CRASH_POINT makes this process die on purpose"):
        load_settings({"CRASH_POINT": "after_claim"}, NO_FILE)


def test_unknown_crash_point_stops_the_start_and_names_the_variable() -> None:
    with pytest.raises(SettingsError, match=r"CRASH_POINT='nowhere': has no such point; there are after_claim"):
        load_settings({"CRASH_POINT": "nowhere", "APP_ENV": "test"}, NO_FILE)


def test_crash_point_is_taken_in_tests() -> None:
    settings = load_settings({"CRASH_POINT": "after_claim:2", "APP_ENV": "test"}, NO_FILE)

    assert settings.crash_point == "after_claim:2"


@pytest.mark.usefixtures("armed")
def test_stall_happens_at_the_nth_arrival_only() -> None:
    arm("after_poll:2:stall=0.05")

    took_s = []
    for name in ("after_poll", "after_claim", "after_poll", "after_poll"):
        begun = time.monotonic()
        crash_point(name)
        took_s.append(time.monotonic() - begun)

    assert [took >= 0.05 for took in took_s] == [False, False, True, False]


@pytest.mark.parametrize(("action", "number"), [("kill", signal.SIGKILL), ("stop", signal.SIGSTOP)])
def test_process_gets_the_signal_before_its_next_step(action: str, number: int) -> None:
    program = (
        "from backend.core.crash_points import arm, crash_point\n"
        f"arm('after_claim:{action}')\n"
        "crash_point('after_claim')\n"
        "print('went on')\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    if action == "stop":
        _wait_until_stopped(child)
        child.kill()
    said, _ = child.communicate(timeout=30)

    assert child.returncode == -signal.SIGKILL
    assert said == b""


def test_every_point_has_its_place_and_every_place_its_point() -> None:
    sources = [path for path in (ROOT / "backend").rglob("*.py") if path.name != "crash_points.py"]

    used = {name for path in sources for name in CALL.findall(path.read_text(encoding="utf-8"))}

    assert used == set(POINTS)


def _wait_until_stopped(child: "subprocess.Popen[bytes]") -> None:
    state = Path(f"/proc/{child.pid}/stat")
    while state.read_text().rsplit(")", 1)[1].split()[0] != "T":
        time.sleep(0.01)
