import os
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

import backend
from backend.api.proxies import Proxies
from backend.core.logs import captured_log
from backend.domain.errors import StoreUnavailableError
from backend.services.code_version import CodeVersion
from backend.services.system_service import Component
from tests.fixtures.api_server import WEB_TASK, ApiServer, StartApi
from tests.fixtures.people import PASSWORD, team_of

TOKEN = "correct-horse-battery"
COMPONENTS = {"mongodb", "redis", "runner", "disk", "ffmpeg", "browser"}


async def no_answer(*_: Any) -> Any:
    raise StoreUnavailableError("gone")


async def test_health_has_every_key(api: ApiServer) -> None:
    answer = await api.client.get("/health")

    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {
        *("status", "version", "revision", "stale", "uptime_s", "pid", "memory_mode", "components"),
    }
    assert (body["status"], body["version"], body["memory_mode"]) == ("ok", backend.__version__, False)
    assert set(body["components"]) == COMPONENTS
    for one in body["components"].values():
        assert {"state", "latency_ms", "since", "advice"} <= set(one)
    assert body["components"]["mongodb"]["is_embedded"] is False
    assert set(body["components"]["runner"]) >= {"running", "pending", "slots", "loop_lag_ms"}
    assert body["components"]["disk"]["free_bytes"] > 0


async def test_health_is_down_and_503_without_mongodb(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.database, "measure", no_answer)

    answer = await api.client.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert answer.json()["components"]["mongodb"]["state"] == "down"
    assert answer.json()["components"]["mongodb"]["advice"]


async def test_health_is_degraded_and_200_without_redis(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.cache, "measure", no_answer)

    answer = await api.client.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_since_is_when_the_state_changed(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (await api.client.get("/health")).json()["components"]["redis"]["since"]
    same = (await api.client.get("/health")).json()["components"]["redis"]["since"]
    monkeypatch.setattr(api.cache, "measure", no_answer)

    after = (await api.client.get("/health")).json()["components"]["redis"]["since"]

    assert before == same
    assert after > before


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_health_without_the_token_holds_states_alone(start_api: StartApi, headers: dict[str, str]) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await api.client.get("/health", headers=headers)

    assert set(answer.json()) == {"status", "components"}
    assert answer.json()["components"]["mongodb"] == {"state": "ok"}


async def test_health_with_the_token_is_whole(start_api: StartApi) -> None:
    api = await start_api(auth_token=TOKEN)

    answer = await api.client.get("/health", headers={"Authorization": f"Bearer {TOKEN}"})

    assert "revision" in answer.json()


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
async def test_health_is_answered_under_any_host_without_details(api: ApiServer, path: str) -> None:
    answer = await api.client.get(path, headers={"Host": "10.0.0.7:8888"})

    assert answer.status_code == 200
    assert "revision" not in answer.json()


async def test_ready_follows_the_life_of_the_server(api: ApiServer) -> None:
    ready = await api.client.get("/health/ready")
    api.system.mark_draining()

    leaving = await api.client.get("/health/ready")

    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})
    assert (leaving.status_code, leaving.json()) == (503, {"status": "draining"})
    assert (await api.client.get("/health/live")).json() == {"status": "ok"}


async def test_leaving_server_takes_no_writes_and_answers_reads(api: ApiServer) -> None:
    api.system.mark_draining()

    write = await api.client.post("/api/v1/tasks", json=WEB_TASK)
    read = await api.client.get("/api/v1/tasks")

    assert (write.status_code, write.json()["code"], write.headers["Retry-After"]) == (503, 50302, "3")
    assert read.status_code == 200
    assert await api.stored() == 0


async def test_shutdown_is_answered_before_it_begins_and_says_who_asked(api: ApiServer) -> None:
    told: list[bool] = []
    api.system.when_told_to_leave(lambda: told.append(True))

    with captured_log() as lines:
        answer = await api.client.post("/api/v1/system/shutdown")

    assert (answer.status_code, answer.json()["code"]) == (200, 0)
    assert answer.json()["data"] == {"pid": os.getpid(), "stopping": True, "grace_s": 10.0}
    assert told == [True]
    assert any("asked to stop: local (127.0.0.1)" in line for line in lines)


