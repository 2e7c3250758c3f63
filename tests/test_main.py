"""The composed server, as a process seen from outside."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend import __version__
from tests.fixtures.server import FORBIDDEN, ROOT, NewServer, ServerProcess, wait_until
from tests.fixtures.small_site import SmallSite, small_site

START_LINES = (
    ("INFO", "__main__:startup", "🚀 MediaCrawer Pro 正在启动..."),
    ("INFO", "__main__:startup", "📦 正在连接数据库..."),
    ("SUCCESS", "core.database:connect", "✅ MongoDB 连接成功"),
    ("INFO", "__main__:startup", "🗄️  正在连接 Redis..."),
    ("SUCCESS", "core.cache:connect", "✅ Redis 连接成功"),
    ("INFO", "__main__:startup", "✅ 所有服务初始化完成！"),
)
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \| (\S+) *\| ([\w.]+:\w+):\d+ \| (.*)")
WAYS = [
    pytest.param((sys.executable, "main.py"), ROOT / "backend", id="cd backend"),
    pytest.param((sys.executable, "-m", "backend"), ROOT, id="-m backend"),
    pytest.param((sys.executable, "-m", "backend.cli", "serve"), ROOT, id="mediacrawer serve"),
]


def lines_of(server: ServerProcess) -> list[tuple[str, str, str]]:
    found = (LINE.fullmatch(line) for line in server.log_text.splitlines())
    return [(one[1], one[2], one[3]) for one in found if one]


def refused(server: ServerProcess, *, within_s: float = 20) -> str:
    """Launch a server that must not start; return what it said."""
    assert server.launch().wait_exit(within_s=within_s) == 2
    return server.log_text


@pytest.fixture
def site() -> Iterator[SmallSite]:
    with small_site() as served:
        yield served


def crawl(server: ServerProcess, site: SmallSite, *, pages: int = 10_000) -> str:
    """Start a crawl of slow pages and return its id once some are stored."""
    params = {"start_urls": [f"{site.url}/pages/0"], "max_pages": pages, "concurrency": 2, "obey_robots": False}
    task_id = server.create(params)
    wait_until(lambda: stored(server, task_id))
    return task_id


def stored(server: ServerProcess, task_id: str) -> list[dict[str, Any]]:
    return list(server.call("GET", f"/tasks/{task_id}/items", limit="200")["items"])


# -- start -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("argv", "cwd"), WAYS)
def test_every_way_to_start_says_the_owners_lines_in_order(
    new_server: NewServer, argv: Sequence[str], cwd: Path
) -> None:
    server = new_server(argv=argv, cwd=cwd).start()

    said = lines_of(server)
    assert tuple(said[:6]) == START_LINES
    level, origin, message = said[6]
    assert (level, origin) == ("SUCCESS", "__main__:main")
    assert message.startswith(f"🌐 服务器启动成功！监听端口: {server.base.rpartition(':')[2]}  {server.base}/")
    assert f"v{__version__}" in message


def test_health_has_every_part_and_its_own_pid(new_server: NewServer) -> None:
    server = new_server().start()

    health = server.get("/health").json()

    assert (health["status"], health["pid"], health["memory_mode"]) == ("ok", server.pid, False)
    assert set(health["components"]) == {"mongodb", "redis", "runner", "disk", "ffmpeg", "browser"}
    for part in health["components"].values():
        assert {"state", "latency_ms", "since", "advice"} <= set(part)
    assert health["components"]["mongodb"]["is_embedded"] is True
    assert {"running", "pending", "slots", "loop_lag_ms"} <= set(health["components"]["runner"])
    assert (server.status_of("/health/live"), server.status_of("/health/ready")) == (200, 200)


@pytest.mark.slow
def test_second_start_on_the_same_data_is_ready_again(
    new_server: NewServer, record_property: Callable[[str, object], None]
) -> None:
    cold = new_server().start()
    assert cold.stop() == 0

    warm = new_server().start()

    record_property("cold_start_s", cold.start_s)
    record_property("warm_start_s", warm.start_s)
    assert warm.get("/health").json()["status"] == "ok"


def test_port_of_a_stranger_is_refused_with_its_pid_and_the_two_ways_out(new_server: NewServer) -> None:
    listen = "import socket,sys; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", listen], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as stranger:
        assert stranger.stdout is not None
        port = stranger.stdout.readline().strip()

        said = refused(new_server({"PORT": port}))

        stranger.kill()
    assert f"port {port} is taken by process {stranger.pid} ({sys.executable} -c import socket,sys" in said
    assert "stop it, or set PORT to another port" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_port_of_our_own_server_is_answered_with_its_address_and_success(new_server: NewServer) -> None:
    running = new_server().start()
    port = running.base.rpartition(":")[2]

    second = new_server({"PORT": port}).launch()

    assert second.wait_exit() == 0
    assert f"already running: http://127.0.0.1:{port}/ (pid {running.pid})" in second.log_text


@pytest.mark.slow
def test_data_folder_of_a_running_server_is_refused_with_its_pid(new_server: NewServer) -> None:
    running = new_server().start()

    said = refused(new_server())

    assert f"is in use by process {running.pid}" in said
    assert "Traceback" not in said
    assert running.get("/health").json()["status"] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("MONGODB_URL", "mongodb://127.0.0.1:{port}/"),
        ("MONGODB_URL", "mongodb://[broken/"),
        ("MONGODB_URL", "mongodb://no-such-host.invalid/"),
        ("REDIS_URL", "redis://127.0.0.1:{port}/0"),
        ("REDIS_URL", "redis://127.0.0.1:not-a-port/0"),
    ],
)
def test_store_that_is_set_and_does_not_answer_stops_the_start(new_server: NewServer, name: str, url: str) -> None:
    with socket.socket() as probe:
        # Bound and not listening: a connect is refused, and nobody else can take the port.
        probe.bind(("127.0.0.1", 0))
        url = url.format(port=probe.getsockname()[1])

        said = refused(new_server({name: url}))

    assert f"{name} " in said
    assert "Traceback" not in said
    assert "服务器启动成功" not in said


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"PORT": "eighty"}, "PORT='eighty'"),
        ({"EXECUTION_MODE": "fast"}, "EXECUTION_MODE='fast'"),
        ({"STORES": "memory", "REDIS_URL": "redis://127.0.0.1/"}, "STORES=memory contradicts"),
    ],
)
def test_bad_setting_stops_the_start_in_one_line(new_server: NewServer, environ: dict[str, str], named: str) -> None:
    said = refused(new_server(environ))

    assert named in said
    assert said.count("\n") == 1


@pytest.mark.slow
def test_server_that_others_can_reach_needs_a_token_or_users(new_server: NewServer) -> None:
    said = refused(new_server({"HOST": "0.0.0.0", "STORES": "memory"}), within_s=60)

    assert "AUTH_TOKEN is not set and there is no user" in said
    assert "Traceback" not in said
    assert "服务器启动成功" not in said


# -- stop ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_stop_gives_a_running_crawl_back_and_leaves_nothing(
    new_server: NewServer, site: SmallSite, number: signal.Signals
) -> None:
    server = new_server().start()
    task_id = crawl(server, site)

    code = server.stop(number)

    asked = site.asked
    assert code == 0
    assert ("INFO", "__main__:main", "👋 MediaCrawer Pro 正在关闭...") in lines_of(server)
    assert server.children() == []
    assert server.status_of("/health") == 0
    assert not [line for line in lines_of(server) if line[0] in {"ERROR", "CRITICAL"}]
    assert "Traceback" not in server.log_text
    assert site.asked == asked
    history = new_server().start().task(task_id)["history"]
    assert [entry["reason"] for entry in history][:3] == ["created", "claimed", "drain"]
    assert history[2]["to"] == "pending"


@pytest.mark.slow
def test_long_poll_is_answered_before_the_server_leaves(new_server: NewServer, site: SmallSite) -> None:
    server = new_server().start()
    task_id = crawl(server, site)
    address = httpx.URL(server.base)
    with socket.create_connection((address.host, address.port)) as asking:
        path = f"/api/v1/tasks/{task_id}?wait=30&until=final"
        asking.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        # Asked after it and answered: so the long poll has been read.
        assert server.status_of("/health") == 200

        code = server.stop()
        answer = b"".join(iter(lambda: asking.recv(65_536), b""))

    assert code == 0
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["data"]["status"] == "pending"


@pytest.mark.slow
def test_second_interrupt_leaves_at_once(new_server: NewServer, site: SmallSite) -> None:
    server = new_server({"SHUTDOWN_GRACE_S": "60"}).start()
    crawl(server, site)
    # A frozen mongod holds up the end of the run, and with it the orderly stop.
    server.child("mongod").suspend()
    server.interrupt()
    wait_until(lambda: "正在关闭" in server.log_text)

    begun = time.monotonic()
    server.interrupt()
    code = server.wait_exit()

    assert code == 128 + signal.SIGINT
    assert time.monotonic() - begun < 1
    for one in server.children():
        one.kill()


# -- survive ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_crawl_killed_half_way_goes_on_at_once_and_stores_nothing_twice(new_server: NewServer, site: SmallSite) -> None:
    first = new_server().start()
    task_id = crawl(first, site, pages=60)
    first.kill()

    second = new_server().start()
    second.wait_for(task_id, "running", within_s=3)
    task = second.wait_for(task_id)

    assert (task["status"], task["books"]["balanced"], task["books"]["stored"]) == ("succeeded", True, 60)
    assert [entry["reason"] for entry in task["history"]] == [
        *("created", "claimed", "lease_expired", "claimed", "ended"),
    ]
    found = Counter(item["item_id"] for item in stored(second, task_id))
    assert (len(found), set(found.values())) == (60, {1})


@pytest.mark.slow
def test_server_outlives_its_mongod(new_server: NewServer) -> None:
    server = new_server().start()
    old = server.child("mongod")

    # Frozen first: one that is only killed is back before /health has noticed.
    old.suspend()
    down = wait_until(lambda: server.status_of("/health") == 503 and server.get("/health").json())
    old.kill()
    wait_until(lambda: server.status_of("/health") == 200)

    assert (down["status"], down["components"]["mongodb"]["state"]) == ("down", "down")
    assert server.process.poll() is None
    assert server.child("mongod").pid != old.pid
    assert server.create({"start_urls": ["http://127.0.0.1:9/"]})


@pytest.mark.slow
def test_crawl_goes_on_when_mongod_comes_back(new_server: NewServer, site: SmallSite) -> None:
    server = new_server().start()
    task_id = crawl(server, site, pages=60)

    old = server.child("mongod")
    old.kill()
    wait_until(lambda: server.child("mongod").pid != old.pid and server.status_of("/health") == 200)
    task = server.wait_for(task_id)

    assert (task["status"], task["books"]["balanced"], task["books"]["stored"]) == ("succeeded", True, 60)
    assert "Traceback" not in server.log_text


@pytest.mark.slow
def test_server_outlives_its_valkey(new_server: NewServer, site: SmallSite) -> None:
    server = new_server().start()
    task_id = crawl(server, site)
    server.child("valkey").kill()

    ended = server.call("DELETE", f"/tasks/{task_id}", wait="10")

    assert ended["status"] == "cancelled"
    wait_until(lambda: server.get("/health").json()["status"] == "ok")


# -- modes -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_mode_warns_loudly_and_runs_a_crawl_to_its_end(new_server: NewServer, site: SmallSite) -> None:
    server = new_server({"STORES": "memory"}).start()
    health = server.get("/health").json()

    task_id = crawl(server, site, pages=20)
    task = server.wait_for(task_id)

    assert any(level == "WARNING" and "IN-MEMORY STORES" in message for level, _, message in lines_of(server))
    assert (health["status"], health["memory_mode"]) == ("degraded", True)
    assert (task["status"], task["books"]["balanced"], task["books"]["stored"]) == ("succeeded", True, 20)
    assert server.children() == []
    assert server.stop() == 0
    assert not [line for line in lines_of(server) if line[0] in {"ERROR", "CRITICAL"}]


@pytest.mark.slow
def test_memory_mode_cancels(new_server: NewServer, site: SmallSite) -> None:
    server = new_server({"STORES": "memory"}).start()
    task_id = crawl(server, site)

    task = server.call("DELETE", f"/tasks/{task_id}", wait="10")

    assert (task["status"], task["books"]["balanced"]) == ("cancelled", True)


@pytest.mark.slow
def test_held_mode_keeps_a_task_until_it_is_started(new_server: NewServer, site: SmallSite) -> None:
    server = new_server({"EXECUTION_MODE": "held"}).start()
    task_id = server.create({"start_urls": [f"{site.url}/pages/0"], "max_pages": 1})

    held = server.task(task_id)
    server.call("POST", f"/tasks/{task_id}/start")
    ended = server.wait_for(task_id)

    assert held["status"] == "held"
    assert ("INFO", "services.task_service:create_task", f"任务已创建，等待执行: {task_id}") in lines_of(server)
    assert ended["status"] == "succeeded"


@pytest.mark.slow
def test_thread_mode_runs_a_crawl_to_its_end(new_server: NewServer, site: SmallSite) -> None:
    server = new_server({"EXECUTION_MODE": "thread"}).start()

    task = server.wait_for(crawl(server, site, pages=20))

    assert (task["status"], task["books"]["balanced"], task["books"]["stored"]) == ("succeeded", True, 20)
    assert not [line for line in lines_of(server) if line[0] in {"ERROR", "CRITICAL"}]


@pytest.mark.slow
def test_thread_mode_cancels_and_asks_for_nothing_more(new_server: NewServer, site: SmallSite) -> None:
    server = new_server({"EXECUTION_MODE": "thread"}).start()
    task_id = crawl(server, site)

    task = server.call("DELETE", f"/tasks/{task_id}", wait="10")
    asked = site.asked
    live = server.call("GET", "/system")["live"]

    assert (task["status"], task["books"]["balanced"]) == ("cancelled", True)
    assert live["tasks"] == []
    assert live["requests"] == 0
    assert server.stop() == 0
    assert site.asked == asked


@pytest.mark.slow
def test_lines_of_a_task_come_from_where_the_owner_looks_for_them(new_server: NewServer, site: SmallSite) -> None:
    server = new_server().start()
    task_id = crawl(server, site)
    server.call("DELETE", f"/tasks/{task_id}", wait="10")

    said = lines_of(server)

    assert ("SUCCESS", "services.task_service:create_task", f"✅ 任务创建成功: {task_id}") in said
    assert ("INFO", "services.task_service:_execute_task", f"🚀 开始执行任务: {task_id}") in said
    assert any(message == f"🛑 任务已标记为取消: {task_id}" for _, _, message in said)
    assert any(message.startswith(f"✅ 任务已取消: {task_id}, 用时 ") for _, _, message in said)
    assert any(
        origin == "tornado.access:log_request" and message.startswith("200 POST /api/v1/tasks ")
        for _, origin, message in said
    )
    assert not [line for line in said if line[0] in {"ERROR", "CRITICAL"}]


def test_forbidden_words_would_be_seen(new_server: NewServer) -> None:
    server = new_server(argv=(sys.executable, "-c", f"print({FORBIDDEN[0]!r})")).launch()
    server.wait_exit()

    assert server.leftovers() == [f"in the log: {FORBIDDEN[0]}", f"in the log: {FORBIDDEN[1]}"]
    server.log_path.write_text("")


@pytest.mark.slow
def test_answers_are_json_with_the_owners_words(new_server: NewServer, site: SmallSite) -> None:
    server = new_server().start()
    body = {"platform": "web", "params": {"start_urls": [f"{site.url}/pages/0"], "max_pages": 1}}

    answer = httpx.post(f"{server.base}/api/v1/tasks", json=body, headers={"Accept-Language": "zh-CN"})

    assert answer.status_code == 200
    assert json.loads(answer.text)["code"] == 0
    assert answer.json()["message"] == "任务创建成功"
