"""A running task as a terminal shows it: a bar that lives, or plain lines where nobody looks."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from rich.console import Console, ConsoleRenderable, Group, RichCast
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text as Styled

from backend.api.language import Speech
from backend.cli.speech import BOOKS, STAGE, STATUS, UNIT, word
from backend.domain.text import Text

if TYPE_CHECKING:
    from backend.api.tasks.records import TaskSummary

_REFRESHES_PER_S = 8
_BAR_WIDTH = 32
# So that the bar stays where it is from one stage to the next.
_STEP_CELLS = 12
_LINE_EVERY_S = 5.0
_MINUTE_S, _HOUR_S = 60, 3_600
_BOOK_STYLES = {"ok": "green", "blocked": "red", "failed": "red", "skipped": "yellow", "aborted": "yellow"}


class View(Protocol):
    """Shows a task while it runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, task: "TaskSummary") -> None:
        """Show the task as it is now."""

    def say(self, line: str) -> None:
        """Show a line that stays."""


class LiveView:
    """A panel that is drawn again and again in place, and is gone at the end."""

    def __init__(self, console: Console, speech: Speech, *, hint: Text) -> None:
        self._speech = speech
        self._hint = hint
        self._task: TaskSummary | None = None
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            get_renderable=self._render, console=console, refresh_per_second=_REFRESHES_PER_S, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, task: "TaskSummary") -> None:
        """Show the task as it is now."""
        self._task = task

    def say(self, line: str) -> None:
        """Print a line above the panel."""
        self._live.console.print(line, markup=False, highlight=False)

    def _render(self) -> ConsoleRenderable | RichCast | str:
        if self._task is None:
            return self._spinner
        return panel(self._task, self._speech, self._spinner, hint=self._hint, now=datetime.now(UTC))


class PlainView:
    """A line at each change of state or stage, and every few seconds; no colour, no cursor."""

    def __init__(self, console: Console, speech: Speech, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._speech = speech
        self._elapsed = elapsed
        self._last: tuple[str, str] | None = None
        self._last_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, task: "TaskSummary") -> None:
        """Print a line when there is something to tell."""
        state = (task["status"], task["progress"]["stage"])
        if state == self._last and self._elapsed() - self._last_at < _LINE_EVERY_S:
            return
        self._last, self._last_at = state, self._elapsed()
        status = word(STATUS, task["status"], self._speech)
        self.say(f"{task['task_id']} {status} · {progress_line(task, self._speech)}")

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def panel(
    task: "TaskSummary", speech: Speech, spinner: ConsoleRenderable | RichCast, *, hint: Text, now: datetime
) -> Group:
    """Return a task as four lines: what it is, how far it is, its books, what can be done."""
    head = Table.grid(padding=(0, 1))
    title = Styled(task["title"] or task["type"], style="bold", overflow="ellipsis", no_wrap=True)
    where = f"{task['platform']}/{task['type']} · {task['task_id']}"
    head.add_row(spinner, title, Styled(where, style="dim", no_wrap=True))
    bar = Table.grid(padding=(0, 1))
    status = task["status"]
    step = word(STAGE, task["progress"]["stage"], speech) if status == "running" else word(STATUS, status, speech)
    bar.add_column(min_width=_STEP_CELLS, no_wrap=True)
    # The only one that gives way in a narrow terminal.
    bar.add_column(max_width=_BAR_WIDTH)
    bar.add_column(no_wrap=True)
    bar.add_row(Styled(f"  {step}", style="cyan"), _bar(task), Styled(_figures(task, speech, now)))
    rows: list[ConsoleRenderable | RichCast | str] = [head, bar]
    if _counts(task["books"]):
        rows.append(_books(task, speech))
    if task["notice"] is not None:
        action = task["notice"]["action"]
        rows.append(Styled(f"  ! {task['notice']['message']}" + (f" → {action}" if action else ""), style="yellow"))
    rows.append(Styled(f"  {speech.tell(hint)}", style="dim"))
    return Group(*rows)


def progress_line(task: "TaskSummary", speech: Speech) -> str:
    """Return stage, count, rate, time to go and books in one line."""
    stage = word(STAGE, task["progress"]["stage"], speech)
    return " · ".join(part for part in (stage, _figures(task, speech, None), books_line(task, speech)) if part)


def books_line(task: "TaskSummary", speech: Speech) -> str:
    """Return the books: what came of everything that was asked for, zeros left out."""
    return " · ".join(f"{word(BOOKS, name, speech)} {count}" for name, count in _counts(task["books"]).items()) or "-"


def duration(begin: str, end: str | None, now: datetime | None = None) -> str:
    """Return the time between two stamps of the API, to `now` when there is no end."""
    until = datetime.fromisoformat(end) if end else now or datetime.now(UTC)
    return clock_face(max(0.0, (until - datetime.fromisoformat(begin)).total_seconds()))


def clock_face(seconds: float) -> str:
    """Return 4.2 s, 1:02 or 3:04:05."""
    if seconds < _MINUTE_S:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = divmod(whole // _MINUTE_S, _HOUR_S // _MINUTE_S)
    return f"{hours}:{minutes:02}:{whole % _MINUTE_S:02}" if hours else f"{minutes}:{whole % _MINUTE_S:02}"


def _bar(task: "TaskSummary") -> ProgressBar:
    done, total = task["progress"]["done"], task["progress"]["total"]
    is_counted = bool(total) and task["status"] == "running"
    return ProgressBar(
        total=total if is_counted else None,
        completed=done,
        pulse=not is_counted,
        complete_style="cyan",
        finished_style="green",
        pulse_style="cyan",
    )


def _figures(task: "TaskSummary", speech: Speech, now: datetime | None) -> str:
    progress = task["progress"]
    unit = word(UNIT, progress["unit"], speech)
    parts = [f"{progress['done']}{'' if progress['total'] is None else '/' + str(progress['total'])} {unit}"]
    if progress["rate"] is not None:
        parts.append(f"{progress['rate']:.1f} {unit}/s")
    if progress["eta_s"] is not None:
        parts.append(f"{speech.tell(Text('剩余', 'left'))} {clock_face(progress['eta_s'])}")
    if now is not None and task["started_at"] is not None:
        parts.append(f"{speech.tell(Text('已用', 'took'))} {duration(task['started_at'], task['ended_at'], now)}")
    return " · ".join(parts)


def _books(task: "TaskSummary", speech: Speech) -> Styled:
    line = Styled("  ")
    for name, count in _counts(task["books"]).items():
        line.append(f"{word(BOOKS, name, speech)} ", style="dim")
        line.append(f"{count}  ", style=_BOOK_STYLES.get(name, ""))
    return line


def _counts(books: Mapping[str, Any]) -> dict[str, int]:
    return {name: books[name] for name in BOOKS if books[name]}
