from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from backend.cli import running
from backend.cli.outcome import file_lines
from backend.core.settings import Settings

if TYPE_CHECKING:
    from backend.api.tasks.records import TaskRecord
    from backend.cli.connection import Connection

URL = "http://127.0.0.1:8888"
LONG = "a_" + "0123456789" * 9


def record(count: int) -> "TaskRecord":
    one: dict[str, Any] = {"name": "clip.mp4", "role": "output", "size_bytes": 812_345, "sha256": "00" * 32}
    progress = {"done": 1, "total": 1, "unit": "frame", "rate": None, "eta_s": None, "stage": "done"}
    names = ("ok", "empty", "blocked", "failed", "skipped", "aborted", "stored", "queued_left")
    made: dict[str, Any] = {
        **{"task_id": "t_1", "platform": "storyboard", "type": "clip", "title": "营地", "status": "succeeded"},
        **{"message": "视频已生成", "started_at": None, "ended_at": None, "cancel_latency_ms": None, "is_final": True},
        **{"error": None, "notice": None, "progress": progress, "books": dict.fromkeys(names, 0)},
        "artifacts": [{**one, "url": f"/api/v1/artifacts/{LONG}"}] * count,
    }
    return cast("TaskRecord", made)


def test_place_of_a_file_is_one_line_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = running.Terminal(Settings(language="zh"))
    monkeypatch.setattr(terminal, "console", Console(width=80, highlight=False))
    connection = type("There", (), {"is_embedded": False, "url": URL})()

    terminal.tell_end(record(1), cast("Connection", connection))

    assert f"clip.mp4 (793.3 KB)  {URL}/api/v1/artifacts/{LONG}" in capsys.readouterr().out.splitlines()


def test_many_files_are_counted_and_not_all_shown() -> None:
    lines = list(file_lines(record(13), url=URL, data_dir=None))

    assert (len(lines), lines[-1]) == (11, "… +3")
