import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these are POSIX shell scripts")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the shell scripts beside a dev.py that prints what it was asked."""
    folder = tmp_path / "a project"
    (folder / "scripts").mkdir(parents=True)
    for name in ("run.sh", "stop.sh", "test.sh"):
        shutil.copy2(SCRIPTS / name, folder / "scripts" / name)
    (folder / "scripts" / "dev.py").write_text("import json, os, sys\nprint(json.dumps([sys.argv[1:], os.getcwd()]))\n")
    return folder


def _run(script: Path, *arguments: str, path: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", script, *arguments],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"PATH": path, **environment},
        stdin=subprocess.DEVNULL,
        cwd="/",
    )


@pytest.mark.parametrize(("script", "command"), [("run.sh", "run"), ("stop.sh", "stop"), ("test.sh", "test")])
def test_script_hands_its_arguments_to_dev_py_in_the_project(project: Path, script: str, command: str) -> None:
    done = _run(project / "scripts" / script, "--fast", path=os.environ["PATH"], PYTHON=sys.executable)

    assert json.loads(done.stdout) == [[command, "--fast"], str(project)]


def test_too_old_python_is_passed_over_and_the_reader_told(project: Path) -> None:
    tools = project / "bin"
    tools.mkdir()
    for name in ("python3", "python"):
        (tools / name).write_text("#!/bin/sh\nexit 1\n")
        (tools / name).chmod(0o755)
    (tools / "dirname").symlink_to(shutil.which("dirname") or "/usr/bin/dirname")

    done = _run(project / "scripts" / "run.sh", path=str(tools))

    assert done.returncode == 1
    assert "Python 3.11 or later is needed" in done.stderr


@pytest.mark.parametrize("name", ["run.ps1", "stop.ps1", "test.ps1", "test_create_task.ps1"])
def test_powershell_script_starts_with_a_bom(name: str) -> None:
    # Windows PowerShell 5.1 reads a file without one in the ANSI code page: its Chinese would be broken.
    assert (SCRIPTS / name).read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("name", ["run.sh", "stop.sh", "test.sh", "test_create_task.sh"])
def test_shell_script_can_be_executed(name: str) -> None:
    assert os.access(SCRIPTS / name, os.X_OK)
    assert b"\r" not in (SCRIPTS / name).read_bytes()
