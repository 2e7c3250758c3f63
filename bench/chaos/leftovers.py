"""What must not be left when all servers have ended: files, processes, words in logs."""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

FORBIDDEN = ("event loop is closed", "loop is closed", "no running loop", "no running event loop")
_PARTS = ("*.part", "artifacts/parts/*/*")
_LEVEL = re.compile(r"\| (ERROR|CRITICAL) +\| ([^|]+?) *\| (.*)")
_TASK = re.compile(r"\bt_[0-9a-f]{21}\b")
_NUMBER = re.compile(r"\d+")


def part_files(folder: Path) -> list[Path]:
    """Return the half-written files under a server's data folder."""
    return sorted({path for pattern in _PARTS for path in folder.rglob(pattern) if path.is_file()})


def processes_of(folder: Path, *, but: set[int]) -> list[str]:
    """Return the living processes that work in `folder` or name it, but those and this one."""
    found = []
    but = but | {one.pid for one in [psutil.Process(), *psutil.Process().parents()]}
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            is_of = str(folder) in " ".join(one.cmdline()) or one.cwd().startswith(str(folder))
            if is_of and one.pid not in but:
                found.append(f"{one.pid} {' '.join(one.cmdline())[:200]}")
    return found


def orphans_of(folder: Path) -> set[int]:
    """Return the processes in `folder` whose parent is gone: taken over by init."""
    found = set()
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            if one.cwd().startswith(str(folder)) and one.ppid() == 1:
                found.add(one.pid)
    return found


def forbidden_lines(logs: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines that speak of a closed or missing loop (promise P6)."""
    for tag, text in logs.items():
        for line in text.splitlines():
            if any(words in line.lower() for words in FORBIDDEN):
                yield f"{tag}: {line[:300]}"


def tracebacks(logs: Mapping[str, str]) -> Iterator[str]:
    """Yield each traceback: what was said before it, and its last line."""
    for tag, text in logs.items():
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if line.lstrip().startswith(("Traceback (most recent", "+ Exception Group Traceback")):
                last = next((one for one in lines[number + 1 :] if one and not one.startswith((" ", "|", "+"))), "")
                yield f"{tag}: {lines[number - 1][:200] if number else ''} ... {last[:200]}"


def errors_by_shape(logs: Mapping[str, str]) -> Counter[str]:
    """Return how often each shape of ERROR and CRITICAL line was said: ids and numbers left out."""
    found: Counter[str] = Counter()
    for text in logs.values():
        for line in text.splitlines():
            if said := _LEVEL.search(line):
                found[_NUMBER.sub("N", _TASK.sub("TASK", said[3]))[:120]] += 1
    return found
