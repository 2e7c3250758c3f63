from pathlib import Path

import pytest

from scripts.devtools.suite import Counts, Outcome, Part, counts_of, find_browser, run_parts


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """A folder for PATH with an executable called chromium-browser."""
    path = tmp_path / "chromium-browser"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return tmp_path


def test_browser_is_found_under_another_known_name(bin_folder: Path) -> None:
    assert find_browser({"PATH": str(bin_folder)}) == str(bin_folder / "chromium-browser")


def test_chosen_browser_that_is_missing_is_not_replaced(bin_folder: Path) -> None:
    assert find_browser({"PATH": str(bin_folder), "CHROMIUM_PATH": str(bin_folder / "none")}) is None


def test_machine_without_a_browser_gives_none(tmp_path: Path) -> None:
    assert find_browser({"PATH": str(tmp_path)}) is None


def test_failed_part_does_not_stop_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_parts(
        [Part("first", lambda: Outcome("failed", "exit code 2")), Part("second", lambda: Outcome("passed"))]
    )

    assert code == 1
    assert "✓ second" in capsys.readouterr().out


def test_skipped_part_is_named_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    code = run_parts([Part("browser tests", lambda: Outcome("skipped", "no Chromium on PATH"))])

    summary = capsys.readouterr().out.split("── summary ──")[1]
    assert code == 0
    assert "– browser tests" in summary
    assert "skipped: no Chromium on PATH" in summary


def test_tests_are_counted_over_all_reports(tmp_path: Path) -> None:
    for name, numbers in {"a": 'tests="5" failures="1" errors="1" skipped="1"', "b": 'tests="2"'}.items():
        (tmp_path / f"{name}.xml").write_text(f"<testsuites><testsuite {numbers}/></testsuites>")

    counts = counts_of([tmp_path / "a.xml", tmp_path / "b.xml"])

    assert counts == Counts(passed=4, failed=2, skipped=1)
