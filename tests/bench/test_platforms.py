"""The table of platforms: what did not hold, and what has no meaning, is said in words."""

import asyncio

import pytest

from backend.crawl.registry import load_platforms
from bench.platforms import Cell, cells_of, report_of
from tests.fixtures.platform_contract import CHECKS, CONTRACTS


@pytest.fixture
def io_loop() -> None:
    """No loop: the measurement runs its own."""


def test_checks_become_cells() -> None:
    types = {(one.info.id, type_.id): type_ for one in load_platforms({}).values() for type_ in one.info.types}
    contract = CONTRACTS["web", "page"]
    chosen = [(contract, check, types["web", "page"]) for check in CHECKS if check.id in {"titles", "limit", "empty"}]

    cells = asyncio.run(cells_of(chosen))

    assert {cell.check: cell.mark for cell in cells} == {"titles": "✓", "limit": "✓", "empty": "–"}
    assert [cell.why for cell in cells if cell.mark == "–"] == [contract.does_not_apply["empty"]]


def test_one_check_that_did_not_hold_misses_the_goal(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of([Cell("x", "search", "limit", "✓"), Cell("x", "search", "pages", "✗", "3, not 2")])

    report.print_table()

    assert not report.is_ok
    assert "✗ x search pages: 3, not 2" in capsys.readouterr().out


def test_what_has_no_meaning_misses_nothing() -> None:
    assert report_of([Cell("x", "search", "limit", "–", "a reason")]).is_ok
