"""The rows about the server's log since its last start: did a POST arrive, and did anything go wrong."""

import re
from collections.abc import Sequence
from pathlib import Path

from backend.core.settings import Settings, log_file_of
from backend.doctor.rows import Row
from backend.domain.text import Text

START = "🚀 MediaCrawer Pro 正在启动..."
_TAIL_BYTES = 4 * 1024 * 1024
_POST = re.compile(r"\| tornado\.access:\S+ +\| \d{3} POST /api/v1/(?!system/)")
_LINE = re.compile(r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \| (?P<level>[A-Z]+) *\| ")
_POSTED, _ERRORS = Text("访问日志里有 POST", "A POST in the access log"), Text("启动后的错误", "Errors since the start")
_CHARS = 120


def log_rows(settings: Settings) -> list[Row]:
    """Return the two rows."""
    lines = since_start(tail_of(log_file_of(settings)))
    return [_posted(lines), _errors(lines)]


def tail_of(path: Path) -> list[str]:
    """Return the last lines of the log, 4 MB at most; none where there is no log."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def since_start(lines: Sequence[str]) -> list[str]:
    """Return the lines from the last start on; all of them when it is not among them."""
    starts = [number for number, line in enumerate(lines) if line.endswith(START)]
    return list(lines[starts[-1] :]) if starts else list(lines)


def failures_in(lines: Sequence[str], *levels: str) -> list[str]:
    """Return the lines of these levels, each followed by its traceback."""
    found, is_wanted = [], False
    for line in lines:
        head = _LINE.match(line)
        is_wanted = head["level"] in levels if head else is_wanted
        if is_wanted:
            found.append(line)
    return found


def _posted(lines: Sequence[str]) -> Row:
    posts = [line for line in lines if _POST.search(line)]
    if not posts:
        advice = Text(
            "在页面上点“创建”再看一次；仍然没有，说明页面连的不是这个地址",
            "Press Create on the page and look again; still none means that the page talks to another address",
        )
        return Row("post", _POSTED, "none", Text("启动后还没有", "none since the start"), advice)
    head = _LINE.match(posts[-1])
    last = head["at"] if head else "?"
    return Row("post", _POSTED, "ok", Text(f"{len(posts)} 次，最近 {last}", f"{len(posts)}, the last at {last}"))


def _errors(lines: Sequence[str]) -> Row:
    errors = [line for line in failures_in(lines, "ERROR", "CRITICAL") if _LINE.match(line)]
    if not errors:
        return Row("errors", _ERRORS, "ok", Text("没有", "none"))
    last = errors[-1].split(" | ", 2)[-1][:_CHARS]
    advice = Text("运行 mediacrawer doctor --bundle 打包给别人看", "mediacrawer doctor --bundle packs them for others")
    return Row(
        "errors", _ERRORS, "none", Text(f"{len(errors)} 条，最近: {last}", f"{len(errors)}, the last: {last}"), advice
    )
