import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from backend.cli import app
from backend.cli.running_server import RunningServer
from backend.core.settings import Settings
from backend.doctor.code_rows import code_rows
from backend.doctor.log_rows import START, log_rows
from backend.doctor.machine_rows import machine_rows
from backend.doctor.rows import Row
from backend.doctor.server_rows import Look, look, server_rows
from backend.doctor.store_rows import store_rows

ACCESS = "2026-11-22 16:00:02 | INFO     | tornado.access:log_request:1 | 200 POST /api/v1/tasks (127.0.0.1) 3.10ms"
BEGUN = f"2026-11-22 16:00:00 | INFO     | __main__:startup:1 | {START}"


def by_id(rows: list[Row]) -> dict[str, Row]:
    return {row.id: row for row in rows}


def logged(folder: Path, *lines: str) -> dict[str, Row]:
    (folder / "logs").mkdir()
    (folder / "logs" / "server.log").write_text("\n".join(lines) + "\n", "utf-8")
    return by_id(log_rows(Settings(data_dir=folder)))


def run(folder: Path, *more: str, **environ: str) -> Result:
    settings = {"DATA_DIR": str(folder), "PORT": "0", "STORES": "memory", "BROWSER_MODE": "off", "COLUMNS": "100"}
    return CliRunner().invoke(app, ["doctor", *more], env={**settings, **environ})


def test_source_as_it_is_has_both_lines() -> None:
    assert [row.state for row in code_rows()] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("import tornado.ioloop\nasyncio.create_task(x)\n", ["ok", "bad"]),
        ("import asyncio\nloop.spawn_callback(x)\n", ["bad", "ok"]),
        ("# import tornado.ioloop, spawn_callback(x)\n", ["bad", "bad"]),
        ("def broken(:\n", ["bad", "bad"]),
        ("\x00", ["bad", "bad"]),
    ],
)
def test_line_that_was_taken_out_is_bad_and_says_how_to_get_it_back(
    tmp_path: Path, text: str, states: list[str]
) -> None:
    path = tmp_path / "task_service.py"
    path.write_text(text, "utf-8")

    rows = code_rows(path)

    assert [row.state for row in rows] == states
    assert all("git checkout" in row.advice.en for row in rows if row.advice is not None)
    assert all((row.advice is None) == (row.state == "ok") for row in rows)


def test_source_that_is_gone_is_bad(tmp_path: Path) -> None:
    assert [row.state for row in code_rows(tmp_path / "none.py")] == ["bad", "bad"]


def test_post_since_the_last_start_is_seen(tmp_path: Path) -> None:
    rows = logged(tmp_path, BEGUN, ACCESS)

    assert (rows["post"].state, rows["post"].seen.en) == ("ok", "1, the last at 2026-11-22 16:00:02")


@pytest.mark.parametrize("lines", [[], [ACCESS, BEGUN], [BEGUN, ACCESS.replace("POST", "GET")], ["\ufffd |"]])
def test_post_before_the_last_start_does_not_count(tmp_path: Path, lines: list[str]) -> None:
    assert logged(tmp_path, *lines)["post"].state == "none"


