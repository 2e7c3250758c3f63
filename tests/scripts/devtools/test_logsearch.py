from pathlib import Path

import pytest

from scripts.devtools.logsearch import loop_errors

_REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" tests="1">
<testcase classname="tests.test_x" name="{name}"><{tag}>{text}</{tag}></testcase>
</testsuite></testsuites>
"""


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: Event loop is closed",
        "the loop is closed",
        "RuntimeError: no running event loop",
        "no running loop",
    ],
)
def test_loop_error_in_a_server_log_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "server.log").write_text(f"2026-11-21 | INFO | fine\n{line}\n", encoding="utf-8")

    assert list(loop_errors(tmp_path)) == [f"server.log: {line}"]


@pytest.mark.parametrize("tag", ["system-out", "system-err"])
def test_loop_error_in_what_a_test_printed_is_found(tmp_path: Path, tag: str) -> None:
    report = _REPORT.format(name="test_y", tag=tag, text="a\nEvent loop is closed")
    (tmp_path / "pytest-fast.xml").write_text(report, encoding="utf-8")

    assert list(loop_errors(tmp_path)) == ["tests.test_x::test_y: Event loop is closed"]


def test_name_of_a_test_is_not_a_log_line(tmp_path: Path) -> None:
    report = _REPORT.format(name="test_y[Event loop is closed]", tag="system-out", text="fine")
    (tmp_path / "pytest-fast.xml").write_text(report, encoding="utf-8")

    assert list(loop_errors(tmp_path)) == []


def test_log_that_is_not_utf8_is_still_searched(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_bytes(b"\xff\xfe\nEvent loop is closed\n")

    assert len(list(loop_errors(tmp_path))) == 1
