import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from backend.core.settings import ROOT

NewChildren = Callable[[], list[psutil.Process]]
StartServer = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A short path: a unix socket's may not pass 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="mc-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def new_children() -> Iterator[NewChildren]:
    """The processes this test started and that still run; killed afterwards, whatever failed."""
    if sys.platform == "win32":
        pytest.skip("these tests drive POSIX shells, signals and sockets")
    before = set(psutil.Process().children(recursive=True))

    def running() -> list[psutil.Process]:
        return [process for process in psutil.Process().children(recursive=True) if process not in before]

    yield running
    for process in running():
        process.kill()


@pytest.fixture
def fake_program(tmp_path: Path) -> Callable[..., Path]:
    """Make a shell script that stands for a store's program."""

    def make(script: str, *, interpreter: str = "/bin/sh") -> Path:
        path = tmp_path / f"fake-{len(list(tmp_path.iterdir()))}"
        path.write_text(f"#!{interpreter}\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Run tests/core/embedded/server.py as a process and process group of its own; killed afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py")), *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)
