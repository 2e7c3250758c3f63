"""The commands of the server's own machine, where there are users and no AUTH_TOKEN."""

import json
from collections.abc import Iterator

import httpx
import pytest
from typer.testing import CliRunner, Result

from backend.cli import app, connection, running_server
from backend.core.server_file import ServerFile
from backend.doctor import server_rows
from tests.fixtures.server import NewServer, ServerProcess
from tests.fixtures.small_site import SmallSite, small_site

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    # The server answers here; that a loaded machine lets it take its time is no reason to say that none runs.
    for module in (connection, running_server, server_rows):
        monkeypatch.setattr(module, "_ASK_S", 60.0)


@pytest.fixture
def site() -> Iterator[SmallSite]:
    with small_site() as made:
        yield made


def run(server: ServerProcess, *arguments: str, **environ: str) -> Result:
    # In this process: each of them would else load the whole program anew.
    return CliRunner().invoke(app, arguments, env={**server.environment(), "MEDIACRAWER_URL": "", **environ})


def test_commands_work_as_before_once_there_are_users_and_stop_asks(new_server: NewServer, site: SmallSite) -> None:
    server = new_server({"STORES": "memory"}).start()
    token = _first_user(server)
    crawl = ("crawl", f"{site.url}/pages/0", "--max-pages", "2", "-p", "obey_robots=false", "--json")
    crawled = run(server, *crawl)
    named = run(server, "tasks", "list", "--json", "--url", server.base)
    hers = run(server, "tasks", "list", "--json", MEDIACRAWER_TOKEN=token)
    wrong = run(server, "tasks", "list", MEDIACRAWER_TOKEN="mcp_of_another_server")
    seen = run(server, "doctor", "--json", MEDIACRAWER_TOKEN="mcp_of_another_server")
    secret, health = _secret(server), server.get("/health").text
    stopped = run(server, "stop", MEDIACRAWER_TOKEN="mcp_of_another_server")

    record = json.loads(crawled.stdout)
    assert (record["status"], record["created_by"]) == ("succeeded", "cli")
    assert json.loads(named.stdout)["task_id"] == json.loads(hers.stdout)["task_id"] == record["task_id"]
    assert (wrong.exit_code, "AUTH_REQUIRED" in wrong.stderr) == (2, True)
    assert " up " in json.loads(seen.stdout)["rows"][0]["seen"]["en"]
    assert "已按请求停止" in stopped.stdout, stopped.stderr
    assert server.wait_exit() == 0
    assert secret not in server.log_text + health
    assert not [one for one in (crawled, named, hers, wrong, seen, stopped) if secret in one.output]


def _first_user(server: ServerProcess) -> str:
    """Add a user over the API, which lets everybody in until then; return a token of hers."""
    server.call("POST", "/users", {"name": "anna", "password": "a-long-enough-one"})
    body = {"name": "anna", "password": "a-long-enough-one"}
    with httpx.Client(base_url=f"{server.base}/api/v1", trust_env=False, timeout=60) as client:
        xsrf = client.post("/login", json=body).json()["data"]["xsrf_token"]
        made = client.post("/tokens", json={"label": "test"}, headers={"X-XSRF-Token": xsrf}).json()
    token: str = made["data"]["token"]
    return token


def _secret(server: ServerProcess) -> str:
    record = ServerFile(server.data_dir).running()
    assert record is not None
    assert record.secret is not None
    return record.secret
