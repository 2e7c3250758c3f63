"""The worked examples of docs/adding-a-platform.md and docs/adding-a-provider.md, built as the guides say and run.

Their files are written into a copy of the repository, as new files: nothing else is changed there.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fixtures.guide_blocks import blocks_of
from tests.fixtures.server import NewServer

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "docs" / name for name in ("adding-a-platform.md", "adding-a-provider.md")]
FILES = {block.title: block.text for guide in GUIDES for block in blocks_of(guide) if block.title}
_NOT_COPIED = shutil.ignore_patterns("__pycache__")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with the examples' files in it."""
    made = tmp_path_factory.mktemp("checkout")
    for folder in ("backend", "tests"):
        shutil.copytree(ROOT / folder, made / folder, ignore=_NOT_COPIED)
    shutil.copy(ROOT / "pyproject.toml", made)
    for name, text in FILES.items():
        path = made / name
        assert not path.exists(), f"{name} is no new file"
        path.write_text(text, encoding="utf-8")
    return made


def run(checkout: Path, *command: str) -> str:
    """Run a command there and return what it printed. Raises AssertionError with that when it fails."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=checkout,
        env={**ours, "PYTHONPATH": str(checkout)},
        capture_output=True,
        check=False,
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, said[-6000:]
    return said


def checks_shown() -> list[str]:
    """The pytest commands of both guides as one: their files, and their words for -k."""
    shown = [
        shlex.split(line)
        for guide in GUIDES
        for block in blocks_of(guide)
        if block.language == "bash"
        for line in block.text.splitlines()
        if line.startswith("python -m pytest")
    ]
    files = dict.fromkeys(word for words in shown for word in words if word.endswith(".py"))
    return ["pytest", "-q", "-p", "no:cacheprovider", *files, "-k", " or ".join(words[-1] for words in shown)]


def test_each_example_is_of_the_files_its_guide_lists() -> None:
    for guide in GUIDES:
        listed = [f"| `{block.title}` |" for block in blocks_of(guide) if block.title]
        text = guide.read_text(encoding="utf-8")

        assert listed
        assert [one for one in listed if one not in text] == []


def test_examples_are_as_clean_as_our_own_code(checkout: Path) -> None:
    run(checkout, "ruff", "check", "--no-cache", *FILES)
    run(checkout, "ruff", "format", "--no-cache", "--check", *FILES)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_examples_pass_the_checks_that_the_guides_show(checkout: Path) -> None:
    said = run(checkout, *checks_shown())

    # Fourteen checks of the contract alone.
    assert int(said.rpartition(" passed")[0].split()[-1]) >= 30
    assert "skipped" not in said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_task_of_each_example_runs_to_its_end_on_the_real_server(checkout: Path, new_server: NewServer) -> None:
    with stand_in(checkout, "plaza_server") as plaza, stand_in(checkout, "easel_server") as easel:
        environ = {"PLAZA_BASE_URL": plaza, "PLAZA_MIN_INTERVAL_S": "0"}
        environ |= {"EASEL_BASE_URL": easel, "EASEL_API_KEY": "any", "EASEL_POLL_INTERVAL_S": "0.1"}
        server = new_server(environ, cwd=checkout).start()

        crawl = server.call("POST", "/tasks", {"platform": "plaza", "keywords": ["露营"], "limit": 12})
        picture = server.call("POST", "/tasks", {"platform": "easel", "prompt": "雪山"})

        crawl, picture = server.wait_for(crawl["task_id"]), server.wait_for(picture["task_id"])
        assert (crawl["status"], crawl["books"]["stored"], crawl["books"]["balanced"]) == ("succeeded", 12, True)
        assert (picture["status"], picture["artifacts"][0]["media_type"]) == ("succeeded", "image/png")
        assert server.stop() == 0


@contextmanager
def stand_in(checkout: Path, module: str) -> Iterator[str]:
    """Run one of the examples' stand-ins by itself; yield the base URL that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.fixtures.{module}"], cwd=checkout, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()
