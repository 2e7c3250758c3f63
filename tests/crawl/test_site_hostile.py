"""Hostile servers: each page ends by its own name, in bounded memory and time, and the crawl goes on."""

from collections.abc import Iterator

import psutil
import pytest
import tornado.ioloop

from backend.core.http import HttpGate
from backend.crawl.fetch import FetchLimits
from backend.domain.task import TaskStatus
from tests.fixtures.crawls import Crawl
from tests.fixtures.hostile_peer import bomb
from tests.fixtures.hostile_server import HostileServer
from tests.fixtures.site import SitePage

MB = 1 << 20
ENDS = {
    "announce-2gb": "TOO_LARGE",
    "stream-for-ever": "TOO_LARGE",
    "bomb/gzip/300": "DECOMPRESSION_LIMIT",
    "bomb/br/300": "DECOMPRESSION_LIMIT",
    "bomb/zstd/300": "DECOMPRESSION_LIMIT",
    "drip-head": "DEADLINE",
    "drip-body": "DEADLINE",
    "endless-102": "DEADLINE",
    "hang": "DEADLINE",
    "redirect/302/http://169.254.169.254/": "PRIVATE_ADDRESS",
    "redirect/302/ftp://example.org/": "SCHEME_REFUSED",
    "close": "NO_ANSWER",
    "half": "BROKEN_ANSWER",
    "half-reset": "BROKEN_ANSWER",
    "bad-chunk": "BROKEN_ANSWER",
    "two-lengths": "BROKEN_ANSWER",
    "bad-coded": "BROKEN_ANSWER",
}


@pytest.fixture
def hostile(crawl_gate: HttpGate, io_loop: tornado.ioloop.IOLoop) -> Iterator[HostileServer]:
    # The gate is named to be started before and stopped after the server.
    server = HostileServer()
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(server.stop)


async def test_every_hostile_page_ends_by_its_own_name(crawl: Crawl, hostile: HostileServer) -> None:
    crawl.slower(limits=FetchLimits(total_s=4, page_bytes=2 * MB), max_attempts=1)
    crawl.site.add({"/": []})
    urls = {hostile.url(path): error for path, error in ENDS.items()}
    for codec in ("gzip", "br", "zstd"):
        bomb(codec, 300)

    ended = await crawl.run({"urls": [*urls, crawl.site.url("/")], "obey_robots": False, "concurrency": 64}, "page")

    rows = await crawl.pages()
    assert {url: rows[url].error for url in urls} == urls
    assert rows["/"].outcome == "ok"
    assert ended.ending is not None
    assert ended.ending.status is TaskStatus.PARTIAL
    assert ended.books is not None
    assert (ended.books.failed, ended.books.ok, ended.books.adds_up) == (len(ENDS), 1, True)


async def test_memory_stays_flat_under_bombs_and_endless_pages(crawl: Crawl, hostile: HostileServer) -> None:
    crawl.slower(limits=FetchLimits(total_s=3, page_bytes=2 * MB), max_attempts=1)
    paths = ["announce-2gb", "stream-for-ever", "bomb/gzip/300", "bomb/br/300", "bomb/zstd/300"]
    await crawl.run({"urls": [hostile.url("page/0")], "obey_robots": False}, "page")
    urls = [hostile.url(f"{path}/{number}") for path in paths for number in range(6)]
    start = psutil.Process().memory_info().rss

    books = (await crawl.run({"urls": urls, "obey_robots": False}, "page")).books

    assert books is not None
    assert books.failed == len(urls)
    assert psutil.Process().memory_info().rss - start < 150 * MB


async def test_huge_robots_txt_is_read_as_far_as_its_limit(crawl: Crawl) -> None:
    crawl.slower(limits=FetchLimits(robots_bytes=MB // 2))
    crawl.site.add({"/": ["/no"], "/no": []})
    rules = b"User-agent: *\nDisallow: /no\n" + b"# nothing\n" * 200_000
    crawl.site.pages["/robots.txt"] = SitePage(rules, content_type="text/plain")

    books = (await crawl.run({"obey_robots": True})).books

    assert books is not None
    assert (books.ok, books.skipped_by) == (1, {"robots": 1})
