"""Signals at the wrong moment: while starting, twice, and a kill while ffmpeg is at work."""

import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.fixtures.server import NewServer, ServerProcess, wait_until

FILM = {"scenes": [{"text": f"第 {number} 幕"} for number in range(50)], "seconds_per_scene": 30, "size": "640x360"}


def ffmpegs(server: ServerProcess) -> list[psutil.Process]:
    """Every living ffmpeg that works below the server's data folder, whoever its parent is now."""
    found = []
    for one in psutil.process_iter(["name", "cwd", "status"]):
        at_work = (one.info["name"] or "").startswith("ffmpeg") and one.info["status"] != psutil.STATUS_ZOMBIE
        if at_work and server.data_dir in Path(one.info["cwd"] or "/").parents:
            found.append(one)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("said", ["正在启动", "正在连接数据库", "MongoDB 连接成功"])
def test_stop_while_starting_leaves_soon_and_leaves_nothing(new_server: NewServer, said: str) -> None:
    server = new_server()
    server.launch()
    wait_until(lambda: said in server.log_text, within_s=30)

    begun = time.monotonic()
    server.interrupt(signal.SIGTERM)
    code = server.wait_exit()

    assert (code, time.monotonic() - begun < 5) == (0, True)
    assert "监听端口" not in server.log_text


@pytest.mark.slow
def test_ctrl_c_twice_leaves_at_once_with_the_signals_code_and_no_child(new_server: NewServer) -> None:
    server = new_server().start()
    server.create(FILM, platform="storyboard")
    wait_until(lambda: ffmpegs(server))

    server.interrupt()
    server.interrupt()
    code = server.wait_exit(within_s=5)

    # The first may have been answered in full before the second came.
    assert code in {0, 128 + signal.SIGINT}
    # A zombie that nobody has reaped yet works no more.
    wait_until(lambda: not server.children() and not ffmpegs(server), within_s=5)


@pytest.mark.slow
def test_killed_server_takes_its_ffmpeg_along_and_renders_again_when_it_is_back(new_server: NewServer) -> None:
    first = new_server().start()
    task_id = first.create(FILM, platform="storyboard")
    wait_until(lambda: ffmpegs(first))

    first.kill()
    wait_until(lambda: not ffmpegs(first), within_s=2)
    second = new_server().start()
    running = second.wait_for(task_id, "running", within_s=10)
    wait_until(lambda: ffmpegs(second))
    left = [path for path in second.data_dir.rglob("artifacts/parts/*") if path.is_dir()]

    assert running["attempt"] == 1
    assert len(left) == 1
    assert second.call("DELETE", f"/tasks/{task_id}", wait="20")["status"] == "cancelled"
