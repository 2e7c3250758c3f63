"""The server in bad surroundings: a full disk, no file descriptors left, a clock set wrong. Linux only.

A part that this machine does not allow (a mount without root, libfaketime absent) is named as skipped.
"""

import argparse
import asyncio
import dataclasses
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from bench.environment_lab.descriptors import descriptors_used_up
from bench.environment_lab.disk import files_full, logs_full, stores_full
from bench.environment_lab.facts import Fact, Facts, SkippedError
from bench.environment_lab.wrong_clock import clock_jumps
from bench.report import Report, judge

PARTS: Mapping[str, Callable[[Path, Facts], Awaitable[None]]] = {
    "disk-stores": stores_full,
    "disk-files": files_full,
    "disk-logs": logs_full,
    "descriptors": descriptors_used_up,
    "clock": clock_jumps,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS), help="only these")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")


def run(args: argparse.Namespace) -> Report:
    """Look at all parts, or the named ones."""
    return report_of(asyncio.run(facts_of(args.parts, keep=args.keep)))


async def facts_of(parts: Sequence[str], *, keep: bool = False) -> list[Fact]:
    """Return what was seen, one part after the other."""
    # Short, because a unix socket's path may not pass 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="mce-"))
    found: list[Fact] = []
    try:
        for name in parts:
            facts = Facts(name)
            try:
                await PARTS[name](folder / name, facts)
            except SkippedError as why:
                facts.skip(str(why))
            found += facts.found
    finally:
        if keep:
            print(f"logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class EnvironmentReport(Report):
    """The figures, and the table of all facts."""

    facts: tuple[Fact, ...] = ()

    def to_json(self) -> str:
        """Return the report as one JSON object on one line, the facts in it."""
        document = orjson.loads(super(EnvironmentReport, self).to_json())
        return orjson.dumps({**document, "facts": [dataclasses.asdict(one) for one in self.facts]}).decode()

    def print_table(self) -> None:
        """Print the facts, then the figures."""
        table = Table(title="bench environment")
        for heading in ("part", "must be so", "is so", "seen"):
            table.add_column(heading)
        for one in self.facts:
            table.add_row(one.part, one.what, {True: "yes", False: "NO", None: "-"}[one.is_so], one.said[:200])
        Console().print(table)
        super(EnvironmentReport, self).print_table()


def report_of(facts: Sequence[Fact]) -> EnvironmentReport:
    """Return the figures: how many facts were so, were not, could not be looked at."""
    figures = {
        "facts": float(len(facts)),
        "not_so": float(sum(one.is_so is False for one in facts)),
        "skipped": float(sum(one.is_so is None for one in facts)),
    }
    return EnvironmentReport("environment", figures, judge(figures, {"not_so": "== 0"}), tuple(facts))