async def test_second_shutdown_finds_the_server_leaving(api: ApiServer) -> None:
    api.system.mark_draining()

    answer = await api.client.post("/api/v1/system/shutdown")

    assert (answer.status_code, answer.json()["error"]["name"]) == (503, "SHUTTING_DOWN")


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("DELETE", 405), ("POST", 422)])
async def test_shutdown_needs_exactly_a_post(api: ApiServer, method: str, status: int) -> None:
    told: list[bool] = []
    api.system.when_told_to_leave(lambda: told.append(True))

    answer = await api.client.request(method, "/api/v1/system/shutdown?force=1")

    assert (answer.status_code, told) == (status, [])


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.test"}, {"Host": "evil.test"}])
async def test_page_of_another_site_cannot_shut_the_server_down(api: ApiServer, headers: dict[str, str]) -> None:
    told: list[bool] = []
    api.system.when_told_to_leave(lambda: told.append(True))

    answer = await api.client.post("/api/v1/system/shutdown", headers=headers)

    assert (answer.status_code, told) == (403, [])


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong-token", 401), (TOKEN, 200)])
async def test_shutdown_needs_the_token_where_there_is_one(start_api: StartApi, token: str | None, status: int) -> None:
    api = await start_api(auth_token=TOKEN)
    told: list[bool] = []
    api.system.when_told_to_leave(lambda: told.append(True))

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await api.client.post("/api/v1/system/shutdown", headers=headers)

    assert (answer.status_code, told) == (status, [True] if status == 200 else [])


@pytest.mark.parametrize(("name", "status"), [("bo", 403), ("anna", 200)])
async def test_shutdown_is_for_admins_where_there_are_users(api: ApiServer, name: str, status: int) -> None:
    team = await team_of(api)
    told: list[bool] = []
    api.system.when_told_to_leave(lambda: told.append(True))

    answer = await api.client.post("/api/v1/system/shutdown", headers=team.as_(name))

    assert (answer.status_code, told) == (status, [True] if status == 200 else [])


@pytest.mark.parametrize(("is_shown", "status"), [(False, 403), (True, 200)])
async def test_shutdown_by_a_session_shows_that_a_page_of_ours_asks(
    api: ApiServer, is_shown: bool, status: int
) -> None:
    team = await team_of(api)
    told: list[bool] = []
    api.system.when_told_to_leave(lambda: told.append(True))
    opened = await api.client.post("/api/v1/login", json={"name": "anna", "password": PASSWORD})
    shown = {"X-XSRF-Token": opened.json()["data"]["xsrf_token"]} if is_shown else {}

    answer = await api.client.post(
        "/api/v1/system/shutdown", headers={"Cookie": f"mcp_session={opened.cookies['mcp_session']}", **shown}
    )

    assert team.ids["anna"] == opened.json()["data"]["me"]["user_id"]
    assert (answer.status_code, told) == (status, [True] if status == 200 else [])


@pytest.mark.parametrize(("address", "status"), [("203.0.113.7", 403), ("127.0.0.1", 200)])
async def test_open_server_is_shut_down_from_its_own_machine_alone(api: ApiServer, address: str, status: int) -> None:
    settings = api.app.settings
    # An open server is bound to loopback; should another ever get in, a proxy that is believed tells who it is.
    settings["door"] = replace(settings["door"], proxies=Proxies([ip_network("127.0.0.1")]))
    told: list[bool] = []
    api.system.when_told_to_leave(lambda: told.append(True))

    answer = await api.client.post("/api/v1/system/shutdown", headers={"X-Forwarded-For": address})

    assert (answer.status_code, told) == (status, [True] if status == 200 else [])


async def test_store_that_does_not_answer_is_503(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.database, "do", no_answer)

    answer = await api.client.get("/api/v1/tasks")

    body = answer.json()
    assert (answer.status_code, body["code"], body["error"]["retryable"]) == (503, 50301, True)
    assert int(answer.headers["Retry-After"]) > 0


