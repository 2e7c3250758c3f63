import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.core.logs import captured_log
from backend.core.processes import process_of, this_process
from backend.core.server_file import ServerFile, ServerRecord, known_by_file, new_secret, reachable_host

SECRET = "s" * 43


class Later:
    """A loop's call_later whose time is passed by hand."""

    def __init__(self) -> None:
        self.waiting: Callable[[], None] | None = None

    def __call__(self, _delay_s: float, work: Callable[[], None]) -> "Later":
        self.waiting = work
        return self

    def cancel(self) -> None:
        self.waiting = None

    def pass_time(self) -> None:
        assert self.waiting is not None
        work, self.waiting = self.waiting, None
        work()


def record(**changes: Any) -> ServerRecord:
    us = this_process()
    values = {"pid": us.pid, "process_started_at": us.started_at, "host": "127.0.0.1", "port": 8888}
    more = {"url": "http://127.0.0.1:8888/", "revision": "a1b2c3d", "started_at": datetime(2026, 11, 22, tzinfo=UTC)}
    return ServerRecord(**{**values, **more, **changes})


def test_file_says_who_serves_while_the_server_runs(tmp_path: Path) -> None:
    with known_by_file(tmp_path / "data", record(), call_later=Later()):
        written = json.loads((tmp_path / "data" / "server.json").read_text("utf-8"))
        found = ServerFile(tmp_path / "data").running()

    assert found == record()
    assert set(written) == {"pid", "process_started_at", "host", "port", "url", "revision", "started_at", "secret"}
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_file_is_its_owners_alone_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    dump = json.dump

    def looking(document: Any, file: Any, **more: Any) -> None:
        modes.extend(stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir())
        dump(document, file, **more)

    monkeypatch.setattr(json, "dump", looking)
    ServerFile(tmp_path).write(record(secret=SECRET))

    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / "server.json").stat().st_mode) == 0o600


def test_secret_is_kept_and_not_shown(tmp_path: Path) -> None:
    ServerFile(tmp_path).write(record(secret=SECRET))

    found = ServerFile(tmp_path).read()

    assert found is not None
    assert found.secret == SECRET
    assert SECRET not in f"{found!r} {found}"


def test_file_of_an_older_version_has_no_secret(tmp_path: Path) -> None:
    document = record().model_dump(mode="json")
    del document["secret"]
    (tmp_path / "server.json").write_text(json.dumps(document))

    assert ServerFile(tmp_path).running() == record()


def test_every_start_has_a_secret_of_its_own() -> None:
    made = {new_secret() for _ in range(100)}

    assert len(made) == 100
    assert {len(one) for one in made} == {43}


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
        record().model_dump_json().replace('"secret":null', '"secret":"bad\\r\\nX: y"'),
    ],
)
def test_broken_file_is_as_good_as_none_and_is_written_anew(tmp_path: Path, text: str) -> None:
    file = ServerFile(tmp_path)
    file.path.write_text(text)

    assert (file.read(), file.running()) == (None, None)
    assert file.write(record())
    assert file.running() == record()


def other_server() -> ServerRecord:
    """Return the record of a server that runs: the process that started this one."""
    parent = process_of(os.getppid())
    assert parent is not None
    return record(pid=parent.pid, process_started_at=parent.started_at)


def test_file_of_another_running_server_is_left_alone(tmp_path: Path) -> None:
    later = Later()
    other = other_server()
    ServerFile(tmp_path).write(other)

    with known_by_file(tmp_path, record(), call_later=later):
        later.pass_time()
        during = ServerFile(tmp_path).read()

    assert during == ServerFile(tmp_path).read() == other
    assert later.waiting is None


def test_file_is_taken_once_the_server_that_had_it_has_left(tmp_path: Path) -> None:
    later = Later()
    draining = ServerFile(tmp_path)
    draining.write(other_server())

    with known_by_file(tmp_path, record(), call_later=later):
        later.pass_time()
        draining.remove(other_server())
        later.pass_time()
        taken, waits = draining.read(), later.waiting

    assert taken == record()
    assert waits is None
    assert draining.read() is None


def test_server_that_drains_leaves_the_file_of_the_next_one(tmp_path: Path) -> None:
    with known_by_file(tmp_path, other_server(), call_later=Later()):
        ServerFile(tmp_path).path.unlink()
        ServerFile(tmp_path).write(record())

    assert ServerFile(tmp_path).read() == record()


def test_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with captured_log() as lines, known_by_file(tmp_path / "data", record(), call_later=Later()):
        pass

    assert "WARNING" in lines[0]
    assert "server.json" in lines[0]


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::", "[::1]"), ("fd00::1", "[fd00::1]"), ("box", "box")],
)
def test_server_is_reached_where_it_listens(host: str, url: str) -> None:
    assert reachable_host(host) == url
