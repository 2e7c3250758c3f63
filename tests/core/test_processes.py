import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from backend.core import processes
from backend.core.processes import ProcessId, process_of, this_process

WAIT = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def child() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", WAIT, "--password", "s3cret-word", "--api-key=s3cret-key"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "up\n"
        yield one
        one.kill()


def known(child: "subprocess.Popen[str]") -> ProcessId:
    found = process_of(child.pid)
    assert found is not None
    return found


def test_pid_with_another_start_is_another_process() -> None:
    us = this_process()

    assert processes.is_alive(us)
    assert not processes.is_alive(ProcessId(us.pid, us.started_at - 60))


def test_reused_pid_is_never_signalled(child: "subprocess.Popen[str]") -> None:
    earlier = ProcessId(child.pid, known(child).started_at - 60)

    processes.ask_to_end(earlier)
    processes.kill(earlier)

    assert processes.is_alive(known(child))
    assert child.poll() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no zombies")
def test_process_that_ended_and_was_not_reaped_is_not_alive(child: "subprocess.Popen[str]") -> None:
    process = known(child)

    os.kill(child.pid, 9)

    assert processes.wait_ended([process], within_s=20) == []
    assert not processes.is_alive(process)
    assert process not in processes.descendants_of(this_process())


def test_process_that_goes_on_is_left_after_the_wait(child: "subprocess.Popen[str]") -> None:
    assert processes.wait_ended([known(child)], within_s=0.01) == [known(child)]


@pytest.mark.parametrize("pid", [2**31 - 1, -1, 2**70])
def test_pid_of_nobody_is_no_process(pid: int) -> None:
    assert process_of(pid) is None
    assert processes.command_of(pid) == ""


def test_command_shows_no_value_that_looks_secret(child: "subprocess.Popen[str]") -> None:
    shown = processes.command_of(child.pid)

    assert "--password *** --api-key=***" in shown
    assert "s3cret" not in shown


def test_name_alone_has_no_arguments(child: "subprocess.Popen[str]") -> None:
    assert processes.command_of(child.pid, with_arguments=False).startswith("python")


def test_listener_is_found_by_its_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert processes.listening_pid(listener.getsockname()[1]) == os.getpid()


def test_port_nobody_listens_on_has_no_holder() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))

        assert processes.listening_pid(one.getsockname()[1]) is None
