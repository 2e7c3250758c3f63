import json
import os
import stat
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.core.processes import this_process
from backend.core.server_file import ServerFile, ServerRecord
from backend.core.settings import Settings, load_settings
from backend.doctor.bundle import write_bundle
from backend.doctor.checklist import all_rows
from backend.doctor.rows import Row, same
from backend.doctor.server_rows import look
from tests.fixtures.server import NewServer, ServerProcess

SECRETS = {
    "AUTH_TOKEN": "tok-planted-0001-in-env",
    "COGVIDEOX_API_KEY": "key-planted-0002-in-env",
    "MONGODB_URL": "mongodb://me:pass-planted-0003@127.0.0.1:9/",
}
LOCAL_SECRET = "sec-planted-0010-of-the-running-server"
FILE_SECRETS = {"SOMEBODYS_API_KEY": "key-planted-0004-in-file", "REDIS_URL": "redis://:pass-planted-0005@127.0.0.1:9/"}
NAMES = {"doctor.json", "config.json", "versions.json", "start.log", "errors.log", "task_service.txt"}
LOG = """\
2026-11-22 16:00:00 | INFO     | __main__:startup:1 | 🚀 MediaCrawer Pro 正在启动...
2026-11-22 16:00:01 | ERROR    | core.http:send:1 | Authorization: Bearer hdr-planted-0006 for https://a:pw-planted-0007@b/
2026-11-22 16:00:01 | WARNING  | core.http:send:1 | tok-planted-0001-in-env key-planted-0004-in-file pass-planted-0003
2026-11-22 16:00:01 | WARNING  | core.http:send:1 | sec-planted-0010-of-the-running-server
Traceback (most recent call last):
  ValueError: https://b/?api_key=prm-planted-0008&x=1 {'Cookie': 'session=cky-planted-0009'}
2026-11-22 16:00:02 | INFO     | tornado.access:log_request:1 | 200 POST /api/v1/tasks (127.0.0.1) 3.10ms
"""


def planted(folder: Path) -> Settings:
    env_file = folder / ".env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in FILE_SECRETS.items()), "utf-8")
    (folder / "data" / "logs").mkdir(parents=True)
    (folder / "data" / "logs" / "server.log").write_text(LOG, "utf-8")
    return load_settings({**SECRETS, "DATA_DIR": str(folder / "data"), "PORT": "0"}, env_file)


def known(data_dir: Path) -> None:
    """Write the server.json of this process."""
    us = this_process()
    values: dict[str, Any] = {"pid": us.pid, "process_started_at": us.started_at, "host": "127.0.0.1", "port": 1}
    values |= {"url": "http://127.0.0.1:1/", "revision": "abc", "started_at": datetime.now(UTC)}
    ServerFile(data_dir).write(ServerRecord(**values, secret=LOCAL_SECRET))


def texts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as made:
        return {name: made.read(name).decode("utf-8") for name in made.namelist()}


def test_no_planted_secret_is_in_the_bundle(tmp_path: Path) -> None:
    settings = planted(tmp_path)
    known(settings.data_dir)
    rows = [Row("x", same("x"), "bad", same(f"tok-planted-0001-in-env {LOCAL_SECRET}"))]

    write_bundle(tmp_path / "one.zip", settings, rows)

    found = texts(tmp_path / "one.zip")
    assert set(found) == NAMES
    assert [name for name, text in found.items() if "planted-0" in text] == []


def test_not_even_the_end_of_a_secret_is_in_the_bundle(tmp_path: Path) -> None:
    write_bundle(tmp_path / "one.zip", planted(tmp_path), [])

    told = {row["name"]: row["value"] for row in json.loads(texts(tmp_path / "one.zip")["config.json"])}
    assert told["AUTH_TOKEN"] == "(set)"
    assert told["MONGODB_URL"] == "mongodb://me:***@127.0.0.1:9/"


def test_bundle_has_what_a_helper_asks_for(tmp_path: Path) -> None:
    write_bundle(tmp_path / "one.zip", planted(tmp_path), [])

    found = texts(tmp_path / "one.zip")
    assert "spawn_callback(self._execute_task, task)" in found["task_service.txt"]
    assert "正在启动" in found["start.log"]
    assert "POST /api/v1/tasks" in found["start.log"]
    assert "ValueError" in found["errors.log"]
    assert "POST" not in found["errors.log"]
    assert json.loads(found["versions.json"])["tornado"].startswith("6.")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_bundle_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    write_bundle(tmp_path / "one.zip", planted(tmp_path), [])

    assert stat.S_IMODE((tmp_path / "one.zip").stat().st_mode) == 0o600


def test_bundle_without_any_log_is_made_all_the_same(tmp_path: Path) -> None:
    assert set(write_bundle(tmp_path / "one.zip", Settings(data_dir=tmp_path / "none"), [])) == NAMES


def states(server: ServerProcess) -> dict[str, str]:
    environ = server.environment()
    settings = load_settings(environ, server.data_dir / "no.env")
    return {row.id: row.state for row in all_rows(look(settings))}


@pytest.mark.slow
def test_running_server_is_well_and_its_frozen_mongod_is_told(new_server: NewServer) -> None:
    token = "tok-planted-0001-in-env"
    server = new_server({"AUTH_TOKEN": token}).start()
    body = {"platform": "web", "params": {"start_urls": ["http://127.0.0.1:9/"]}, "start": "manual"}
    before = states(server)
    url, headers = f"{server.base}/api/v1/tasks", {"Authorization": f"Bearer {token}"}
    httpx.post(url, json=body, headers=headers, trust_env=False).raise_for_status()

    after = states(server)
    server.child("mongod").suspend()
    frozen = states(server)
    server.child("mongod").kill()

    wanted = dict.fromkeys(("server", "code", "port", "origin", "import", "spawn", "mongodb", "redis"), "ok")
    # Others may be writing at the sources while this runs.
    wanted["code"] = after["code"]
    assert {name: after[name] for name in wanted} == wanted
    assert (before["post"], after["post"], after["errors"]) == ("none", "ok", "ok")
    assert (frozen["mongodb"], frozen["redis"], frozen["server"]) == ("bad", "ok", "ok")
