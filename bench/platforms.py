"""Every crawl platform × type × check of the contract that a platform must pass to be registered.

The same checks as tests/crawl/platforms/test_contract.py, on a mongod of its own, with the stand-ins of the tests and
one Chromium. ✓ held, ✗ did not, – has no meaning for the type (the reason stands below), ? could not be run.
"""

import argparse
import asyncio
import dataclasses
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

import orjson
from loguru import logger
from rich.console import Console
from rich.table import Table

from backend.core.embedded import EmbeddedStores
from backend.crawl.registry import load_platforms
from backend.domain.platform import PlatformType
from bench.report import Report, judge
from tests.fixtures.chromium import find_chromium
from tests.fixtures.platform_contract import CHECKS, CONTRACTS, Check, Lab, TypeContract

Mark = Literal["✓", "✗", "–", "?"]
_WITHIN_S = 180.0


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """One check of one type; `why` says what did not hold, or why it was not run."""

    platform: str
    type: str
    check: str
    mark: Mark
    why: str = ""
    took_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class PlatformReport(Report):
    """The figures, and the table."""

    cells: tuple[Cell, ...] = ()

    def to_json(self) -> str:
        """Return the report as one JSON object on one line, the cells in it."""
        document = orjson.loads(super(PlatformReport, self).to_json())
        return orjson.dumps({**document, "cells": [dataclasses.asdict(one) for one in self.cells]}).decode()

    def print_table(self) -> None:
        """Print the cells, the reasons, then the figures."""
        columns = list(dict.fromkeys((one.platform, one.type) for one in self.cells))
        table = Table(title="platform × type × check")
        table.add_column("check")
        for platform, type_ in columns:
            table.add_column(f"{platform}\n{type_}", justify="center")
        marks = {(one.platform, one.type, one.check): one.mark for one in self.cells}
        for check in CHECKS:
            table.add_row(check.title, *(marks.get((*column, check.id), " ") for column in columns))
        console = Console()
        console.print(table)
        for cell in self.cells:
            if cell.why:
                line = f"{cell.mark} {cell.platform} {cell.type} {cell.check}: {cell.why}"
                console.print(line, highlight=False, markup=False)
        super(PlatformReport, self).print_table()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this measurement's options."""
    known = sorted({platform for platform, _ in CONTRACTS})
    parser.add_argument("--platforms", nargs="+", default=known, choices=known, help="only these")
    checks = [check.id for check in CHECKS]
    parser.add_argument("--checks", nargs="+", default=checks, choices=checks, metavar="CHECK", help="only these")


def run(args: argparse.Namespace) -> PlatformReport:
    """Run the checks, or a part of them."""
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    types = {
        (info.id, one.id): one for info in (each.info for each in load_platforms({}).values()) for one in info.types
    }
    chosen = [
        (contract, check, types[key])
        for key, contract in CONTRACTS.items()
        if contract.platform_id in args.platforms
        for check in CHECKS
        if check.id in args.checks
    ]
    cells = asyncio.run(cells_of(chosen))
    missing = [key for key in types if key not in CONTRACTS and key[0] in args.platforms]
    cells += [Cell(*key, check.id, "✗", "the type has no contract") for key in missing for check in CHECKS]
    return report_of(cells)


async def cells_of(chosen: Sequence[tuple[TypeContract, Check, PlatformType]]) -> list[Cell]:
    """Return what became of each check, in the order given."""
    # Short, because a unix socket's path may not pass 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="mcp-"))
    stores = EmbeddedStores(folder / "s", with_valkey=False)
    try:
        async with AsyncExitStack() as closing:
            await stores.start()
            closing.push_async_callback(stores.stop)
            uri = "" if stores.mongo is None else stores.mongo.uri or ""
            lab = Lab(uri, "contract", folder, chromium=find_chromium())
            await lab.start()
            closing.push_async_callback(lab.stop)
            return [await _cell(lab, *one) for one in chosen]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def report_of(cells: Sequence[Cell]) -> PlatformReport:
    """Return the figures of the cells: all of them held, or said why they have no meaning."""
    marks = [one.mark for one in cells]
    figures: dict[str, float] = {
        "platforms": len({one.platform for one in cells}),
        "types": len({(one.platform, one.type) for one in cells}),
        "held": marks.count("✓"),
        "not_held": marks.count("✗"),
        "not_run": marks.count("?"),
        "without_meaning": marks.count("–"),
        "seconds": sum(one.took_s for one in cells),
    }
    return PlatformReport("platforms", figures, judge(figures, {"not_held": "== 0", "not_run": "== 0"}), tuple(cells))


async def _cell(lab: Lab, contract: TypeContract, check: Check, type_: PlatformType) -> Cell:
    place = (contract.platform_id, contract.type_id, check.id)
    if check.id in contract.does_not_apply:
        return Cell(*place, "–", contract.does_not_apply[check.id])
    if contract.needs_browser and not check.is_static and not lab.has_browser:
        return Cell(*place, "?", "no Chromium on PATH")
    begun = time.monotonic()
    try:
        async with asyncio.timeout(_WITHIN_S):
            await check.run(lab, contract, type_)
    except Exception as error:  # noqa: BLE001 - whatever a platform does here is a cell of the table
        why = f"{type(error).__name__}: {error}" if not isinstance(error, AssertionError) else str(error)
        return Cell(*place, "✗", why[:500], time.monotonic() - begun)
    return Cell(*place, "✓", took_s=time.monotonic() - begun)
