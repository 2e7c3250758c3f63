"""Everything that is checked, part by part: what ran, how long it took, what was skipped and why.

Tests find two things in their environment: MEDIACRAWER_TEST_LOG_DIR, a folder into which whoever starts
a server writes its log, to be searched afterwards; and, for browser tests, CHROMIUM_PATH.
"""

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.devtools import frontend
from scripts.devtools.install import ROOT, install
from scripts.devtools.logsearch import loop_errors

LOGS = ROOT / ".test-logs"
# Debian, Ubuntu, Google's own package, and Chrome as macOS has it.
_BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_NO_TESTS_COLLECTED = 5
_MARKS = {"passed": "✓", "failed": "✗", "skipped": "–"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one part went: `state` is passed, failed or skipped; `note` says why when it is not passed."""

    state: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the summary, and what is done for it."""

    name: str
    do: Callable[[], Outcome]


@dataclass(frozen=True, slots=True)
class Counts:
    """Tests counted over all the result files of a run."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


def run(*, fast: bool) -> int:
    """Install what tests need, check everything (with `fast` what needs no minute), return the exit code."""
    python = install("dev")
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir()
    code = run_parts(_fast_parts(python) if fast else _all_parts(python))
    counts = counts_of(sorted(LOGS.glob("pytest-*.xml")))
    print(f"tests: {counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped", flush=True)
    return code


def run_parts(parts: Iterable[Part]) -> int:
    """Do every part, whatever the ones before it gave, and sum up; return 1 when any failed, else 0."""
    started = time.monotonic()
    lines: list[tuple[str, Outcome, float]] = []
    for part in parts:
        print(f"\n── {part.name} ──", flush=True)
        part_started = time.monotonic()
        outcome = part.do()
        lines.append((part.name, outcome, time.monotonic() - part_started))
        if outcome.note:
            print(f"{outcome.state}: {outcome.note}", flush=True)
    _print_summary(lines, time.monotonic() - started)
    return 1 if any(outcome.state == "failed" for _, outcome, _ in lines) else 0


def find_browser(environment: Mapping[str, str]) -> str | None:
    """Return the path of a Chromium: the one in CHROMIUM_PATH, else the first known name on PATH."""
    chosen = environment.get("CHROMIUM_PATH")
    names = (chosen,) if chosen else _BROWSERS
    search = environment.get("PATH", "")
    return next((found for name in names if (found := shutil.which(name, path=search))), None)


def counts_of(reports: list[Path]) -> Counts:
    """Add up the tests in pytest's JUnit files; an error in a fixture counts as a failure."""
    total = failed = skipped = 0
    for report in reports:
        for suite in ET.parse(report).getroot().iter("testsuite"):
            total += int(suite.get("tests", "0"))
            failed += int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
            skipped += int(suite.get("skipped", "0"))
    return Counts(max(0, total - failed - skipped), failed, skipped)


def _fast_parts(python: Path) -> Iterator[Part]:
    scripts = str(python.parent)
    linter = shutil.which("lint-imports", path=scripts) or "lint-imports"
    yield Part("ruff check", partial(_command, str(python), "-m", "ruff", "check", "."))
    yield Part("ruff format", partial(_command, str(python), "-m", "ruff", "format", "--check", "."))
    yield Part("mypy", partial(_command, str(python), "-m", "mypy"))
    yield Part("import contracts", partial(_command, linter))
    yield Part("fast tests", partial(_pytest, python, "fast", "not slow and not browser and not live"))
    yield Part("loop errors in logs", _search_logs)


def _all_parts(python: Path) -> Iterator[Part]:
    *checks, search = _fast_parts(python)
    yield from checks
    yield Part("slow tests", partial(_pytest, python, "slow", "slow and not browser and not live"))
    yield from _frontend_parts()
    yield Part("browser tests", partial(_browser_tests, python))
    yield search
    yield Part("compose file", _compose)
    yield Part("live tests", partial(Outcome, "skipped", "they talk to real sites; run: pytest -m live"))
    if sys.platform != "win32":
        reason = "Windows only, the .ps1 scripts too: nothing here can run them"
        yield Part("windows tests", partial(Outcome, "skipped", reason))


def _frontend_parts() -> Iterator[Part]:
    if not frontend.is_present():
        yield Part("frontend", partial(Outcome, "skipped", "frontend/package.json is not there"))
        return
    npm = frontend.find_npm()
    for name, script in (("types", "typecheck"), ("unit tests", "test"), ("build", "build"), ("size", "budget")):
        yield Part(f"frontend {name}", partial(_npm_script, npm, script))


def _npm_script(npm: frontend.Npm, script: str) -> Outcome:
    try:
        frontend.install_packages(npm)
    except subprocess.CalledProcessError as error:
        return Outcome("failed", f"npm ci: exit code {error.returncode}")
    code = npm.run("run", script, "--silent", check=False)
    if code == 0 and script == "build":
        frontend.mark_built()
    return Outcome("failed", f"exit code {code}") if code else Outcome("passed")


def _command(*command: str, **environment: str) -> Outcome:
    variables = {**os.environ, **environment}
    code = subprocess.run(command, check=False, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL).returncode
    return Outcome("failed", f"exit code {code}") if code else Outcome("passed")


def _pytest(
    python: Path, name: str, marks: str, extra: Mapping[str, str] | None = None, *, workers: int = 2
) -> Outcome:
    """Run the tests carrying `marks`; all they print or log goes to LOGS/pytest-`name`.xml as well."""
    if sys.platform != "win32":
        marks += " and not windows"
    command = [
        *(str(python), "-m", "pytest", "-m", marks, "-rs"),
        *(
            "-n",
            str(workers),
            "--dist",
            "loadfile",
            "--junitxml",
            str(LOGS / f"pytest-{name}.xml"),
            "-o",
            "junit_logging=all",
        ),
    ]
    environment = {**os.environ, "MEDIACRAWER_TEST_LOG_DIR": str(LOGS), **(extra or {})}
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    if done.returncode == _NO_TESTS_COLLECTED:
        return Outcome("skipped", f"no test is marked: {marks}")
    return Outcome("failed", f"exit code {done.returncode}") if done.returncode else Outcome("passed")


def _browser_tests(python: Path) -> Outcome:
    browser = find_browser(os.environ)
    if browser is None:
        return Outcome("skipped", "no Chromium on PATH; install one, or set CHROMIUM_PATH")
    if not (frontend.FRONTEND / "dist" / "index.html").is_file():
        return Outcome("skipped", "frontend/dist is not there: the frontend was not built")
    # Two at a time, each with a browser and a server of its own: a page waits more than it works.
    return _pytest(python, "browser", "browser and not live", {"CHROMIUM_PATH": browser})


def _compose() -> Outcome:
    """Read docker-compose.yml as docker-compose does; starts nothing and needs no engine."""
    compose = shutil.which("docker-compose")
    if compose is None:
        return Outcome("skipped", "docker-compose is not installed")
    return _command(compose, "config", "--quiet", AUTH_TOKEN="only-to-read-the-file")


def _search_logs() -> Outcome:
    """Fail when a closed or missing loop was mentioned in any test's output or any server's log."""
    found = list(loop_errors(LOGS))
    for line in found:
        print(line, flush=True)
    return Outcome("failed", f"{len(found)} lines, see above") if found else Outcome("passed")


def _print_summary(lines: list[tuple[str, Outcome, float]], seconds: float) -> None:
    print("\n── summary ──")
    for name, outcome, part_seconds in lines:
        note = f"  {outcome.state}: {outcome.note}" if outcome.note else ""
        print(f"{_MARKS[outcome.state]} {name:<20} {part_seconds:6.1f} s{note}")
    states = [outcome.state for _, outcome, _ in lines]
    verdict = "有失败 FAILED" if "failed" in states else "全部通过 OK"
    parts = ", ".join(f"{states.count(state)} {state}" for state in _MARKS)
    print(f"{verdict}: parts {parts}; {seconds:.0f} s", flush=True)
