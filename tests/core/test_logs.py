import asyncio
import gc
import logging
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import tornado.httpserver
import tornado.netutil
import tornado.web
from loguru import logger

from backend.core.logs import captured_log, make_redactor
from backend.core.settings import ROOT

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \| (?P<level>.{8}) \| (?P<origin>[^ ]+:[^ ]+):\d+ \| (?P<message>.*)"
)


def parse(line: str) -> tuple[str, str, str]:
    found = LINE.fullmatch(line)
    assert found is not None, line
    return found["level"], found["origin"], found["message"]


def run_program(text: str, *, encoding: str = "gbk") -> subprocess.CompletedProcess[bytes]:
    """Run `text` in a fresh interpreter, as a console with that encoding would."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=ROOT,
        env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "PATH": ""},
        capture_output=True,
        check=True,
        timeout=30,
    )


def test_line_has_the_format_of_the_owner() -> None:
    with captured_log() as lines:
        logger.success("✅ MongoDB 连接成功")

    level, origin, message = parse(lines[0])
    assert (level, message) == ("SUCCESS ", "✅ MongoDB 连接成功")
    assert origin.endswith(":test_line_has_the_format_of_the_owner")


@pytest.mark.parametrize(
    ("module", "shown"),
    [
        ("backend.core.database", "core.database"),
        ("backend.services.task_service", "services.task_service"),
        ("backend.main", "__main__"),
        ("__main__", "__main__"),
        ("asyncio", "asyncio"),
    ],
)
def test_backend_is_cut_from_the_name(module: str, shown: str) -> None:
    with captured_log() as lines:
        logger.patch(lambda record: record.update({"name": module})).info("x")

    assert parse(lines[0])[1].startswith(f"{shown}:")


def test_braces_in_a_message_are_text() -> None:
    with captured_log() as lines:
        logger.info('{"a": {b}}')

    assert parse(lines[0])[2] == '{"a": {b}}'


def test_exception_follows_its_line_without_values_of_variables() -> None:
    def fail() -> None:
        private = "value-of-a-variable"
        raise ValueError(len(private))

    with captured_log() as lines:
        try:
            fail()
        except ValueError:
            logger.exception("failed")

    assert parse(lines[0])[2] == "failed"
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: 19"
    assert not any("= 'value-of-a-variable'" in line for line in lines)


def test_text_from_outside_cannot_forge_a_line() -> None:
    with captured_log() as lines:
        logger.info("title\n2026-01-01 00:00:00 | ERROR    | a:b:1 | forged\r\x1b[2J\u2028x")

    assert [LINE.fullmatch(line) is not None for line in lines] == [True, False]
    assert lines[1].endswith(r"forged\x0d\x1b[2J\x2028x")


def test_endless_message_is_cut() -> None:
    with captured_log() as lines:
        logger.info("x" * 100_000)

    assert len(lines[0]) < 9_000
    assert lines[0].endswith("… (92000 more characters)")


def test_secret_values_are_cut_in_every_form() -> None:
    with captured_log(secrets=["k/ey+1", "k/ey+1-longer"]) as lines:
        logger.info("k/ey+1-longer k/ey+1 https://h/?q=k%2Fey%2B1")

    assert parse(lines[0])[2] == "*** *** https://h/?q=***"


def test_secret_in_an_exception_is_cut() -> None:
    with captured_log(secrets=["hidden-value"]) as lines:
        try:
            int("hidden-value")
        except ValueError:
            logger.exception("failed")

    assert lines[-1] == "ValueError: invalid literal for int() with base 10: '***'"


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("{'Cookie': 'a=b; c=d', 'n': 1}", "{'Cookie': '***', 'n': 1}"),
        ("(b'Set-Cookie', b'sid=1; Path=/')", "(b'Set-Cookie', b'***')"),
        ('"x-api-key": "abc"', '"x-api-key": "***"'),
        ("proxy-authorization=Basic abc", "proxy-authorization=***"),
        ("GET /a?token=abc&page=2", "GET /a?token=***&page=2"),
        ("GET /a?xsec_token=abc&api_key=d#x", "GET /a?xsec_token=***&api_key=***#x"),
        ("?X-Amz-Signature=abc", "?X-Amz-Signature=***"),
        ('{"access_token": "abc", "n": 1}', '{"access_token": "***", "n": 1}'),
        ("mongodb://user:pass@host/db", "mongodb://user:***@host/db"),
        ("redis://:pass@host/0", "redis://:***@host/0"),
    ],
)
def test_credentials_are_cut_wherever_they_stand(text: str, cut: str) -> None:
    assert make_redactor([])(text) == cut


@pytest.mark.parametrize(
    "text",
    ["200 POST /api/v1/tasks (127.0.0.1) 0.39ms", "monkey=1", "https://host:8080/a@b", "🍪 cookies", "keyboard=2"],
)
def test_innocent_text_is_left_alone(text: str) -> None:
    assert make_redactor([])(text) == text


def test_redaction_of_a_hostile_text_takes_no_quadratic_time() -> None:
    redact = make_redactor([])

    assert redact("a-" * 200_000 + "://" * 50_000 + "x-" * 100_000)


def test_standard_logging_keeps_its_origin() -> None:
    with captured_log() as lines:
        logging.getLogger("some.library").warning("%d of %s", 1, "{2}")

    level, origin, message = parse(lines[0])
    assert (level, origin, message) == ("WARNING ", f"some.library:{sys._getframe().f_code.co_name}", "1 of {2}")


def test_standard_record_with_wrong_arguments_is_not_lost() -> None:
    done = run_program(
        "from backend.core.logs import configure_logs\nimport logging\nconfigure_logs()\n"
        "logging.getLogger('some.library').warning('%d', 'x')\n"
    )

    assert parse(done.stderr.decode("utf-8").strip())[2] == "%d"


async def test_access_line_begins_with_status_method_and_path() -> None:
    class Created(tornado.web.RequestHandler):
        def post(self) -> None:
            self.write({})

    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/api/v1/tasks", Created)]))
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    with captured_log() as lines:
        async with httpx.AsyncClient() as client:
            await client.post(f"http://127.0.0.1:{sockets[0].getsockname()[1]}/api/v1/tasks")
        server.stop()
        await server.close_all_connections()

    access = [parse(line) for line in lines if "tornado.access" in line]
    assert [(level, origin) for level, origin, _ in access] == [("INFO    ", "tornado.access:log_request")]
    assert access[0][2].startswith("200 POST /api/v1/tasks")


async def test_exception_of_a_task_nobody_awaited_reaches_the_log() -> None:
    async def fail() -> None:
        raise ValueError("lost")

    with captured_log() as lines:
        task = asyncio.ensure_future(fail())
        await asyncio.wait({task})
        del task
        gc.collect()

    assert parse(lines[0])[::2] == ("ERROR   ", "Task exception was never retrieved")
    assert lines[-1] == "ValueError: lost"


def test_console_that_is_not_utf8_gets_every_line() -> None:
    done = run_program(
        "from backend.core.logs import configure_logs\nfrom loguru import logger\n"
        "configure_logs()\n"
        "def startup():\n    logger.info('🚀 正在启动 \\ud800')\n    print('✅')\n"
        "startup()\n"
    )

    assert parse(done.stderr.decode("utf-8").strip())[1:] == ("__main__:startup", r"🚀 正在启动 \ud800")
    assert done.stdout.decode("utf-8").strip() == "✅"


def test_second_configuration_replaces_the_first() -> None:
    done = run_program(
        "from backend.core.logs import configure_logs\nfrom loguru import logger\nimport logging\n"
        "configure_logs('DEBUG')\nconfigure_logs('WARNING')\n"
        "logger.info('no')\nlogger.warning('once')\nlogging.getLogger('a').warning('again')\n"
    )

    assert [parse(line)[2] for line in done.stderr.decode("utf-8").splitlines()] == ["once", "again"]


def test_warnings_of_python_reach_the_log() -> None:
    done = run_program(
        "from backend.core.logs import configure_logs\nimport warnings\nconfigure_logs()\n"
        "warnings.simplefilter('always')\nwarnings.warn('old')\n"
    )

    assert "py.warnings:" in done.stderr.decode("utf-8")


def test_talkative_libraries_are_heard_from_warning_on() -> None:
    done = run_program(
        "from backend.core.logs import configure_logs\nimport logging\nconfigure_logs('DEBUG')\n"
        "logging.getLogger('pymongo.command').debug('no')\nlogging.getLogger('httpx').info('no')\n"
        "logging.getLogger('httpx').warning('yes')\n"
    )

    assert [parse(line)[2] for line in done.stderr.decode("utf-8").splitlines()] == ["yes"]


def test_file_gets_the_same_redacted_lines(tmp_path: Path) -> None:
    path = tmp_path / "日志" / "server.log"
    done = run_program(
        "from backend.core.logs import configure_logs\nfrom loguru import logger\nfrom pathlib import Path\n"
        f"configure_logs('INFO', Path({str(path)!r}), ['hidden-value'])\nlogger.info('🚀 hidden-value \\ud800')\n"
    )

    assert path.read_bytes() == done.stderr
    assert parse(path.read_text("utf-8").strip())[2] == r"🚀 *** \ud800"


def test_file_is_rotated_and_old_ones_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "server.log"

    run_program(
        "import backend.core.logs as logs\nfrom loguru import logger\nfrom pathlib import Path\n"
        "logs.FILE_MAX_BYTES = 1000\n"
        f"logs.configure_logs('INFO', Path({str(path)!r}))\n"
        "for n in range(100):\n    logger.info('x' * 100)\n"
    )

    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "server.log",
        *(f"server.log.{number}" for number in range(1, 6)),
    ]
    assert all(file.stat().st_size <= 1_000 for file in tmp_path.iterdir())


def test_log_that_cannot_be_rotated_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    # What is in the way of every rotation; on Windows an editor that has the log open is enough.
    for number in (4, 5):
        (tmp_path / f"server.log.{number}" / "in the way").mkdir(parents=True)

    run_program(
        "import backend.core.logs as logs\nfrom loguru import logger\nfrom pathlib import Path\n"
        "logs.FILE_MAX_BYTES = 1000\n"
        f"logs.configure_logs('INFO', Path({str(path)!r}))\n"
        "for n in range(20):\n    logger.info('line {} of twenty, long enough to be rotated soon', n)\n"
    )

    lines = path.read_text("utf-8").splitlines()
    assert [int(line.rpartition("line ")[2].split()[0]) for line in lines] == list(range(20))
