"""Makes a task, shows it while it runs, and says how it ended: what `crawl` and `generate` share, and `tasks watch`."""

import asyncio
import json
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console

from backend.cli.connection import Connection, connected
from backend.cli.interrupt import EXIT_CODE as INTERRUPTED
from backend.cli.interrupt import Interrupt, Interrupted
from backend.cli.outcome import exit_code, file_lines, refuse_for, result_table
from backend.cli.params import BadParameterError, read_params, type_of
from backend.cli.progress_view import LiveView, PlainView, View
from backend.cli.refusal import read_settings, refuse
from backend.cli.speech import terminal_speech
from backend.client import ClientError
from backend.client.wire import MAX_WAIT_S
from backend.core.settings import Settings
from backend.domain.text import Text

if TYPE_CHECKING:
    from backend.api.language import Speech
    from backend.api.tasks.records import TaskRecord, TaskSummary

_FILE_WIDTH = 160
_CANCEL_HINT = Text("按 Ctrl+C 取消任务", "Ctrl+C cancels the task")
_DETACH_HINT = Text("按 Ctrl+C 只停止查看，任务继续运行", "Ctrl+C only stops watching; the task goes on")


@dataclass(frozen=True, slots=True)
class Wish:
    """A task as it was asked for: `fixed` go over the `words` (name=value); `url`, `prompt` where the type has them."""

    platform: str
    type: str | None
    words: Sequence[str] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    url: str | None = None
    prompt: str | None = None
    title: str | None = None


class Terminal:
    """What a command needs of the terminal: its language, and where to print."""

    def __init__(self, settings: Settings, *, as_json: bool = False) -> None:
        self.settings = settings
        self.speech: Speech = terminal_speech(settings.language)
        self.as_json = as_json
        # With --json only the record goes to stdout; who looks on sees the rest beside it.
        self.console = Console(stderr=as_json, highlight=False)
        if not self.console.is_terminal:
            # A file has no width: what is read there later must not be cut to a terminal's 80.
            self.console.width = max(self.console.width, _FILE_WIDTH)

    @property
    def is_watched(self) -> bool:
        """Whether a person looks at it."""
        return self.console.is_terminal

    def view(self, hint: Text) -> View:
        """Return what shows a task here."""
        return (
            LiveView(self.console, self.speech, hint=hint) if self.is_watched else PlainView(self.console, self.speech)
        )

    def say(self, text: Text) -> None:
        """Print a line."""
        self.console.print(self.speech.say(text), markup=False, soft_wrap=True)

    def tell_end(self, record: "TaskRecord", connection: Connection) -> None:
        """Print how a task ended: the table, or with --json the record."""
        if self.as_json:
            print_json(record)
            return
        data_dir = self.settings.data_dir if connection.is_embedded else None
        self.console.print(result_table(record, self.speech, url=connection.url, data_dir=data_dir))
        for line in file_lines(record, url=connection.url, data_dir=data_dir):
            self.console.print(line, markup=False, soft_wrap=True)


def make_and_run(wish: Wish, *, server: str | None, as_json: bool) -> NoReturn:
    """Make the task, follow it to its end, and leave with the code of its end."""
    terminal = Terminal(read_settings(), as_json=as_json)

    async def work(interrupt: Interrupt) -> int:
        async with connected(terminal.settings, terminal.speech, url=server, embed=interrupt) as connection:
            asked = await interrupt.unless(_asked(wish, connection))
            # Not cut by Ctrl+C: a task that was made and is not known cannot be cancelled.
            record = await _made(asked, connection, terminal)
            return await _run(record, connection, terminal, interrupt)

    leave_after(work, terminal)


def watch(task_id: str, *, server: str | None, as_json: bool) -> NoReturn:
    """Follow a task; Ctrl+C leaves it alone."""
    terminal = Terminal(read_settings(), as_json=as_json)

    async def work(interrupt: Interrupt) -> int:
        async with connected(terminal.settings, terminal.speech, url=server) as connection:
            try:
                with terminal.view(_DETACH_HINT) as view:
                    await interrupt.unless(_follow(connection, task_id, view, until_waiting=False))
            except Interrupted:
                terminal.say(Text(f"已停止查看，任务 {task_id} 继续运行", f"Stopped watching; task {task_id} goes on"))
                return INTERRUPTED
            record = await connection.client.get_task(task_id)
            terminal.tell_end(record, connection)
            return exit_code(record)

    leave_after(work, terminal)


