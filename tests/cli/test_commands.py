import json
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

import backend
from backend.core.processes import this_process
from backend.core.server_file import ServerFile, ServerRecord
from tests.fixtures.command import call


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A path short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="mcp-") as folder:
        yield Path(folder)


def test_version_is_that_of_the_package() -> None:
    assert call("version").stdout == f"{backend.__version__}\n"


def test_help_lists_every_command() -> None:
    shown = call("--help").stdout

    listed = {line.split()[1] for line in shown.partition("Commands")[2].splitlines() if len(line.split()) > 2}
    assert listed >= {"serve", "stop", "restart", "crawl", "generate", "tasks", "doctor", "config", "db", "version"}


def test_config_shows_every_setting_with_its_source() -> None:
    rows = json.loads(call("config", "--json", PORT="9123").stdout)

    by_name = {row["name"]: row for row in rows}
    assert by_name["PORT"] == {
        **{"name": "PORT", "value": "9123", "default": "8888", "unit": "", "source": "environment"},
        "meaning": "Port the server listens on; 0 takes a free one.",
    }
    assert by_name["LEASE_S"]["unit"] == "s"


def test_config_shows_of_a_secret_its_last_four_characters() -> None:
    secret = "tok-0123456789-last"

    answers = [call("config", *more, AUTH_TOKEN=secret).stdout for more in ((), ("--json",))]

    assert all("****last" in shown and secret not in shown for shown in answers)


def test_config_as_a_table_names_each_setting() -> None:
    shown = call("config", MAX_RUNNING_TASKS="7").stdout

    row = next(line for line in shown.splitlines() if "MAX_RUNNING_TASKS" in line)
    assert row.split() == ["MAX_RUNNING_TASKS", "7", "tasks", "environment"]


@pytest.mark.parametrize("command", ["config", "db", "serve"])
def test_bad_setting_is_one_line_that_names_the_variable(command: str) -> None:
    answer = call(command, LEASE_S="soon")

    assert answer.returncode == 2
    assert answer.stderr.startswith("LEASE_S='soon'")
    assert answer.stderr.count("\n") == 1


def test_db_prints_a_line_for_the_url_and_leaves_the_password_to_mongosh() -> None:
    answer = call("db", MONGODB_URL="mongodb://me:s3cret-pass@db.test:27018/?tls=true", MONGODB_DATABASE="media")

    assert answer.stdout.replace("'", "").replace('"', "") == "mongosh mongodb://me@db.test:27018/media?tls=true\n"


def test_db_prints_a_line_for_the_embedded_store_that_runs(short_path: Path) -> None:
    folder = short_path / "mongo"
    folder.mkdir()
    address = folder / "mongod.sock"
    (folder / "uri").write_text(f"mongodb://{quote(str(address), safe='')}/?directConnection=true\n")
    with socket.socket(socket.AF_UNIX) as store:
        store.bind(str(address))
        store.listen()

        answer = call("db", DATA_DIR=str(short_path), MONGODB_DATABASE="media")

    assert answer.returncode == 0
    assert f"mongodb://{quote(str(address), safe='')}/media?directConnection=true" in answer.stdout


@pytest.mark.parametrize("uri", [None, "mongodb://127.0.0.1:1/?directConnection=true"])
def test_db_says_when_the_embedded_store_does_not_run(short_path: Path, uri: str | None) -> None:
    if uri is not None:
        (short_path / "mongo").mkdir()
        (short_path / "mongo" / "uri").write_text(uri)

    answer = call("db", DATA_DIR=str(short_path))

    assert (answer.returncode, answer.stdout) == (1, "")
    assert "start the server first" in answer.stderr


def test_db_has_nothing_to_print_in_memory_mode() -> None:
    answer = call("db", STORES="memory")

    assert (answer.returncode, answer.stdout) == (2, "")


def test_restore_is_refused_while_a_server_with_its_own_mongodb_runs(tmp_path: Path) -> None:
    us = this_process()
    record = ServerRecord(
        pid=us.pid,
        process_started_at=us.started_at,
        host="127.0.0.1",
        port=1,
        url="http://127.0.0.1:1/",
        revision="abc",
        started_at=datetime.now(UTC),
    )

    (tmp_path / "b.tar").touch()
    ServerFile(tmp_path).write(record)

    answer = call(
        *("restore", str(tmp_path / "b.tar"), "--replace", "--yes"),
        DATA_DIR=str(tmp_path),
        MONGODB_URL="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100",
    )

    assert answer.returncode != 0
    assert "mediacrawer stop" in answer.stderr


def test_restore_of_a_file_that_is_not_there_starts_nothing(tmp_path: Path) -> None:
    answer = call("restore", str(tmp_path / "none.tar"), DATA_DIR=str(tmp_path / "data"))

    assert (answer.returncode, answer.stdout) == (1, "")
    assert "none.tar: No such file or directory" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_token_is_not_sent_to_where_a_server_was_that_has_gone(tmp_path: Path) -> None:
    gone = {"pid": 2**31 - 2, "process_started_at": 1.0, "revision": "abc", "started_at": "2026-11-22T08:00:00Z"}
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        record = {**gone, "host": "127.0.0.1", "port": port, "url": f"http://127.0.0.1:{port}/"}
        (tmp_path / "server.json").write_text(json.dumps(record), "utf-8")

        answer = call("tasks", "list", DATA_DIR=str(tmp_path), PORT="0", AUTH_TOKEN="tok-0123456789")
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()

    assert answer.returncode == 2
