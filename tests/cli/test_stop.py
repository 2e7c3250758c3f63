import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from backend.cli import app, running_server
from backend.core import processes
from backend.core.processes import ProcessId, process_of
from backend.core.server_file import ServerFile, ServerRecord
from tests.fixtures.server import ROOT, NewServer, ServerProcess, wait_until

# A server that hangs: it listens, answers nobody, has a child, and (as it is told) heeds no SIGTERM.
HANGING = """
import signal, socket, subprocess, sys
if sys.argv[1] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], child.pid, flush=True)
sys.stdin.read()
"""


class Hanging:
    """A hanging server, with a server.json that names it."""

    def __init__(self, data_dir: Path, how: str) -> None:
        command = [sys.executable, "-c", HANGING, how]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.popen.stdout is not None
        self.port, child = map(int, self.popen.stdout.readline().split())
        self.process, self.child = self.known(self.popen.pid), self.known(child)
        self.record = ServerRecord(
            pid=self.process.pid,
            process_started_at=self.process.started_at,
            host="127.0.0.1",
            port=self.port,
            url=f"http://127.0.0.1:{self.port}/",
            revision="a1b2c3d",
            started_at=datetime.now(UTC),
        )
        ServerFile(data_dir).write(self.record)

    @staticmethod
    def known(pid: int) -> ProcessId:
        found = process_of(pid)
        assert found is not None
        return found

    def end(self) -> None:
        for one in (self.process, self.child):
            processes.kill(one)
        self.popen.communicate()


def run(command: str, data_dir: Path, port: int = 0, **more: str) -> Result:
    environ = {"DATA_DIR": str(data_dir), "PORT": str(port), "SHUTDOWN_GRACE_S": "0", **more}
    return CliRunner().invoke(app, [command], env=environ)


@pytest.fixture
def hanging(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Hanging]:
    made = Hanging(tmp_path, request.param)
    yield made
    made.end()


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_ASK_S", "_LEAST_GRACE_S", "_GRACE_MARGIN_S", "_CHILDREN_S"):
        monkeypatch.setattr(running_server, name, 0.1)


def test_nothing_to_stop_is_said_and_is_a_success(tmp_path: Path) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]

    answer = run("stop", tmp_path, port)

    assert (answer.exit_code, answer.stdout) == (0, "没有正在运行的服务器 / no server is running\n")


def test_port_of_another_program_is_told_by_name_and_left_alone(tmp_path: Path) -> None:
    listen = "import socket; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True); input()"
    command = [sys.executable, "-c", listen]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stranger:
        assert stranger.stdout is not None

        answer = run("stop", tmp_path, int(stranger.stdout.readline()))

        assert stranger.poll() is None
        stranger.kill()
    assert answer.exit_code == 3
    assert f"{stranger.pid} ({sys.executable} -c import socket" in answer.stderr


@pytest.mark.parametrize("changes", [{"process_started_at": 1_000.0}, {"pid": 2**31 - 1}], ids=["reused", "dead"])
@pytest.mark.parametrize("hanging", ["meek"], indirect=True)
def test_pid_of_an_earlier_server_is_never_touched(tmp_path: Path, hanging: Hanging, changes: dict[str, Any]) -> None:
    ServerFile(tmp_path).path.write_text(hanging.record.model_copy(update=changes).model_dump_json())

    answer = run("stop", tmp_path)

    assert (answer.exit_code, "no server is running" in answer.stdout) == (0, True)
    assert processes.is_alive(hanging.process)


@pytest.mark.parametrize("text", ["", "{", '{"pid": 1}', "\x00"])
def test_broken_server_file_is_no_server(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.json").write_text(text)

    answer = run("stop", tmp_path)

    assert (answer.exit_code, "no server is running" in answer.stdout) == (0, True)


@pytest.mark.usefixtures("no_patience")
@pytest.mark.parametrize(("hanging", "how"), [("meek", "by a signal"), ("deaf", "was killed")], indirect=["hanging"])
def test_server_that_answers_nobody_is_ended_with_its_children(tmp_path: Path, hanging: Hanging, how: str) -> None:
    answer = run("stop", tmp_path)

    assert answer.exit_code == 0, answer.output
    assert how in answer.stdout
    assert "children that were killed: 1" in answer.stdout
    assert f"port {hanging.port} is free" in answer.stdout
    assert not processes.is_alive(hanging.process)
    assert not processes.is_alive(hanging.child)


def test_bad_setting_is_named(tmp_path: Path) -> None:
    answer = run("stop", tmp_path, LEASE_S="soon")

    assert (answer.exit_code, answer.stderr.startswith("LEASE_S='soon'")) == (2, True)


# -- real servers ----------------------------------------------------------------------------------------------------


def call(server: ServerProcess, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "backend.cli", *arguments],
        cwd=ROOT,
        env={**server.environment(), **environ},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=100,
    )


@pytest.mark.slow
def test_restart_brings_the_code_on_disk_and_stop_ends_it(new_server: NewServer) -> None:
    first = new_server({"STORES": "memory", "AUTH_TOKEN": "tok-0123456789"}).start()
    file = ServerFile(first.data_dir)
    before = file.running()

    restarted = call(first, "restart")
    after = file.running()
    assert before is not None
    assert after is not None
    health = httpx.get(f"{after.url}health", trust_env=False).status_code
    stopped = call(first, "stop")

    assert (first.wait_exit(), restarted.returncode, health, stopped.returncode) == (0, 0, 200, 0)
    assert "asked to stop" in first.log_text
    assert f"{before.revision} → {after.revision}" in restarted.stdout
    assert before.process != after.process
    assert "已按请求停止" in stopped.stdout
    assert f"port {after.port} is free" in stopped.stdout
    assert not processes.is_alive(after.process)
    assert not file.path.exists()
    assert "👋 MediaCrawer Pro 正在关闭..." in (first.data_dir / "logs" / "server.log").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be frozen there")
def test_frozen_server_is_killed_after_its_grace_and_its_stores_with_it(new_server: NewServer) -> None:
    server = new_server({"SHUTDOWN_GRACE_S": "0"}).start()
    os.kill(server.pid, signal.SIGSTOP)

    stopped = call(server, "stop")

    assert stopped.returncode == 0, stopped.stderr
    assert "was killed" in stopped.stdout
    wait_until(lambda: not server.children())
    assert server.process.poll() == -signal.SIGKILL
    assert ServerFile(server.data_dir).running() is None


@pytest.mark.slow
def test_start_that_fails_is_told_with_its_last_words(new_server: NewServer) -> None:
    server = new_server({"MONGODB_URL": "mongodb://127.0.0.1:9/", "LEASE_S": "5"})

    answer = call(server, "restart")

    assert answer.returncode == 1
    assert "启动失败 / cannot start" in answer.stderr


def test_server_file_is_json_that_a_script_can_read(tmp_path: Path) -> None:
    made = Hanging(tmp_path, "meek")
    made.end()

    assert json.loads((tmp_path / "server.json").read_text("utf-8"))["started_at"].endswith("Z")
