"""Nothing may depend on the machine's own encoding: a Chinese Windows reads and writes GBK, a bare container ASCII."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.server import ROOT, NewServer

CODE = ("backend", "scripts", "bench")
# Where the encoding stands among the arguments.
_ENCODING_AT = {"read_text": 0, "write_text": 1}
_STARTERS = {"run", "Popen", "check_output", "check_call"}
# A console in Chinese, a container without a locale, and nothing that helps: no UTF-8 mode.
POOR_CONSOLES = {
    "gbk": {"PYTHONIOENCODING": "gbk", "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


# -- what the source says --------------------------------------------------------------------------------------------


def calls_of(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call of a module with the last word of what is called."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    yield name, node


def names_no_encoding(name: str, call: ast.Call) -> bool:
    """Tell whether a call opens text and leaves its encoding to the machine."""
    keywords = {keyword.arg for keyword in call.keywords}
    if "encoding" in keywords:
        return False
    if name in _STARTERS:
        return bool({"text", "universal_newlines"} & keywords)
    if name in _ENCODING_AT:
        return len(call.args) <= _ENCODING_AT[name]
    return name in {"open", "fdopen"} and "b" not in mode_of(name, call)


def mode_of(name: str, call: ast.Call) -> str:
    """Return the mode a file is opened with; "b" when it is no file: os.open, or an `open` of ours."""
    if ast.unparse(call.func) == "os.open":
        return "b"
    is_method = name == "open" and isinstance(call.func, ast.Attribute)
    words = [one.value for one in call.args[0 if is_method else 1 :] if isinstance(one, ast.Constant)]
    modes = [word for word in words if isinstance(word, str) and word and set(word) <= set("rwxabt+")]
    return modes[0] if modes else "b" if is_method else "r"


@pytest.mark.parametrize("folder", CODE)
def test_every_text_file_is_opened_with_its_encoding(folder: str) -> None:
    left_to_the_machine = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, call in calls_of(path)
        if names_no_encoding(name, call)
    ]

    assert left_to_the_machine == []


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("open('a')", True),
        ("open('backend.txt')", True),
        ("open('a', 'rb')", False),
        ("path.open('w')", True),
        ("path.open('wb')", False),
        ("os.open('a', 0)", False),
        ("door.open()", False),
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text('text')", True),
        ("path.write_text('text', 'utf-8')", False),
        ("path.write_text('text', encoding='utf-8')", False),
        ("os.fdopen(fd, 'w')", True),
        ("subprocess.run(['a'], text=True)", True),
        ("subprocess.run(['a'], encoding='utf-8')", False),
    ],
)
def test_search_for_encodings_tells_text_from_bytes(source: str, is_found: bool) -> None:
    (call,) = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")

    assert names_no_encoding(name, call) is is_found


# -- what programs print ---------------------------------------------------------------------------------------------


def run(*argv: str, console: str, **environ: str) -> "subprocess.CompletedProcess[bytes]":
    """Return what a program of ours did on such a console."""
    return subprocess.run(
        [sys.executable, *argv],
        check=False,
        cwd=ROOT,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **POOR_CONSOLES[console], **environ},
    )


@pytest.mark.parametrize(
    ("argv", "chinese"),
    [
        (("-m", "backend.cli", "--help"), "采集与生成任务的后端"),
        (("-c", "import sys; sys.exit(__import__('scripts.dev').dev.main(['test', '--help']))"), ""),
    ],
    ids=["mediacrawer", "dev.py"],
)
def test_command_prints_utf8_on_a_poor_console(argv: tuple[str, ...], chinese: str) -> None:
    done = run(*argv, console="gbk")

    assert done.returncode == 0, done.stderr
    assert chinese in done.stdout.decode("utf-8")


def test_setting_that_cannot_be_used_is_named_on_a_poor_console() -> None:
    done = run("backend/main.py", console="ascii", PORT="露营")

    assert done.returncode == 2
    assert "PORT" in done.stderr.decode("utf-8")
    assert b"Traceback" not in done.stderr


@pytest.mark.slow
def test_server_on_a_gbk_console_logs_utf8_and_answers(new_server: NewServer) -> None:
    server = new_server({**POOR_CONSOLES["gbk"], "STORES": "memory"}).start()

    task_id = server.create({"start_urls": ["https://example.com/露营"]}, title="露营 ⛺", start="manual")
    title = server.task(task_id)["title"]
    code = server.stop()

    said = server.log_path.read_bytes().decode("utf-8")
    assert (title, code) == ("露营 ⛺", 0)
    assert "🚀 MediaCrawer Pro 正在启动..." in said
    assert "🌐 服务器启动成功！监听端口" in said
    assert f"✅ 任务创建成功: {task_id}" in said or f"任务已创建，等待执行: {task_id}" in said
    assert "👋 MediaCrawer Pro 正在关闭..." in said
    assert "Traceback" not in said


# -- the PowerShell scripts, read and not run -------------------------------------------------------------------------

POWERSHELL = sorted((ROOT / "scripts").glob("*.ps1"))


@pytest.mark.parametrize("path", POWERSHELL, ids=lambda path: path.name)
def test_powershell_script_is_utf8_with_a_bom_and_says_so_to_the_console(path: Path) -> None:
    # Windows PowerShell 5.1 reads a file without a BOM in the ANSI code page: its Chinese would be broken.
    raw = path.read_bytes()

    text = raw.decode("utf-8")
    assert raw.startswith(b"\xef\xbb\xbf")
    assert "[Console]::OutputEncoding = [System.Text.UTF8Encoding]::new()" in text


@pytest.mark.parametrize("path", POWERSHELL, ids=lambda path: path.name)
def test_powershell_script_sends_bodies_as_utf8_bytes(path: Path) -> None:
    text = path.read_text(encoding="utf-8-sig")
    if "-Body" not in text:
        pytest.skip("it sends nothing")

    assert "[System.Text.Encoding]::UTF8.GetBytes(" in text
    assert "application/json; charset=utf-8" in text
