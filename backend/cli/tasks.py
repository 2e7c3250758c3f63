"""`mediacrawer tasks`: list, show, watch, cancel, export. What brings the client is imported inside the commands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backend.cli.crawl import EXIT_CODES, AsJson
from backend.domain.text import Text

if TYPE_CHECKING:
    from backend.cli.connection import Connection
    from backend.cli.running import Terminal
    from backend.cli.task_list import Found
    from backend.client.options import ExportFormat, TaskFilters

_LISTED = 20
_WAIT_S = 30.0

group = typer.Typer(
    name="tasks", no_args_is_help=True, help="查看和管理任务 / List, show, watch, cancel and export tasks."
)

Server = Annotated[
    str | None, typer.Option("--url", help="服务器地址 / The server, if not the one here; token: MEDIACRAWER_TOKEN.")
]
Status = Annotated[
    list[str] | None, typer.Option(help="状态，可重复；active 指未结束 / State, repeatable; active: not final.")
]
Kind = Annotated[str | None, typer.Option(help="crawl | generate")]
Platform = Annotated[str | None, typer.Option(help="平台 / Platform or provider.")]
TaskType = Annotated[str | None, typer.Option("--type", help="类型 / Type of the task.")]
Query = Annotated[str | None, typer.Option("--query", "-q", help="标题包含 / Part of the title.")]
Label = Annotated[str | None, typer.Option(help="标签 / Label.")]
Batch = Annotated[str | None, typer.Option("--batch", help="批次 / Batch id.")]
Since = Annotated[
    str | None, typer.Option("--from", help="创建时间不早于 / Made at or after, e.g. 2026-11-22T00:00:00+08:00.")
]
Until = Annotated[str | None, typer.Option("--to", help="创建时间早于 / Made before.")]
TaskId = Annotated[str, typer.Argument(metavar="ID", help="任务 ID / Id of the task.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group)


@group.command("list")
def list_(
    *,
    status: Status = None,
    kind: Kind = None,
    platform: Platform = None,
    task_type: TaskType = None,
    query: Query = None,
    label: Label = None,
    batch: Batch = None,
    since: Since = None,
    until: Until = None,
    sort: Annotated[
        str | None, typer.Option(help="created_at | updated_at | priority; 前加 - 为降序 / - in front: descending.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="条数 / How many.")] = _LISTED,
    server: Server = None,
    as_json: Annotated[bool, typer.Option("--json", help="每行一个 JSON / One JSON document a line.")] = False,
) -> None:
    """列出任务，最新的在前 / List tasks, newest first."""
    from backend.cli.running import talk  # noqa: PLC0415
    from backend.cli.task_list import first_tasks  # noqa: PLC0415

    filters = _filters(
        *(status, kind, platform, task_type), query=query, label=label, batch=batch, since=since, until=until
    )

    async def work(terminal: "Terminal", connection: "Connection") -> int:
        return _show(await first_tasks(connection.client, limit, sort, filters), terminal, as_lines=as_json)

    talk(work, server=server, as_json=as_json)


@group.command()
def show(
    task_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="任务 ID / Id of the task.")] = None,
    *,
    last: Annotated[bool, typer.Option("--last", help="最新的任务 / The newest task.")] = False,
    raw: Annotated[bool, typer.Option("--raw", "--json", help="完整的 JSON 记录 / The whole record as JSON.")] = False,
    server: Server = None,
) -> None:
    """显示一个任务 / Show one task."""
    from backend.cli.refusal import refuse  # noqa: PLC0415
    from backend.cli.running import talk  # noqa: PLC0415

    if (task_id is None) != last:
        refuse("请给出任务 ID 或 --last / give the id of a task, or --last")

    async def work(terminal: "Terminal", connection: "Connection") -> int:
        chosen = task_id or await _newest(connection)
        if chosen is None:
            refuse(terminal.speech.say(Text("还没有任务", "There are no tasks yet")), code=1)
        terminal.tell_end(await connection.client.get_task(chosen), connection)
        return 0

    talk(work, server=server, as_json=raw)


@group.command(epilog=EXIT_CODES)
def watch(task_id: TaskId, *, server: Server = None, as_json: AsJson = False) -> None:
    """实时查看任务；Ctrl+C 只停止查看 / Follow a task live; Ctrl+C only stops watching, the task goes on."""
    from backend.cli.running import watch as follow  # noqa: PLC0415

    follow(task_id, server=server, as_json=as_json)


@group.command()
def cancel(
    task_ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="任务 ID / Ids of tasks.")] = None,
    *,
    status: Status = None,
    kind: Kind = None,
    platform: Platform = None,
    task_type: TaskType = None,
    query: Query = None,
    label: Label = None,
    batch: Batch = None,
    server: Server = None,
) -> None:
    """取消任务并等到结束，或取消所有符合筛选条件的任务 / Cancel tasks and wait for their end, or all that match."""
    from backend.cli.refusal import refuse  # noqa: PLC0415
    from backend.cli.running import talk  # noqa: PLC0415

    filters = _filters(status, kind, platform, task_type, query=query, label=label, batch=batch)
    is_filtered = any(filters.values())
    if bool(task_ids) == is_filtered:
        refuse("请给出任务 ID 或筛选条件（二选一） / give ids of tasks, or filters, one of the two")

    async def work(terminal: "Terminal", connection: "Connection") -> int:
        if is_filtered:
            await _cancel_matching(terminal, connection, filters)
            return 0
        ended = [await _cancel_one(terminal, connection, one) for one in task_ids or ()]
        return 0 if all(ended) else 1

    talk(work, server=server, as_json=False)


@group.command()
def export(
    task_id: TaskId,
    *,
    form: Annotated[
        Literal["xlsx", "csv", "json", "jsonl"], typer.Option("--format", "-f", help="格式 / Format.")
    ] = "xlsx",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="文件或文件夹 / File, or folder (the server names the file then).")
    ] = Path(),
    columns: Annotated[str | None, typer.Option(help="列名，逗号分隔 / Columns, comma between.")] = None,
    distinct: Annotated[bool, typer.Option("--distinct", help="去重 / Of each item the newest row only.")] = False,
    tz: Annotated[str | None, typer.Option(help="时区 / Time zone of the times.")] = None,
    force: Annotated[bool, typer.Option("--force", help="覆盖已有文件 / Overwrite a file that is there.")] = False,
    server: Server = None,
) -> None:
    """把任务的结果导出为文件 / Write what a task found to a file."""
    from backend.cli.running import talk  # noqa: PLC0415

    chosen: ExportFormat = form
    names = None if columns is None else [one.strip() for one in columns.split(",") if one.strip()]

    async def work(terminal: "Terminal", connection: "Connection") -> int:
        written = await connection.client.export_task(
            *(task_id, output), overwrite=force, format=chosen, columns=names, distinct=distinct or None, tz=tz
        )
        size = f"{written.stat().st_size:,}"
        terminal.say(Text(f"已导出 {written} ({size} 字节)", f"Written: {written} ({size} bytes)"))
        return 0

    talk(work, server=server, as_json=False)


def _filters(
    status: list[str] | None,
    kind: str | None,
    platform: str | None,
    task_type: str | None,
    *,
    query: str | None,
    label: str | None,
    batch: str | None,
    since: str | None = None,
    until: str | None = None,
) -> "TaskFilters":
    return {
        **{"status": status, "kind": kind, "platform": platform, "type": task_type, "q": query},
        **{"label": label, "batch_id": batch, "created_from": since, "created_to": until},
    }


def _show(found: "Found", terminal: "Terminal", *, as_lines: bool) -> int:
    from backend.cli.task_list import print_lines, task_table  # noqa: PLC0415

    if as_lines:
        print_lines(found.tasks)
        return 0
    terminal.console.print(task_table(found.tasks, terminal.speech, width=terminal.console.width))
    count = len(found.tasks)
    terminal.say(Text(f"显示 {count} 个，共 {found.total} 个任务", f"{count} of {found.total} tasks"))
    return 0


async def _newest(connection: "Connection") -> str | None:
    found = (await connection.client.task_page(limit=1))["items"]
    return found[0]["task_id"] if found else None


async def _cancel_matching(terminal: "Terminal", connection: "Connection", filters: "TaskFilters") -> None:
    done = await connection.client.cancel_tasks(**filters)
    terminal.say(
        Text(
            f"符合 {done['matched']} 个：已取消 {done['cancelled']}，正在取消 {done['cancelling']}",
            f"{done['matched']} matched: {done['cancelled']} cancelled, {done['cancelling']} cancelling",
        )
    )


async def _cancel_one(terminal: "Terminal", connection: "Connection", task_id: str) -> bool:
    """Cancel one task and say what came of it; False when it has not ended as cancelled."""
    from backend.cli.speech import STATUS, word  # noqa: PLC0415

    record = await connection.client.cancel_task(task_id, wait_s=_WAIT_S)
    took_ms = record["cancel_latency_ms"]
    took = "" if took_ms is None else f" · {took_ms:.1f} ms"
    terminal.console.print(f"{task_id} {word(STATUS, record['status'], terminal.speech)}{took}", markup=False)
    return record["status"] == "cancelled"
