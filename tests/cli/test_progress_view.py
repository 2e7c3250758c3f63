import io
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from rich.console import Console
from rich.text import Text as Styled

from backend.api.language import speech_of
from backend.api.tasks.records import TaskSummary
from backend.cli.progress_view import PlainView, clock_face, panel
from backend.domain.text import Text

NOW = datetime(2026, 11, 22, 8, 1, 2, tzinfo=UTC)
HINT = Text("提示", "hint")
NO_BOOKS = dict.fromkeys(("ok", "empty", "blocked", "failed", "skipped", "aborted", "stored", "queued_left"), 0)


def task(**changes: Any) -> TaskSummary:
    progress = {"done": 382, "total": 500, "unit": "page", "rate": 6.2, "eta_s": 19.0, "stage": "fetch"}
    made: dict[str, Any] = {
        **{"task_id": "t_1", "platform": "web", "type": "site", "title": "[b]露营[/b]", "status": "running"},
        **{"progress": progress, "books": {**NO_BOOKS, "ok": 382, "failed": 6}, "notice": None},
        **{"started_at": "2026-11-22T08:00:00.000Z", "ended_at": None},
        **changes,
    }
    return cast("TaskSummary", made)


def drawn(shown: TaskSummary, language: str = "zh", width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(panel(shown, speech_of(language, "both"), Styled("*"), hint=HINT, now=NOW))
    return cast("io.StringIO", console.file).getvalue()


def test_panel_tells_stage_count_rate_time_and_books() -> None:
    shown = drawn(task(), "en")

    assert all(part in shown for part in ("fetching", "382/500 pages", "6.2 pages/s", "left 19.0 s", "took 1:02"))
    assert all(part in shown for part in ("ok 382", "failed 6", "hint"))
    assert "skipped" not in shown


def test_title_is_no_markup() -> None:
    assert "[b]露营[/b]" in drawn(task())


@pytest.mark.parametrize("width", [60, 80, 200])
def test_figures_are_whole_at_any_usual_width(width: int) -> None:
    lines = drawn(task(), width=width).splitlines()

    assert any("382/500 页 · 6.2 页/s · 剩余 19.0 s" in line for line in lines)


def test_notice_is_shown_with_what_to_do() -> None:
    notice = {"code": "NEEDS_LOGIN", "message": "需要登录", "action": "打开账号页"}

    assert "需要登录 → 打开账号页" in drawn(task(status="waiting", notice=notice))


def test_plain_view_tells_a_change_at_once_and_the_rest_now_and_then() -> None:
    now_s = 0.0
    console = Console(file=io.StringIO(), width=200)
    view = PlainView(console, speech_of("en", "both"), lambda: now_s)

    for now_s, status in (  # noqa: B007 - the view looks at it
        (0.0, "running"),
        (1.0, "running"),
        (9.0, "running"),
        (9.1, "cancelled"),
    ):
        view.show(task(status=status))

    said = cast("io.StringIO", console.file).getvalue().splitlines()
    assert [line.split()[1] for line in said] == ["running", "running", "cancelled"]
    assert "\x1b" not in "".join(said)


@pytest.mark.parametrize(("seconds", "shown"), [(4.24, "4.2 s"), (62, "1:02"), (11_045, "3:04:05")])
def test_time_is_shown_as_people_read_it(seconds: float, shown: str) -> None:
    assert clock_face(seconds) == shown
