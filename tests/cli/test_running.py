"""`crawl` and `tasks` against a server that runs."""

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.command import call, interrupted, started
from tests.fixtures.command_server import Place, place
from tests.fixtures.terminal import Terminal

if TYPE_CHECKING:
    import subprocess

__all__ = ["place"]
pytestmark = pytest.mark.slow


def run(place: Place, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return call(*arguments, MEDIACRAWER_URL=place.server.base, LANG="en_US.UTF-8")


def crawl_words(place: Place, pages: int) -> list[str]:
    return ["crawl", place.start, "--max-pages", str(pages), "-p", "obey_robots=false", "-p", "concurrency=1"]


def test_crawl_ends_with_what_came_of_it_and_the_task_can_be_shown_and_exported(place: Place, tmp_path: Path) -> None:
    done = run(place, *crawl_words(place, 3), "--json")
    record = json.loads(done.stdout)
    shown = run(place, "tasks", "show", "--last", "--raw")
    exported = run(place, "tasks", "export", record["task_id"], "-f", "jsonl", "-o", str(tmp_path / "a.jsonl"))

    assert (done.returncode, record["status"], record["books"]["stored"]) == (0, "succeeded", 3)
    assert json.loads(shown.stdout)["task_id"] == record["task_id"]
    assert exported.returncode == 0
    assert len((tmp_path / "a.jsonl").read_text("utf-8").splitlines()) == 3
    assert [one.name for one in tmp_path.iterdir()] == ["a.jsonl"]


def test_ctrl_c_in_crawl_cancels_and_says_in_how_many_ms(place: Place) -> None:
    with started(*crawl_words(place, 5_000), MEDIACRAWER_URL=place.server.base) as process:
        code, said = interrupted(process)

    newest = place.server.call("GET", "/tasks", limit="1")["items"][0]
    assert (code, newest["status"]) == (130, "cancelled")
    assert f"Cancelled in {newest['cancel_latency_ms']:.1f} ms" in said


def test_ctrl_c_in_watch_only_detaches_and_cancel_ends_the_task(place: Place) -> None:
    task_id = place.endless()
    place.server.wait_for(task_id, "running")

    with started("tasks", "watch", task_id, MEDIACRAWER_URL=place.server.base) as process:
        code, said = interrupted(process)
    after = place.server.task(task_id)["status"]
    cancelled = run(place, "tasks", "cancel", task_id)

    assert (code, after) == (130, "running")
    assert f"task {task_id} goes on" in said
    assert (cancelled.returncode, place.server.task(task_id)["status"]) == (0, "cancelled")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no pseudo-terminals of this kind")
def test_watch_draws_a_bar_in_a_terminal_and_ctrl_c_leaves_the_task_alone(place: Place) -> None:
    task_id = place.endless()

    with Terminal("tasks", "watch", task_id, MEDIACRAWER_URL=place.server.base) as terminal:
        drawn = terminal.read_until("━")
        terminal.press_ctrl_c()
        said, code = terminal.read_to_end()

    assert "\x1b[" in drawn
    assert f"task {task_id} goes on" in said
    assert (code, place.server.task(task_id)["is_final"]) == (130, False)


def test_cancel_by_filter_reaches_all_that_match(place: Place) -> None:
    task_ids = [place.endless() for _ in range(2)]

    done = run(place, "tasks", "cancel", "--status", "active", "--platform", "web")

    assert done.returncode == 0
    assert all(place.server.wait_for(one)["status"] == "cancelled" for one in task_ids)


def test_refused_parameter_is_named_with_code_2(place: Place) -> None:
    done = run(place, "crawl", place.start, "-p", "max_pgaes=3")

    assert (done.returncode, done.stdout) == (2, "")
    assert "VALIDATION_FAILED" in done.stderr
    assert "params.max_pgaes" in done.stderr


def test_tasks_without_a_server_says_how_to_start_one() -> None:
    with tempfile.TemporaryDirectory(prefix="mcp-") as folder:
        done = call("tasks", "list", DATA_DIR=folder, PORT="0", MEDIACRAWER_URL="")

    assert done.returncode == 2
    assert "mediacrawer serve" in done.stderr
