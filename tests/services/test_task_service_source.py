"""What the source of the task service says: how work is started, and how it never is."""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "backend" / "services" / "task_service.py"


def test_work_is_started_with_spawn_callback_on_the_current_loop() -> None:
    assert "tornado.ioloop.IOLoop.current().spawn_callback(self._execute_task, task)" in SOURCE.read_text("utf-8")


def test_service_never_starts_work_as_a_task_of_whatever_loop_is_current() -> None:
    calls = [node for node in ast.walk(ast.parse(SOURCE.read_text("utf-8"))) if isinstance(node, ast.Attribute)]

    assert not [node for node in calls if node.attr in {"create_task", "ensure_future"} and _is_asyncio(node)]


def _is_asyncio(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "asyncio"
