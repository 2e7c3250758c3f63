"""The verification run as a person runs it: it passes on the product, fails on a broken one, and leaves nothing."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "verify_cancellation.py"
# One of each kind; all of them take two minutes.
STAGES = [
    "pending",
    "claiming",
    "mid_body",
    "storing",
    "before_submit",
    "sleep",
    "rendering",
    "shutdown",
    "thread_poll",
]
# These tests are about right and wrong, not about a busy machine's speed; a heartbeat alone takes up to 2,000 ms.
LIMIT_MS = "1000"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and embedded stores of POSIX"),
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed"),
]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for the script's temporary files: its path is short, because a unix socket's must be."""
    folder = Path(tempfile.mkdtemp(prefix="v-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def started(temporary: Path, *arguments: str) -> "subprocess.Popen[str]":
    logs = os.environ.get("MEDIACRAWER_TEST_LOG_DIR")
    keep = ["--logs", str(Path(logs) / f"verify-{temporary.name}")] if logs else []
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), "--limit-ms", LIMIT_MS, *keep, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env={**os.environ, "TMPDIR": str(temporary)},
        start_new_session=True,
    )


def verified(temporary: Path, *arguments: str) -> tuple[int, str]:
    with started(temporary, *arguments) as process:
        said = process.communicate()[0]
    return process.returncode, said


def left_of(temporary: Path) -> list[str]:
    """Files in its folder, and processes that were given a path in it."""
    found = [path.name for path in temporary.iterdir() if path.name != "mediacrawer-tests"]
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(temporary) in command:
            found.append(command)
    return found


def test_product_passes_at_every_kind_of_point_and_nothing_is_left(temporary: Path) -> None:
    code, said = verified(temporary, "--count", "2", "--stages", *STAGES)

    assert code == 0, said
    assert "=== 测试工作线程取消功能 ===" in said
    assert "=== 测试视频生成取消功能 ===" in said
    assert "❌" not in said
    assert left_of(temporary) == []


def test_cancel_on_another_server_is_fast_by_its_flag(temporary: Path) -> None:
    code, said = verified(temporary, "--count", "4", "--stages", "flag")

    assert code == 0, said


def test_product_without_its_flag_check_fails(temporary: Path) -> None:
    code, said = verified(temporary, "--count", "4", "--stages", "flag", "--without-flag-check")

    assert code == 1
    assert "❌ 由另一台服务器取消 (flag): n=4" in said
    assert left_of(temporary) == []


def test_ctrl_c_stops_it_and_leaves_nothing(temporary: Path) -> None:
    process = started(temporary, "--stages", "pending", "storing", "shutdown")
    assert process.stdout is not None
    while "✅" not in process.stdout.readline():
        pass

    process.send_signal(signal.SIGINT)
    said = process.communicate()[0]

    assert process.returncode == 130, said
    assert left_of(temporary) == []