def talk(work: Callable[[Terminal, Connection], Awaitable[int]], *, server: str | None, as_json: bool) -> NoReturn:
    """Let `work` talk to the server that runs, and leave with its code; Ctrl+C ends the talk."""
    terminal = Terminal(read_settings(), as_json=as_json)

    async def connect_and_work() -> int:
        async with connected(terminal.settings, terminal.speech, url=server) as connection:
            return await work(terminal, connection)

    async def until_ctrl_c(interrupt: Interrupt) -> int:
        try:
            return await interrupt.unless(connect_and_work())
        except Interrupted:
            return INTERRUPTED

    leave_after(until_ctrl_c, terminal)


def leave_after(work: Callable[[Interrupt], Awaitable[int]], terminal: Terminal) -> NoReturn:
    """Run `work` on a loop of its own and leave with its code; what the server refuses is code 2."""
    try:
        code = asyncio.run(_with_interrupt(work))
    except Interrupted:
        terminal.say(Text("已停止，没有创建任务", "Stopped; no task was made"))
        code = INTERRUPTED
    except ClientError as error:
        refuse_for(error, terminal.speech)
    except (BadParameterError, OSError) as error:
        refuse(str(error))
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    """Print a document as the API gives it, for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


async def _with_interrupt(work: Callable[[Interrupt], Awaitable[int]]) -> int:
    interrupt = Interrupt()
    interrupt.listen()
    return await work(interrupt)


async def _asked(wish: Wish, connection: Connection) -> Wish:
    """Return the wish with its type named and all its parameters in `fixed`. Raises BadParameterError."""
    chosen = type_of(await connection.client.platforms(), wish.platform, wish.type)
    params = read_params(wish.words, chosen["schema"]) | dict(wish.fixed)
    if wish.url is not None:
        params[_one_of(("start_urls", "urls"), chosen["schema"])] = [wish.url]
    if wish.prompt is not None:
        params[_one_of(("prompt", "script"), chosen["schema"])] = wish.prompt
    return Wish(wish.platform, chosen["id"], fixed=params, title=wish.title)


async def _made(wish: Wish, connection: Connection, terminal: Terminal) -> "TaskRecord":
    # With a key of its own the call may be repeated: a broken connection makes no second task.
    record = await connection.client.create_task(
        wish.platform, wish.fixed, type=wish.type, title=wish.title, idempotency_key=f"cli-{uuid.uuid4()}"
    )
    where = (
        Text("内置服务器", "a server in this process")
        if connection.is_embedded
        else Text(connection.url, connection.url)
    )
    made = Text(f"任务 {record['task_id']} 已创建 · {where.zh}", f"Task {record['task_id']} made · {where.en}")
    if not terminal.as_json:
        terminal.say(made)
    return record


def _one_of(names: Sequence[str], schema: Mapping[str, Any]) -> str:
    """Return the first of these parameters that the type has. Raises BadParameterError, which names those it has."""
    known = schema.get("properties", {})
    for name in names:
        if name in known:
            return name
    raise BadParameterError(f"这种任务没有参数 / this type has no {' / '.join(names)}: {', '.join(known)}")


async def _run(record: "TaskRecord", connection: Connection, terminal: Terminal, interrupt: Interrupt) -> int:
    task_id = record["task_id"]
    with terminal.view(_CANCEL_HINT) as view:
        try:
            await interrupt.unless(_follow(connection, task_id, view, until_waiting=not terminal.is_watched))
        except Interrupted:
            view.say(terminal.speech.say(Text("正在取消… 再按一次立即离开", "Cancelling… again to leave at once")))
            await _cancel(connection, task_id)
    ended = await connection.client.get_task(task_id)
    if ended["status"] == "cancelled" and interrupt.told.is_set() and not terminal.as_json:
        took_ms = ended["cancel_latency_ms"] or 0.0
        terminal.say(Text(f"已取消，用时 {took_ms:.1f} 毫秒", f"Cancelled in {took_ms:.1f} ms"))
    terminal.tell_end(ended, connection)
    return exit_code(ended)


async def _cancel(connection: Connection, task_id: str) -> None:
    record = await connection.client.cancel_task(task_id, wait_s=MAX_WAIT_S)
    if not record["is_final"]:
        await connection.client.wait_for_end(task_id)


async def _follow(connection: Connection, task_id: str, view: View, *, until_waiting: bool) -> None:
    """Show the task until its end; with `until_waiting` also until it waits for a person, where there is none."""
    async with aclosing(connection.client.follow_task(task_id)) as states:
        async for task in states:
            view.show(task)
            if until_waiting and _waits_for_person(task):
                return


def _waits_for_person(task: "TaskSummary") -> bool:
    return task["status"] == "waiting" and task["notice"] is not None
