"""One zip to hand to somebody who helps: what was seen, and nothing that is secret."""

import ast
import json
import os
import platform
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import backend
from backend.core.logs import make_redactor
from backend.core.server_file import ServerFile
from backend.core.settings import Settings, log_file_of, secret_values
from backend.core.settings_shown import MASK, describe
from backend.doctor.code_rows import TASK_SERVICE, spawn_line
from backend.doctor.log_rows import failures_in, since_start, tail_of
from backend.doctor.rows import Row

_PACKAGES = ("tornado", "motor", "pymongo", "redis", "httpx", "aiohttp", "pydantic", "loguru", "psutil", "playwright")
_START_LINES = 400
_FAILURE_LINES = 1_000
_AROUND = 20
_MASKED = re.compile(re.escape(MASK) + r"[^\s@'\",]*")
_SET = "(set)"


def write_bundle(path: Path, settings: Settings, rows: Sequence[Row]) -> list[str]:
    """Write the zip, for our eyes only, and return the names in it. Raises OSError."""
    server = ServerFile(settings.data_dir).read()
    clean = make_redactor((*secret_values(settings), *([server.secret] if server and server.secret else [])))
    home = str(Path.home())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in _parts(settings, rows):
            made.writestr(name, clean(text).replace(home, "~") if len(home) > 1 else clean(text))
        return made.namelist()


def _parts(settings: Settings, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    lines = tail_of(log_file_of(settings))
    yield "doctor.json", _json([row.as_json() for row in rows])
    # Not even the last four characters of a secret, which `mediacrawer config` shows to its owner.
    yield "config.json", _MASKED.sub(_SET, _json([asdict(row) for row in describe(settings)]))
    yield "versions.json", _json(_versions())
    yield "start.log", "\n".join(since_start(lines)[:_START_LINES]) + "\n"
    yield "errors.log", "\n".join(failures_in(lines, "WARNING", "ERROR", "CRITICAL")[-_FAILURE_LINES:]) + "\n"
    yield "task_service.txt", _around_spawn()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _versions() -> dict[str, str | None]:
    ours = {"mediacrawer": backend.__version__, "python": sys.version, "system": platform.platform()}
    return {**ours, **{name: _version_of(name) for name in _PACKAGES}}


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _around_spawn(path: Path = TASK_SERVICE) -> str:
    try:
        text = path.read_text("utf-8")
        line = spawn_line(ast.parse(text)) or 1
    except (OSError, SyntaxError, ValueError) as error:
        return f"{type(error).__name__}\n"
    numbered = [f"{number:4} {words}" for number, words in enumerate(text.splitlines(), 1)]
    return "\n".join(numbered[max(0, line - 1 - _AROUND) : line + _AROUND]) + "\n"
