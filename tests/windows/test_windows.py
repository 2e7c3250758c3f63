"""What only Windows can tell. Not run by us: there is no Windows here."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.server import ROOT, NewServer, wait_until

pytestmark = [
    pytest.mark.windows,
    pytest.mark.skipif(sys.platform != "win32", reason="only Windows can run it"),
]

_PARENT = """
import subprocess, sys, time
from backend.core.embedded.windows_job import bind_what_we_start
job = bind_what_we_start()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
_PARSE = """
$errors = $null
[void][System.Management.Automation.Language.Parser]::ParseFile($args[0], [ref]$null, [ref]$errors)
$errors | ForEach-Object { $_.ToString() }
exit $errors.Count
"""


def test_child_dies_with_a_killed_parent() -> None:
    import psutil

    with subprocess.Popen([sys.executable, "-c", _PARENT], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()

    wait_until(lambda: not psutil.pid_exists(child), within_s=10)


def test_ctrl_break_stops_the_server_in_order(new_server: NewServer) -> None:
    server = new_server({"STORES": "memory"}).start()

    os.kill(server.pid, getattr(signal, "CTRL_BREAK_EVENT", 1))

    assert server.wait_exit() == 0
    assert "👋 MediaCrawer Pro 正在关闭..." in server.log_text


def test_server_starts_with_a_mongodb_of_its_own(new_server: NewServer) -> None:
    server = new_server().start()

    assert server.get("/health").json()["components"]["mongodb"]["is_embedded"] is True


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.ps1")), ids=lambda path: path.name)
def test_powershell_script_can_be_parsed(path: Path, tmp_path: Path) -> None:
    powershell = shutil.which("powershell") or shutil.which("pwsh")
    assert powershell is not None
    (tmp_path / "parse.ps1").write_text(_PARSE, encoding="utf-8-sig")

    done = subprocess.run(
        [powershell, "-NoProfile", "-ExecutionPolicy", "Bypass", "-File", str(tmp_path / "parse.ps1"), str(path)],
        check=False,
        capture_output=True,
    )

    assert done.returncode == 0, done.stdout
