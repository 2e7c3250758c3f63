"""The fast part of `python -m bench faults`: a small fleet, a short storm, the same audit."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.chaos.audit import VIOLATIONS
from bench.chaos.options import ChaosOptions
from bench.chaos.run import Chaos


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a unix socket's may not pass 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="mcf-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_lost_run_twice_or_left_when_servers_and_stores_are_killed(folder: Path) -> None:
    options = ChaosOptions(
        folder=folder, minutes=0.25, live=15, kill_every_s=4.0, pages_s=(0.1, 0.4), polls=(2, 4), poll_s=0.5
    )

    async def storm() -> tuple[dict[str, float], dict[str, list[str]]]:
        async with Chaos(options) as chaos:
            figures = dict(await chaos.run())
            return figures, {kind: chaos.findings.lines[kind] for kind in VIOLATIONS if figures[kind]}

    figures, found = asyncio.run(storm())

    assert not found
    assert figures["kills"] >= 3
    assert figures["tasks"] >= 15
