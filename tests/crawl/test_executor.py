from typing import Any

import pytest

from backend.crawl.executor import CrawlExecutor
from backend.crawl.registry import load_platforms
from backend.domain.errors import NeedsPersonError, TaskFailedError
from backend.domain.task import Lease
from tests.fixtures.bare_context import BareContext, carry_out, crawl_task
from tests.fixtures.crawls import Crawl


def context(platform: str, type_id: str, params: dict[str, Any]) -> BareContext:
    return BareContext(crawl_task(platform, type_id, params), Lease("t_1", "w", 1))


@pytest.fixture
def executor(crawl: Crawl) -> CrawlExecutor:
    return CrawlExecutor(load_platforms({}), crawl.tools)


async def test_platform_that_cannot_run_needs_a_person(executor: CrawlExecutor) -> None:
    carried = await carry_out(context("xhs", "search", {"keywords": ["露营"], "limit": 20}), executor.begin)

    assert isinstance(carried.error, NeedsPersonError)
    assert (carried.error.code, carried.error.advice is not None) == ("NO_BROWSER", True)


@pytest.mark.parametrize(
    ("platform", "type_id", "params"),
    [
        ("gone", "site", {}),
        ("web", "gone", {}),
        ("web", "site", {"start_urls": []}),
        ("web", "site", {"start_urls": ["https://example.org/"], "old_name": 1}),
    ],
)
async def test_task_of_an_older_version_fails_with_a_reason(
    executor: CrawlExecutor, platform: str, type_id: str, params: dict[str, Any]
) -> None:
    carried = await carry_out(context(platform, type_id, params), executor.begin)

    assert isinstance(carried.error, TaskFailedError)
    assert carried.books is not None
    assert carried.books.adds_up


async def test_abandon_does_nothing(executor: CrawlExecutor) -> None:
    made = context("web", "site", {})

    await executor.abandon(made.task, made)

    assert made.lines == []
