"""Pages with thousands of links: a stop waits for one slice of them, never for all."""

from collections.abc import Sequence

import pytest

from backend.domain.task import Lease, StopReason, TaskStatus
from backend.store.frontier import FrontierStore, NewRow
from tests.fixtures.bare_context import BareContext
from tests.fixtures.crawls import Crawl
from tests.fixtures.site import page

LINKS = 4_000


class Slices:
    """Watches the real store: how many links each write has, and stops the run once at the start of a big one."""

    def __init__(self, context: BareContext, reason: StopReason | None = None) -> None:
        self.sizes: list[int] = []
        self._context = context
        self._reason = reason

    def watch(self, frontier: FrontierStore, monkeypatch: pytest.MonkeyPatch) -> None:
        add_many = frontier.add_many

        async def watched(lease: Lease, rows: Sequence[NewRow]) -> int:
            self.sizes.append(len(rows))
            if self._reason is not None and len(self.sizes) > 1:
                self._context.stop(self._reason)
            return await add_many(lease, rows)

        monkeypatch.setattr(frontier, "add_many", watched)


def heavy(crawl: Crawl) -> None:
    crawl.site.pages = {"/": page(*(f"/{number}" for number in range(LINKS)))}


async def test_links_are_written_in_slices_that_a_stop_can_wait_for(
    crawl: Crawl, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy(crawl)
    context = crawl.context({"max_pages": 1})
    slices = Slices(context)
    slices.watch(crawl.tools.frontier, monkeypatch)

    carried = await crawl.carry_out(context)

    assert carried.ending is not None
    assert carried.ending.status is TaskStatus.SUCCEEDED
    assert sum(slices.sizes) == LINKS + 1
    assert max(slices.sizes) <= 500


async def test_cancel_while_links_are_written_keeps_the_page_and_writes_no_more_links(
    crawl: Crawl, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy(crawl)
    context = crawl.context({})
    slices = Slices(context, StopReason.USER)
    slices.watch(crawl.tools.frontier, monkeypatch)

    books = (await crawl.carry_out(context)).books

    assert books is not None
    assert books.adds_up
    assert (books.requested, books.ok, books.stored) == (1, 1, 1)
    assert len(slices.sizes) == 2


async def test_shutdown_while_links_are_written_has_the_page_read_again_later(
    crawl: Crawl, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy(crawl)
    context = crawl.context({"max_pages": 1})
    slices = Slices(context, StopReason.SHUTDOWN)
    slices.watch(crawl.tools.frontier, monkeypatch)
    await crawl.carry_out(context)
    monkeypatch.undo()

    carried = await crawl.run({"max_pages": 1})

    assert carried.books is not None
    assert (carried.books.ok, carried.books.stored) == (1, 1)
    assert carried.books.queued_left == LINKS
    assert len(slices.sizes) == 2
