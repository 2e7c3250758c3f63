"""Many tasks in a terminal: as a table, or a line of JSON each."""

import json
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text as Styled

from backend.api.language import Speech
from backend.cli.outcome import STYLES
from backend.cli.progress_view import duration
from backend.cli.speech import STATUS, UNIT, word
from backend.client import AsyncClient
from backend.client.options import TaskFilters
from backend.domain.text import Text

if TYPE_CHECKING:
    from backend.api.tasks.records import TaskSummary

_MAX_PAGE = 200
# Narrower terminals do without the last columns: an id that is cut cannot be copied.
_WIDE = 110
_HEADS = (
    Text("任务", "task"),
    Text("状态", "status"),
    Text("标题", "title"),
    Text("进度", "progress"),
    Text("用时", "took"),
    Text("平台", "platform"),
    Text("创建", "made"),
)
_TITLE = 2
_NARROW_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Found:
    """The first tasks that match, and how many there are ("1000+" where the count stops)."""

    tasks: Sequence["TaskSummary"]
    total: str


async def first_tasks(client: AsyncClient, limit: int, sort: str | None, filters: TaskFilters) -> Found:
    """Return at most `limit` tasks that match. Raises ClientError."""
    counted = await client.task_page(limit=1, **filters)
    tasks: list[TaskSummary] = []
    async with aclosing(client.list_tasks(sort=sort, page_size=min(limit, _MAX_PAGE), **filters)) as found:
        async for task in found:
            tasks.append(task)
            if len(tasks) >= limit:
                break
    return Found(tasks, f"{counted['total']}{'+' if counted['total_is_capped'] else ''}")


def task_table(tasks: Sequence["TaskSummary"], speech: Speech, *, width: int) -> Table:
    """Return tasks as a table, a line each, for a terminal of `width` cells; only titles are cut."""
    columns = len(_HEADS) if width >= _WIDE else _NARROW_COLUMNS
    rows = [_cells(task, speech)[:columns] for task in tasks]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, head in enumerate(_HEADS[:columns]):
        widest = max((cell_len(str(row[number])) for row in rows), default=0)
        table.add_column(
            speech.tell(head) or "",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if number == _TITLE else widest,
        )
    for row in rows:
        table.add_row(*row)
    return table


def print_lines(tasks: Sequence["TaskSummary"]) -> None:
    """Print a JSON document a line."""
    for task in tasks:
        sys.stdout.write(json.dumps(task, ensure_ascii=False) + "\n")


def _cells(task: "TaskSummary", speech: Speech) -> tuple[str | Styled, ...]:
    progress = task["progress"]
    done = str(progress["done"]) if progress["total"] is None else f"{progress['done']}/{progress['total']}"
    made = datetime.fromisoformat(task["created_at"]).astimezone()
    return (
        task["task_id"],
        Styled(word(STATUS, task["status"], speech), style=STYLES.get(task["status"], "")),
        Styled(task["title"]),
        f"{done} {word(UNIT, progress['unit'], speech)}",
        "-" if task["started_at"] is None else duration(task["started_at"], task["ended_at"]),
        f"{task['platform']}/{task['type']}",
        f"{made:%m-%d %H:%M:%S}",
    )