async def test_failure_of_ours_is_hidden_and_logged_once(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise KeyError("the inside of the server")

    monkeypatch.setattr(api.database, "do", broken)

    with captured_log() as lines:
        answer = await api.client.get("/api/v1/tasks")

    body = answer.json()
    assert (answer.status_code, body["code"], body["error"]["name"]) == (500, 50001, "INTERNAL")
    assert "inside" not in answer.text
    log = "\n".join(line for line in lines if "httpx:" not in line)
    assert log.count("Traceback") == 1
    assert body["error"]["request_id"] in log
    assert "| ERROR    | tornado.access:log_request" in log


@pytest.mark.parametrize(
    "text",
    ["Event loop is closed", "no running loop", "the MongoDB client has been closed"],
    # A test's name stands in tracebacks, and the words must be in no log.
    ids=["closed", "none", "client"],
)
async def test_closed_loop_reaches_neither_log_nor_caller(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    async def closed(*_: Any) -> Any:
        raise RuntimeError(text)

    monkeypatch.setattr(api.database, "do", closed)

    with captured_log() as lines:
        answer = await api.client.get("/api/v1/tasks")

    assert (answer.status_code, answer.json()["error"]["name"]) == (503, "SHUTTING_DOWN")
    assert text not in answer.text
    assert text not in "".join(lines)


async def test_system_shows_the_server_from_inside(api: ApiServer) -> None:
    answer = await api.client.get("/api/v1/system")

    data = answer.json()["data"]
    assert set(data) == {
        *("version", "revision", "stale", "uptime_s", "loop_lag_ms", "slots", "stores", "disk", "browser", "live"),
    }
    assert {name: data["browser"][name] for name in ("state", "tabs", "browsers")} == {
        "state": "off",
        "tabs": 0,
        "browsers": 0,
    }
    assert data["live"] == {"tasks": [], "requests": 0, "sockets": 0, "children": 0, "part_files": 0}
    assert set(data["stores"]) == {"mongodb", "redis"}


async def test_platforms_are_listed_with_their_schemas(api: ApiServer) -> None:
    answer = await api.client.get("/api/v1/platforms")

    web, xhs = answer.json()["data"]["items"]
    assert set(web) == {
        *("id", "kind", "title", "icon", "default_type", "types", "capabilities", "limits", "auth", "availability"),
        "live_checked_at",
    }
    assert (web["id"], web["title"], web["default_type"]) == ("web", {"zh": "网页", "en": "Web"}, "site")
    assert web["types"][0]["schema"]["properties"]["start_urls"]["type"] == "array"
    assert web["types"][0]["defaults"] == {"max_pages": 100, "scope": "host"}
    assert web["limits"] == {"max_running": 20, "min_interval_s": None}
    assert xhs["availability"] == {"available": False, "reason": "NO_BROWSER", "advice": "安装浏览器"}
    assert xhs["auth"] == {"needed": True, "state": "unknown"}


async def test_example_of_a_platform_runs_as_it_is(api: ApiServer) -> None:
    (web, _) = (await api.client.get("/api/v1/platforms")).json()["data"]["items"]

    record = await api.create(params=web["types"][0]["examples"][0]["params"])

    assert record["platform"] == "web"


def test_newer_file_makes_the_code_stale(tmp_path: Path) -> None:
    package = tmp_path / "backend"
    package.mkdir()
    (package / "a.py").write_text("a = 1")
    code = CodeVersion(package)
    before = code.is_stale()

    os.utime(package / "a.py", ns=(2**62, 2**62))

    assert (before, code.is_stale()) == (False, True)


def test_older_file_in_place_of_another_makes_the_code_stale(tmp_path: Path) -> None:
    package = tmp_path / "backend"
    package.mkdir()
    (package / "a.py").write_text("a = 1")
    code = CodeVersion(package)

    os.utime(package / "a.py", ns=(10**9, 10**9))

    assert code.is_stale()


def test_file_that_came_or_went_makes_the_code_stale(tmp_path: Path) -> None:
    package = tmp_path / "backend"
    package.mkdir()
    (package / "a.py").write_text("a = 1")
    code = CodeVersion(package)

    (package / "b.py").write_text("b = 1")
    came = code.is_stale()
    (package / "b.py").unlink()
    same = code.is_stale()
    (package / "a.py").unlink()

    assert (came, same, code.is_stale()) == (True, False, True)


@pytest.mark.parametrize(
    ("files", "revision"),
    [
        ({"HEAD": "ref: refs/heads/main\n", "refs/heads/main": "0123456789abcdef\n"}, "0123456"),
        ({"HEAD": "ref: refs/heads/main\n", "packed-refs": "# pack\nfedcba9876 refs/heads/main\n"}, "fedcba9"),
        ({"HEAD": "abcdef0123456\n"}, "abcdef0"),
    ],
)
def test_revision_is_the_checked_out_commit(tmp_path: Path, files: dict[str, str], revision: str) -> None:
    (tmp_path / "backend").mkdir()
    for name, text in files.items():
        (tmp_path / ".git" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".git" / name).write_text(text)

    assert CodeVersion(tmp_path / "backend").revision == revision


def test_revision_without_git_follows_the_sources(tmp_path: Path) -> None:
    revisions = []
    for text in ("a = 1", "a = 2"):
        (tmp_path / "backend").mkdir(exist_ok=True)
        (tmp_path / "backend" / "a.py").write_text(text)
        revisions.append(CodeVersion(tmp_path / "backend").revision)

    assert revisions[0] != revisions[1]
    assert len(revisions[0]) == 7


def test_component_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Component("ok").state = "down"  # type: ignore[misc]
