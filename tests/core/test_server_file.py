import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.core.logs import captured_log
from backend.core.processes import this_process
from backend.core.server_file import ServerFile, ServerRecord, known_by_file, reachable_host


def record(**changes: Any) -> ServerRecord:
    us = this_process()
    values = {"pid": us.pid, "process_started_at": us.started_at, "host": "127.0.0.1", "port": 8888}
    more = {"url": "http://127.0.0.1:8888/", "revision": "a1b2c3d", "started_at": datetime(2026, 11, 22, tzinfo=UTC)}
    return ServerRecord(**{**values, **more, **changes})


def test_file_says_who_serves_while_the_server_runs(tmp_path: Path) -> None:
    with known_by_file(tmp_path / "data", record()):
        written = json.loads((tmp_path / "data" / "server.json").read_text("utf-8"))
        found = ServerFile(tmp_path / "data").running()

    assert found == record()
    assert set(written) == {"pid", "process_started_at", "host", "port", "url", "revision", "started_at"}
    assert list((tmp_path / "data").iterdir()) == []


def test_file_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    ServerFile(tmp_path).write(record())

    assert stat.S_IMODE((tmp_path / "server.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("changes", [{"pid": 2**31 - 1}, {"process_started_at": 1_000.0}], ids=["dead", "reused"])
def test_process_that_has_gone_does_not_run(tmp_path: Path, changes: dict[str, Any]) -> None:
    file = ServerFile(tmp_path)
    file.write(record(**changes))

    assert file.running() is None
    assert file.read() == record(**changes)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "\x00" * 20, "{}" + " " * 20_000, '{"pid": 1}'),
        record().model_dump_json().replace("8888,", "0,"),
        record().model_dump_json().replace('"port":8888', '"port":"8888"'),
        record().model_dump_json().replace('"pid":', '"pid":-'),
    ],
)
def test_broken_file_is_as_good_as_none_and_is_written_anew(tmp_path: Path, text: str) -> None:
    file = ServerFile(tmp_path)
    file.path.write_text(text)

    assert (file.read(), file.running()) == (None, None)
    assert file.write(record())
    assert file.running() == record()


def test_file_of_another_running_server_is_left_alone(tmp_path: Path) -> None:
    import os

    from backend.core.processes import process_of

    parent = process_of(os.getppid())
    assert parent is not None
    other = record(pid=parent.pid, process_started_at=parent.started_at)
    ServerFile(tmp_path).write(other)

    with known_by_file(tmp_path, record()):
        during = ServerFile(tmp_path).read()

    assert during == ServerFile(tmp_path).read() == other


def test_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with captured_log() as lines, known_by_file(tmp_path / "data", record()):
        pass

    assert "WARNING" in lines[0]
    assert "server.json" in lines[0]


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::", "[::1]"), ("fd00::1", "[fd00::1]"), ("box", "box")],
)
def test_server_is_reached_where_it_listens(host: str, url: str) -> None:
    assert reachable_host(host) == url
