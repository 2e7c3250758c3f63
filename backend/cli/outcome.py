"""How a command about a task ends: its exit code, and the table of what came of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text as Styled

from backend.api.language import Speech
from backend.cli.interrupt import EXIT_CODE as INTERRUPTED
from backend.cli.progress_view import books_line, duration
from backend.cli.refusal import refuse
from backend.cli.speech import STATUS, word
from backend.client import ApiError, ClientError
from backend.domain.text import Text
from backend.store.artifact_files import ArtifactFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

    from backend.api.tasks.records import TaskRecord

FAILED = 1
PARTIAL = 3
WAITING = 4
_CODES = {"succeeded": 0, "partial": PARTIAL, "cancelled": INTERRUPTED, "waiting": WAITING}
STYLES = {
    "succeeded": "green",
    "partial": "yellow",
    "waiting": "yellow",
    "cancelling": "yellow",
    "running": "cyan",
    "failed": "red",
    "timed_out": "red",
}
_MANY_FILES = 10
_SIZE_STEP = 1024

_WITH_TOKEN = Text(
    "在这台机器上：mediacrawer token create <用户名>，再用 MEDIACRAWER_TOKEN=<令牌> mediacrawer …",
    "On this machine: mediacrawer token create <user>, then MEDIACRAWER_TOKEN=<token> mediacrawer ...",
)


def exit_code(record: "TaskRecord") -> int:
    """Return what the process ends with."""
    return _CODES.get(record["status"], FAILED)


def result_table(record: "TaskRecord", speech: Speech, *, url: str, data_dir: Path | None) -> Table:
    """Return what came of a task; with `data_dir` its server leaves with the command."""
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(record, speech, url=url, data_dir=data_dir):
        table.add_row(speech.tell(name) or "", value if isinstance(value, Styled) else Styled(value))
    return table


def refuse_for(error: ClientError, speech: Speech) -> "NoReturn":
    """Say what the server, or the way to it, refused, with its advice and fields, and leave with code 2."""
    lines = [str(error)]
    if isinstance(error, ApiError):
        lines = [f"{error.name}: {error.message}"]
        lines += [f"  {one.path}: {one.message}" for one in error.fields]
        lines += [f"  → {error.advice}"] if error.advice else []
        if error.name == "AUTH_REQUIRED":
            lines.append(f"  → {speech.say(_WITH_TOKEN)}")
        lines += [f"  request_id: {error.request_id}"] if error.request_id else []
    else:
        lines.append(speech.say(Text("  服务器没有给出完整的回答", "  the server has given no whole answer")))
    refuse("\n".join(lines))


def _rows(
    record: "TaskRecord", speech: Speech, *, url: str, data_dir: Path | None
) -> "Iterator[tuple[Text, str | Styled]]":
    status = record["status"]
    said = word(STATUS, status, speech) + (f" · {record['message']}" if record["message"] else "")
    yield Text("任务", "Task"), f"{record['task_id']} · {record['platform']}/{record['type']} · {record['title']}"
    yield Text("结果", "Ended"), Styled(said, style=STYLES.get(status, ""))
    if record["started_at"] is not None:
        yield Text("用时", "Took"), duration(record["started_at"], record["ended_at"])
    if record["cancel_latency_ms"] is not None:
        yield Text("取消用时", "Cancelled in"), f"{record['cancel_latency_ms']:.1f} ms"
    yield Text("账目", "Books"), books_line(record, speech)
    yield from _trouble(record)
    if data_dir is None:
        yield Text("页面", "Page"), f"{url}/tasks/{record['task_id']}"
    else:
        # The server that ran it leaves with the command.
        yield Text("查看", "See it"), f"mediacrawer serve → mediacrawer tasks show {record['task_id']}"


def _trouble(record: "TaskRecord") -> "Iterator[tuple[Text, str | Styled]]":
    error, notice = record["error"], record["notice"]
    if error is not None:
        where = f" ({error['url']})" if error["url"] else ""
        yield Text("错误", "Error"), Styled(f"{error['name']}: {error['message']}{where}", style="red")
        if error["advice"]:
            yield Text("建议", "Advice"), error["advice"]
    if notice is not None and not record["is_final"]:
        yield Text("提示", "Notice"), Styled(f"{notice['code']}: {notice['message']}", style="yellow")
        if notice["action"]:
            yield Text("建议", "Advice"), notice["action"]


def file_lines(record: "TaskRecord", *, url: str, data_dir: Path | None) -> "Iterator[str]":
    """Yield a line for each of the first files; one that is folded in a table cannot be copied."""
    shown = [one for one in record["artifacts"] if one["role"] in {"output", "media"}]
    for one in shown[:_MANY_FILES]:
        place = _local_path(one, data_dir) or f"{url}{one['url']}"
        yield f"{one['name']} ({_size(one['size_bytes'])})  {place}"
    if len(shown) > _MANY_FILES:
        yield f"… +{len(shown) - _MANY_FILES}"


def _local_path(artifact: Any, data_dir: Path | None) -> str | None:
    if data_dir is None:
        return None
    path = ArtifactFiles(data_dir / "artifacts").path_of(artifact["sha256"])
    return str(path) if path.is_file() else None


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "KB", "MB"):
        if size < _SIZE_STEP:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _SIZE_STEP
    return f"{size:.1f} GB"
