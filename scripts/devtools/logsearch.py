"""The search of whole logs for a closed or missing event loop: promise P6 of the product."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

_LOOP_ERROR = re.compile(r"loop is closed|no running (event )?loop", re.IGNORECASE)
_OUTPUT = ("system-out", "system-err")


def loop_errors(folder: Path) -> Iterator[str]:
    """Yield `where: line` for each line under `folder` that speaks of a closed or missing loop.

    A `.xml` is pytest's JUnit report: only what the tests printed and logged is read, not their names
    and failure texts. Every other file is read whole, as a server's log.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".xml":
            yield from _in_report(path)
        elif path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            yield from _matching(path.relative_to(folder).as_posix(), text)


def _in_report(report: Path) -> Iterator[str]:
    for case in ET.parse(report).getroot().iter("testcase"):
        for output in (element for tag in _OUTPUT for element in case.iter(tag)):
            yield from _matching(f"{case.get('classname')}::{case.get('name')}", output.text or "")


def _matching(where: str, text: str) -> Iterator[str]:
    return (f"{where}: {line}" for line in text.splitlines() if _LOOP_ERROR.search(line))
