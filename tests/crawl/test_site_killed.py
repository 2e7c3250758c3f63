"""A crawl in a process that is killed with SIGKILL, again and again, ends with the same pages."""

import asyncio
import random
import sys

import pytest

from backend.core.database import Database
from tests.fixtures.crawl_child import PARAMS
from tests.fixtures.crawls import Crawl

PAGES = 150
KILLS = 3


def chain_with_branches(seed: int) -> dict[str, list[str]]:
    chance = random.Random(seed)
    paths = ["/", *(f"/{number}" for number in range(1, PAGES))]
    graph: dict[str, list[str]] = {path: [] for path in paths}
    for number, path in enumerate(paths[1:], start=1):
        graph[paths[chance.randrange(max(0, number - 6), number)]].append(path)
    return graph


@pytest.mark.parametrize("seed", [1, 2])
async def test_crawl_killed_for_real_ends_with_the_same_pages(
    crawl: Crawl, database: Database, mongo_url: str, seed: int
) -> None:
    chance = random.Random(seed)
    crawl.site.add(chain_with_branches(seed))
    name = database.collection("any").database.name
    for fence in range(1, KILLS + 1):
        argv = (mongo_url, name, crawl.site.url("/"), str(fence))
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.fixtures.crawl_child", *argv)
        enough = crawl.site.asked + chance.randrange(1, PAGES // KILLS)
        await crawl.site.asked_for(enough)
        child.kill()
        await child.wait()

    ended = await crawl.carry_out(crawl.context(PARAMS, fence=KILLS + 1))

    books = ended.books
    assert books is not None
    assert books.adds_up
    assert len(await crawl.paths()) == books.stored == books.ok == books.requested == PAGES
    assert crawl.site.asked < PAGES * 2
