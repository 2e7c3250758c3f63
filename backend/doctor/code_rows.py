"""The rows about the source: the lines that start a task on the server's own loop are in place."""

import ast
from pathlib import Path

import tornado

import backend
from backend.doctor.rows import Row, same
from backend.domain.text import Text

TASK_SERVICE = Path(backend.__file__).parent / "services" / "task_service.py"
_NAME = "services/task_service.py"
_IMPORT = Text("import tornado.ioloop", "import tornado.ioloop")
_SPAWN = Text("spawn_callback 这一行", "The spawn_callback line")
_RESTORE = Text(
    "恢复 backend/services/task_service.py（git checkout），再运行 mediacrawer restart",
    "Restore backend/services/task_service.py (git checkout), then run mediacrawer restart",
)


def code_rows(path: Path = TASK_SERVICE) -> list[Row]:
    """Return the rows about the source file that starts tasks."""
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        words = same(f"{_NAME}: {type(error).__name__}")
        return [Row(name, title, "bad", words, _RESTORE) for name, title in (("import", _IMPORT), ("spawn", _SPAWN))]
    return [
        _row("import", _IMPORT, _import_line(tree), f", tornado {tornado.version}"),
        _row("spawn", _SPAWN, spawn_line(tree), ""),
    ]


def spawn_line(tree: ast.AST) -> int | None:
    """Return the line of the first call of `spawn_callback`, or None."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return min(
        (one.lineno for one in calls if isinstance(one.func, ast.Attribute) and one.func.attr == "spawn_callback"),
        default=None,
    )


def _import_line(tree: ast.AST) -> int | None:
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Import))
    return min((one.lineno for one in found if any(name.name == "tornado.ioloop" for name in one.names)), default=None)


def _row(name: str, title: Text, line: int | None, more: str) -> Row:
    if line is None:
        return Row(name, title, "bad", Text(f"{_NAME} 里没有", f"not in {_NAME}"), _RESTORE)
    return Row(name, title, "ok", Text(f"{_NAME} 第 {line} 行{more}", f"{_NAME}, line {line}{more}"))