def test_errors_since_the_start_are_counted_and_the_last_is_told(tmp_path: Path) -> None:
    error = "2026-11-22 16:00:03 | ERROR    | runner.edge:run:9 | ❌ 任务执行失败: t_1, BROKEN"

    rows = logged(tmp_path, error, BEGUN, error, "Traceback (most recent call last):", "ValueError: x")

    assert rows["errors"].seen.en == "1, the last: runner.edge:run:9 | ❌ 任务执行失败: t_1, BROKEN"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_cannot_be_written_is_bad(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    row = by_id(machine_rows(Settings(data_dir=tmp_path / "data")))["data_dir"]

    tmp_path.chmod(0o700)
    assert (row.state, row.advice is not None) == ("bad", True)


@pytest.mark.parametrize("with_arguments", [True, False])
def test_port_of_another_program_is_told_by_name(tmp_path: Path, *, with_arguments: bool) -> None:
    listen = "import socket; s=socket.create_server(('127.0.0.1',0)); print(s.getsockname()[1],flush=True); input()"
    command = [sys.executable, "-c", listen]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stranger:
        assert stranger.stdout is not None
        settings = Settings(data_dir=tmp_path, port=int(stranger.stdout.readline()))

        row = by_id(server_rows(look(settings, with_arguments=with_arguments)))["port"]

        stranger.kill()
    assert row.state == "bad"
    assert f"is taken by process {stranger.pid} (" in row.seen.en
    assert ("create_server" in row.seen.en) is with_arguments


def test_server_that_is_down_is_one_bad_row_with_what_to_do(tmp_path: Path) -> None:
    answer = run(tmp_path, "--json")

    told = json.loads(answer.stdout)
    bad = [row for row in told["rows"] if row["state"] == "bad"]
    assert (answer.exit_code, told["ok"], [row["id"] for row in bad]) == (1, False, ["server"])
    assert "mediacrawer restart" in bad[0]["advice"]["en"]
    assert [row["id"] for row in told["rows"]] == [
        *("server", "code", "port", "origin", "import", "spawn", "mongodb", "redis", "post", "errors"),
        *("data_dir", "disk", "ffmpeg", "font", "browser", "keys"),
    ]


@pytest.mark.parametrize(("language", "words"), [("zh", "后端在运行"), ("en", "The backend runs")])
def test_table_speaks_one_language(tmp_path: Path, language: str, words: str) -> None:
    shown = run(tmp_path, "--lang", language).stdout

    assert words in shown
    assert ("The backend runs" in shown) is (language == "en")


@pytest.mark.parametrize(("locale", "is_chinese"), [("C.UTF-8", True), ("zh_CN.UTF-8", True), ("en_US.UTF-8", False)])
def test_table_speaks_one_language_unless_told(tmp_path: Path, locale: str, is_chinese: bool) -> None:
    shown = run(tmp_path, LC_ALL=locale).stdout

    assert ("后端在运行" in shown, "The backend runs" in shown) == (is_chinese, not is_chinese)


def test_two_languages_are_stacked_so_that_80_columns_are_enough(tmp_path: Path) -> None:
    lines = run(tmp_path, "--lang", "both", COLUMNS="80").stdout.splitlines()

    at = lines.index(next(line for line in lines if "访问日志里有 POST / A POST in the access log" in line))
    assert lines[at + 1].split() == ["启动后还没有", "/", "none", "since", "the", "start"]
    assert len(lines) < 60


def test_health_that_hides_its_details_is_not_filled_with_guesses() -> None:
    server = RunningServer(None, "127.0.0.1", 1)
    health = {"status": "ok", "components": {"mongodb": {"state": "ok"}, "redis": {"state": "ok"}}}
    seen = Look(Settings(), server, health, health)

    shown = [server_rows(seen)[0].seen.zh, *(row.seen.zh for row in store_rows(seen))]

    assert "MEDIACRAWER_TOKEN" in shown[0]
    assert "v?" not in shown[0]
    assert shown[1:] == ["ok", "ok"]


def test_unknown_language_is_refused(tmp_path: Path) -> None:
    answer = run(tmp_path, "--lang", "fr")

    assert (answer.exit_code, answer.stderr) == (2, "--lang: zh, en, both\n")


def test_stores_that_do_not_answer_are_told_when_the_server_is_down(tmp_path: Path) -> None:
    urls = {"MONGODB_URL": "mongodb://me:s3cret-pass@127.0.0.1:9/", "REDIS_URL": "redis://127.0.0.1:9/"}

    answer = run(tmp_path, "--json", **{**urls, "STORES": "auto"})

    states = {row["id"]: row["state"] for row in json.loads(answer.stdout)["rows"]}
    assert (states["mongodb"], states["redis"]) == ("bad", "bad")
    assert "s3cret-pass" not in answer.output
